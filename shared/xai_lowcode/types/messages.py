"""Messages of a conversation and their parts.

Plain values without any wire format or framework. Dialects render them, adapters create them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from xai_lowcode._internal.short_repr import ShortReprMixin

Role = Literal["system", "user", "assistant", "tool"]


ROLES: frozenset[str] = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class ImagePart(ShortReprMixin):
    """A picture: an address (http, https or a data URL), or the id of an uploaded file."""

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class FilePart(ShortReprMixin):
    """A document: an address, the id of an uploaded file, or base64 data with its type and name."""

    url: str | None = None
    file_id: str | None = None
    data: str | None = None
    mime_type: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What the model thought, as far as it shows."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A call of a tool by the model; ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What a tool gave back."""

    call_id: str
    content: tuple[TextPart | ImagePart | FilePart, ...]


@dataclass(frozen=True, slots=True)
class ServerToolPart:
    """A tool of xAI's own that the model used: it was run there, and is not for the caller to run.

    Attributes:
        kind: The item's type on the wire, for instance ``"web_search_call"``.
        id: Its id; not unique.
        name: Name of the tool, where the kind does not say it.
        arguments: What it was asked, as JSON text or plain text.
        result: What it gave back, as far as xAI shows it: plain JSON; None where it shows nothing.
        failed: Whether xAI says that it did not work.
    """

    kind: str
    id: str = ""
    name: str = ""
    arguments: str = ""
    result: Any = field(default=None, hash=False)
    failed: bool = False


Part = (
    TextPart | ImagePart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart | ServerToolPart
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        parts: What is said, in order.
        name: Name of the speaker; of use for users only.
        items: What the service answered, verbatim and in order (ids repeat). The dialect that gave
            them sends them back instead of the parts, encrypted reasoning included.
        dialect: The dialect of the items; other dialects render the parts.
        stored_id: Id of the response that xAI stored for this message; empty for none.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    dialect: str = ""
    stored_id: str = field(default="", compare=False)
