"""Whether an earlier answer may go back as the items it came in.

Frameworks let people change answers: an agent's call is corrected before it is approved, a text is
shortened. Items that say something else than the parts do would undo that in silence.
"""

from collections.abc import Iterable
from typing import Any

from xai_lowcode import codec
from xai_lowcode.conversation import Message, Part, TextPart, ToolCallPart
from xai_lowcode.errors import UnreadableAnswerError


def may_replay(message: Message, said: Iterable[Part]) -> bool:
    """Whether a message still has the text and the calls that its items say.

    Args:
        message: The turn, with parts and items.
        said: Text and calls as its items have them.
    """
    try:
        told = tuple(said)
    except UnreadableAnswerError:
        # A stream passes items on unread; what nobody can read is not what the parts say.
        return False
    return _text(message.parts) == _text(told) and _same_calls(message.parts, told)


def _text(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _same_calls(parts: Iterable[Part], told: Iterable[Part]) -> bool:
    ours, theirs = (
        [part for part in some if isinstance(part, ToolCallPart)] for some in (parts, told)
    )
    return len(ours) == len(theirs) and all(map(_same_call, ours, theirs))


def _same_call(one: ToolCallPart, other: ToolCallPart) -> bool:
    if (one.id, one.name) != (other.id, other.name):
        return False
    # Frameworks keep arguments as objects, so only their spacing may differ.
    return one.arguments == other.arguments or _value(one) == _value(other)


def _value(call: ToolCallPart) -> Any:
    try:
        return codec.load(call.arguments or "{}")
    except codec.JSONDecodeError:
        return call.arguments
