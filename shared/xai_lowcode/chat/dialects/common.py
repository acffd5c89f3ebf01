"""Functions that several dialects use: parsing, unsupported parts, replay of output items."""

import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import get_int, get_nonempty_str, get_str
from xai_lowcode.errors import InvalidResponseError, StreamInterruptedError, UsageError
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    Part,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import has_content
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


def unsupported_part_error(part: Part, role: str, position: int) -> UsageError:
    """Return the error for a part that cannot be sent in a message of this role."""
    return UsageError(
        f"messages[{position}]: a {type(part).__name__} cannot be part of a {role} message.",
        field="messages",
    )


def skip_part(part: Part, position: int) -> None:
    """Skip a part of an assistant message that the API does not support, with a warning for images.

    Raises:
        UsageError: The part must not be skipped.
    """
    if isinstance(part, ServerToolPart):
        return
    if not isinstance(part, ImagePart):
        raise unsupported_part_error(part, "assistant", position)
    warnings.warn(
        f"messages[{position}]: images in assistant messages are not supported by this API; the"
        " image is not sent. Put it into a user message to send it.",
        UserWarning,
        stacklevel=2,
    )


def can_replay_items(message: Message, parsed_items: Iterable[Part]) -> bool:
    """Return whether the text and tool calls of a message still match its output items.

    Args:
        message: The message, with parts and items.
        parsed_items: Text and tool calls, parsed from its items.
    """
    try:
        parts = tuple(parsed_items)
    except InvalidResponseError:
        # Items of a stream are not parsed when they are received, so that they can be invalid.
        return False
    return _join_text(message.parts) == _join_text(parts) and _calls_match(message.parts, parts)


def _join_text(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _calls_match(parts: Iterable[Part], other_parts: Iterable[Part]) -> bool:
    calls, other_calls = (
        [part for part in group if isinstance(part, ToolCallPart)] for group in (parts, other_parts)
    )
    return len(calls) == len(other_calls) and all(map(_call_matches, calls, other_calls))


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


def numbered_messages(messages: Sequence[Message]) -> Iterator[tuple[int, Message]]:
    """Yield the messages with their positions, without what xAI would reject.

    Left out are empty system messages, which frameworks send for no prompt, and tool calls that
    were never answered, such as those of a truncated response.
    """
    results: set[str] | None = None
    last = len(messages) - 1
    for position, message in enumerate(messages):
        if message.role == "system" and not has_content(message):
            continue
        if message.role == "assistant" and position != last and _has_tool_calls(message):
            # Collected only if there are calls: most long conversations have none.
            results = _result_ids(messages) if results is None else results
            yield position, _without_unanswered_calls(message, results)
        else:
            yield position, message


def _has_tool_calls(message: Message) -> bool:
    return any(isinstance(part, ToolCallPart) for part in message.parts)


def _result_ids(messages: Sequence[Message]) -> set[str]:
    return {
        part.call_id
        for message in messages
        if message.role == "tool"
        for part in message.parts
        if isinstance(part, ToolResultPart)
    }


def _without_unanswered_calls(message: Message, results: set[str]) -> Message:
    parts = tuple(
        part for part in message.parts if not isinstance(part, ToolCallPart) or part.id in results
    )
    return message if len(parts) == len(message.parts) else replace(message, parts=parts)


def interrupted_error(
    message: str = "The stream ended before its terminal event.",
) -> StreamInterruptedError:
    """Return the error for a stream that ended early."""
    return StreamInterruptedError(message, hint="What was received is not the whole response.")
