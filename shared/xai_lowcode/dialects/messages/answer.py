"""A plain answer of ``/v1/messages`` as our reply."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode.conversation import Part, ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.members import count_of, text_of, written
from xai_lowcode.reply import Choice, Reply, Usage, finish_reason

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "stop"}


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer.

    Raises:
        UnreadableAnswerError: It is no such answer.
    """
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise UnreadableAnswerError("The answer holds no content.", body=body)
    thoughts = "".join(text_of(block, "thinking") for block in content)
    said = tuple(read_said(content))
    has_calls = any(isinstance(part, ToolCallPart) for part in said)
    choice = Choice(
        (*((ReasoningPart(thoughts),) if thoughts else ()), *said),
        read_finish(body.get("stop_reason"), has_calls=has_calls),
        items=tuple(content),
        form="messages" if content else "",
    )
    return Reply(
        choices=(choice,),
        id=text_of(body, "id"),
        model=text_of(body, "model"),
        usage=read_usage(body.get("usage")),
        api="messages",
        raw=body,
    )


def read_said(content: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """What the blocks say to the caller: the text, and the calls of the caller's tools."""
    text = "".join(text_of(block, "text") for block in content)
    if text:
        yield TextPart(text)
    for block in content:
        if block.get("type") == "tool_use":
            yield _read_call(block)


def read_finish(said: Any, *, has_calls: bool) -> str:
    """Why it ended, in our words."""
    known = _FINISH.get(said, said) if isinstance(said, str) else None
    return finish_reason(known, has_calls=has_calls)


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: cached tokens stand beside the input here, and belong to it."""
    if not isinstance(usage, dict):
        return None
    cached = count_of(usage, "cache_read_input_tokens")
    beside = (cached or 0) + (count_of(usage, "cache_creation_input_tokens") or 0)
    tokens_in = (count_of(usage, "input_tokens") or 0) + beside
    tokens_out = count_of(usage, "output_tokens") or 0
    ticks = count_of(usage, "cost_in_usd_ticks")
    return Usage(tokens_in, tokens_out, tokens_in + tokens_out, cached, cost_ticks=ticks)


def _read_call(block: Mapping[str, Any]) -> ToolCallPart:
    arguments = written(block.get("input") or {})
    return ToolCallPart(text_of(block, "id"), text_of(block, "name"), arguments)
