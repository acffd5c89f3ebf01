"""What the bodies of OpenAI's family have in common: a reply's own facts, numbers, usage.

Chat completions and legacy completions are read with it.
"""

import warnings
from collections.abc import Iterable, Mapping
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
)
from xai_lowcode.types.responses import Usage


def parse_metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply says of itself, in a plain answer and in every chunk alike."""
    return {
        "id": get_str(body, "id"),
        "model": get_str(body, "model"),
        "created": get_int(body, "created"),
        "system_fingerprint": get_nonempty_str(body, "system_fingerprint"),
        "service_tier": get_nonempty_str(body, "service_tier"),
    }


def get_index(holder: Mapping[str, Any], name: str = "index") -> int:
    """Which of several a choice or an item is; the first where it does not say."""
    return get_int(holder, name) or 0


def parse_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: reasoning counts as output, the total stays the service's."""
    if not isinstance(usage, dict):
        return None
    prompt = get_int(usage, "prompt_tokens") or 0
    visible = get_int(usage, "completion_tokens") or 0
    reasoning = get_int(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = get_int(usage, "total_tokens") or prompt + visible + (reasoning or 0)
    # total = prompt + completion + reasoning in every recorded body; should a body count reasoning
    # inside completion after all, total - prompt is right as well.
    output = total - prompt if total >= prompt + visible else visible + (reasoning or 0)
    return Usage(
        prompt,
        output,
        total,
        get_int(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning,
        get_int(usage, "cost_in_usd_ticks"),
    )


def unsupported_part_error(part: Part, role: str, position: int) -> UsageError:
    """The error for a part that cannot be sent; the caller raises it."""
    return UsageError(
        f"messages[{position}]: a {type(part).__name__} cannot be part of a {role} message.",
        field="messages",
    )


def skip_part(part: Part, position: int) -> None:
    """Leaves out a part of an answer of the model's: silently what it searched, not a picture.

    Raises:
        UsageError: It is no part that may be left out.
    """
    if isinstance(part, ServerToolPart):
        return
    if not isinstance(part, ImagePart):
        raise unsupported_part_error(part, "assistant", position)
    warnings.warn(
        f"messages[{position}]: a picture of the model's own cannot go back in this form and is"
        " left out; give it in a message of the user's to have it seen.",
        UserWarning,
        stacklevel=2,
    )


def can_replay_items(message: Message, said: Iterable[Part]) -> bool:
    """Whether a message still has the text and the calls that its items say.

    Args:
        message: The turn, with parts and items.
        said: Text and calls as its items have them.
    """
    try:
        told = tuple(said)
    except InvalidResponseError:
        # A stream passes items on unread; what nobody can read is not what the parts say.
        return False
    return _joined_text(message.parts) == _joined_text(told) and _calls_match(message.parts, told)


def _joined_text(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _calls_match(parts: Iterable[Part], told: Iterable[Part]) -> bool:
    ours, theirs = (
        [part for part in some if isinstance(part, ToolCallPart)] for some in (parts, told)
    )
    return len(ours) == len(theirs) and all(map(_call_matches, ours, theirs))


def _call_matches(one: ToolCallPart, other: ToolCallPart) -> bool:
    if (one.id, one.name) != (other.id, other.name):
        return False
    # Frameworks keep arguments as objects, so only their spacing may differ.
    return one.arguments == other.arguments or _arguments_value(one) == _arguments_value(other)


def _arguments_value(call: ToolCallPart) -> Any:
    try:
        return json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        return call.arguments


def interrupted_error(
    message: str = "The stream ended before its terminal event.",
) -> StreamInterruptedError:
    """Make the error for a stream that ended early; the caller raises it."""
    return StreamInterruptedError(message, hint="What was received is not the whole response.")
