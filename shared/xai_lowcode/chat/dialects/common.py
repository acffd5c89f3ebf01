"""Functions that several dialects use: parsing, unsupported parts, replay of output items."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import get_int, get_nonempty_str, get_str
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.errors import InvalidResponseError, StreamInterruptedError, UsageError
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.responses import Usage


def parse_metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the metadata of a Chat Completions response, or of a chunk."""
    return {
        "id": get_str(body, "id"),
        "model": get_str(body, "model"),
        "created": get_int(body, "created"),
        "system_fingerprint": get_nonempty_str(body, "system_fingerprint"),
        "service_tier": get_nonempty_str(body, "service_tier"),
    }


def parse_extra(body: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """Return the members of a response without a field of their own, if they have a value.

    Example:
        >>> parse_extra({"id": "r1", "user": None, "status": "completed"}, {"id"})
        {'status': 'completed'}
    """
    return {
        name: value
        for name, value in body.items()
        if name not in known and value is not None and value not in ("", [], {})
    }


def get_index(document: Mapping[str, Any], key: str = "index") -> int:
    """Return the index of a choice or an item; 0 if it has none."""
    return get_int(document, key) or 0


def parse_usage(usage: Any) -> Usage | None:
    """Parse the usage of Chat Completions; reasoning tokens are added to the output tokens."""
    if not isinstance(usage, dict):
        return None
    prompt = get_int(usage, "prompt_tokens") or 0
    completion = get_int(usage, "completion_tokens") or 0
    reasoning = get_int(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = get_int(usage, "total_tokens") or prompt + completion + (reasoning or 0)
    # total = prompt + completion + reasoning in every recorded response. total - prompt is also
    # correct if completion includes reasoning, as in OpenAI's API.
    output = total - prompt if total >= prompt + completion else completion + (reasoning or 0)
    return Usage(
        prompt,
        output,
        total,
        get_int(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning,
        get_int(usage, "cost_in_usd_ticks"),
        usage,
    )


class UnsupportedPartError(UsageError):
    """A part of a message cannot be sent to this API; see ``chat.unsupported_parts``.

    Attributes:
        part: The part.
        position: Position of its message.
    """

    part: Part
    position: int


def part_error(part: Part, position: int, reason: str, hint: str | None = None) -> UsageError:
    """Return the error for a part of a message, which is named as the caller wrote it.

    Args:
        part: The part.
        position: Position of its message.
        reason: Why it cannot be sent; it follows the name.
        hint: What to do instead.
    """
    message = f"messages[{position}]: {_name_part(part)} {reason}"
    error = UnsupportedPartError(message, field="messages", hint=hint)
    error.part, error.position = part, position
    return error


# Parts that are no images or files; their classes are not what the caller wrote.
_NAMES = {
    TextPart: "a text",
    ReasoningPart: "reasoning",
    ToolCallPart: "a tool call",
    ToolResultPart: "a tool result",
    ServerToolPart: "a server-side tool call",
}


def _name_part(part: Part) -> str:
    """Return what the caller calls a part, for errors."""
    if isinstance(part, ImagePart | FilePart):
        return part.origin
    return _NAMES.get(type(part), type(part).__name__)


def unsupported_part_error(part: Part, role: str, position: int) -> UsageError:
    """Return the error for a part that cannot be sent in a message of this role."""
    hint = "Use api='responses' to send it." if isinstance(part, FilePart) else None
    return part_error(part, position, f"cannot be part of a {role} message.", hint)


def skip_part(part: Part, position: int) -> None:
    """Skip a part of an assistant message; with a warning if it is an image or a document.

    Raises:
        UsageError: The part must not be skipped.
    """
    if isinstance(part, ServerToolPart):
        return
    if not isinstance(part, ImagePart | FilePart):
        raise unsupported_part_error(part, "assistant", position)
    warn_user(
        f"messages[{position}]: {_name_part(part)} is not sent: this API supports no images and"
        " documents in assistant messages. Put it into a user message to send it."
    )


def can_replay_items(
    message: Message, parse: Callable[[Sequence[Mapping[str, Any]]], Iterable[Part]]
) -> bool:
    """Return whether the text and tool calls of a message still match its output items.

    Args:
        message: The message, with parts and items.
        parse: Parses the text and tool calls of its items.
    """
    try:
        other_text, other_calls = _split(parse(message.items))
    except InvalidResponseError:
        # Items of a stream are not parsed when they are received, so that they can be invalid.
        return False
    text, calls = _split(message.parts)
    return (
        text == other_text
        and len(calls) == len(other_calls)
        and all(map(_call_matches, calls, other_calls))
    )


def _split(parts: Iterable[Part]) -> tuple[str, list[ToolCallPart]]:
    """Return the joined text and the tool calls."""
    text, calls = "", []
    for part in parts:
        if isinstance(part, TextPart):
            text += part.text
        elif isinstance(part, ToolCallPart):
            calls.append(part)
    return text, calls


def _call_matches(call: ToolCallPart, other: ToolCallPart) -> bool:
    if (call.id, call.name) != (other.id, other.name):
        return False
    # Frameworks parse arguments and serialize them again, which changes white space.
    return call.arguments == other.arguments or _load_arguments(call) == _load_arguments(other)


def _load_arguments(call: ToolCallPart) -> Any:
    try:
        return json.parse_arguments(call.arguments)
    except json.JSONDecodeError:
        return call.arguments


def interrupted_error(
    message: str = "The stream ended before its terminal event.",
) -> StreamInterruptedError:
    """Return the error for a stream that ended early."""
    return StreamInterruptedError(message, hint="What was received is not the whole response.")
