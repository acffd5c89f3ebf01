"""A plain answer of ``/v1/messages`` as our reply."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode._internal.parsing import dump_arguments, get_int, get_str
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.messages import Part, ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Usage, normalize_finish_reason

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "stop"}


def parse_response(body: dict[str, Any]) -> ChatResponse:
    """A plain answer.

    Raises:
        InvalidResponseError: It is no such answer.
    """
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise InvalidResponseError("The answer holds no content.", body=body)
    thoughts = "".join(get_str(block, "thinking") for block in content)
    said = tuple(parse_content(content))
    has_calls = any(isinstance(part, ToolCallPart) for part in said)
    choice = Choice(
        (*((ReasoningPart(thoughts),) if thoughts else ()), *said),
        parse_finish_reason(body.get("stop_reason"), has_calls=has_calls),
        items=tuple(content),
        dialect="messages" if content else "",
    )
    return ChatResponse(
        choices=(choice,),
        id=get_str(body, "id"),
        model=get_str(body, "model"),
        usage=parse_usage(body.get("usage")),
        api="messages",
        raw=body,
    )


def parse_content(content: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """What the blocks say to the caller: the text, and the calls of the caller's tools."""
    text = "".join(get_str(block, "text") for block in content)
    if text:
        yield TextPart(text)
    for block in content:
        if block.get("type") == "tool_use":
            yield _parse_call(block)


def parse_finish_reason(said: Any, *, has_calls: bool) -> str:
    """Why it ended, in our words."""
    known = _FINISH.get(said, said) if isinstance(said, str) else None
    return normalize_finish_reason(known, has_calls=has_calls)


def parse_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: cached tokens stand beside the input here, and belong to it."""
    if not isinstance(usage, dict):
        return None
    cached = get_int(usage, "cache_read_input_tokens")
    beside = (cached or 0) + (get_int(usage, "cache_creation_input_tokens") or 0)
    tokens_in = (get_int(usage, "input_tokens") or 0) + beside
    tokens_out = get_int(usage, "output_tokens") or 0
    ticks = get_int(usage, "cost_in_usd_ticks")
    return Usage(tokens_in, tokens_out, tokens_in + tokens_out, cached, cost_ticks=ticks)


def _parse_call(block: Mapping[str, Any]) -> ToolCallPart:
    arguments = dump_arguments(block.get("input") or {})
    return ToolCallPart(get_str(block, "id"), get_str(block, "name"), arguments)


def is_complete(body: dict[str, Any]) -> bool:
    """Return whether the body of a response has its stop reason."""
    return bool(body.get("stop_reason"))
