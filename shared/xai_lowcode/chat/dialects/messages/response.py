"""Parse responses of Messages (``/v1/messages``)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode._internal.parsing import dump_arguments, get_int, get_str
from xai_lowcode.chat.dialects.common import parse_extra
from xai_lowcode.chat.tool_calls import with_unique_ids
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.messages import Part, ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Usage, normalize_finish_reason

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "stop",
}


KNOWN_FIELDS = frozenset({"id", "type", "role", "model", "content", "stop_reason", "usage"})
"""Members of a response that are parsed, and constants."""


def parse_response(body: dict[str, Any]) -> ChatResponse:
    """Parse a response body.

    Raises:
        InvalidResponseError: It has no content, or a field of another type.
    """
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise InvalidResponseError("The response has no content.", body=body)
    reasoning = "".join(get_str(block, "thinking") for block in content)
    parts = with_unique_ids(parse_content(content), get_str(body, "id"))
    has_calls = any(isinstance(part, ToolCallPart) for part in parts)
    choice = Choice(
        (*((ReasoningPart(reasoning),) if reasoning else ()), *parts),
        parse_finish_reason(body.get("stop_reason"), has_calls=has_calls),
        items=tuple(content),
        dialect="messages" if content else "",
    )
    return ChatResponse(
        choices=(choice,),
        id=get_str(body, "id"),
        model=get_str(body, "model"),
        usage=parse_usage(body.get("usage")),
        extra=parse_extra(body, KNOWN_FIELDS),
        api="messages",
        raw=body,
    )


def parse_content(content: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """Yield the text and the tool calls of content blocks."""
    text = "".join(get_str(block, "text") for block in content)
    if text:
        yield TextPart(text)
    for block in content:
        if block.get("type") == "tool_use":
            yield _parse_tool_call(block)


def parse_finish_reason(stop_reason: Any, *, has_calls: bool) -> str:
    """Convert a stop reason to a finish reason."""
    if not isinstance(stop_reason, str):
        return normalize_finish_reason(None, has_calls=has_calls)
    reason = _FINISH_REASONS.get(stop_reason, stop_reason)
    return normalize_finish_reason(reason, has_calls=has_calls)


def parse_usage(usage: Any) -> Usage | None:
    """Parse the usage; cached tokens are added to the input tokens, which do not include them."""
    if not isinstance(usage, dict):
        return None
    cached = get_int(usage, "cache_read_input_tokens")
    cache_creation = get_int(usage, "cache_creation_input_tokens") or 0
    input_tokens = (get_int(usage, "input_tokens") or 0) + (cached or 0) + cache_creation
    output_tokens = get_int(usage, "output_tokens") or 0
    return Usage(
        input_tokens,
        output_tokens,
        input_tokens + output_tokens,
        cached,
        cost_ticks=get_int(usage, "cost_in_usd_ticks"),
        details=usage,
    )


def _parse_tool_call(block: Mapping[str, Any]) -> ToolCallPart:
    arguments = dump_arguments(block.get("input") or {})
    return ToolCallPart(get_str(block, "id"), get_str(block, "name"), arguments)


def is_complete(body: dict[str, Any]) -> bool:
    """Return whether a response has a stop reason."""
    return bool(body.get("stop_reason"))
