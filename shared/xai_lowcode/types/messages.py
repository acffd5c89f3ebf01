"""Messages of a conversation and their parts.

Plain values, independent of any API and framework. Dialects render them, adapters create them.
Nothing modifies them; they are not frozen, since a call creates one for each message of a
conversation, and a frozen one takes four times as long to create.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from xai_lowcode._internal.short_repr import ShortReprMixin
from xai_lowcode._internal.values import Value

Role = Literal["system", "user", "assistant", "tool"]

ROLES: frozenset[str] = frozenset(get_args(Role))

MODEL_PROVIDER = "xai-lowcode"
"""Marks the messages of responses; frameworks keep it as the provider of a message."""


@dataclass(slots=True, eq=False, repr=False)
class TextPart(Value):
    """Text content."""

    text: str


@dataclass(slots=True, eq=False, repr=False)
class ImagePart(ShortReprMixin):
    """An image: a URL (http, https or data), or the id of an uploaded file.

    Attributes:
        origin: What the caller passed, for errors; for instance ``"an ImageBlock"``.
    """

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    origin: str = field(default="an image", compare=False)


@dataclass(slots=True, eq=False, repr=False)
class FilePart(ShortReprMixin):
    """A document: a URL, the id of an uploaded file, or base64 data with its type and name.

    Attributes:
        origin: What the caller passed, for errors; for instance ``"a DocumentBlock"``.
    """

    url: str | None = None
    file_id: str | None = None
    data: str | None = None
    mime_type: str | None = None
    filename: str | None = None
    origin: str = field(default="a file", compare=False)

    @property
    def sent_name(self) -> str:
        """The name that is sent with the data; if there is none, ``document`` and an extension.

        Example:
            >>> FilePart(data="JVBE", mime_type="application/pdf").sent_name
            'document.pdf'
        """
        if self.filename:
            return self.filename
        from mimetypes import guess_extension  # noqa: PLC0415 - most messages have no documents

        return f"document{guess_extension(self.mime_type or '') or ''}"


MIN_UPLOAD_SIZE = 1_000_000
"""Bytes from which ``upload_documents`` uploads a document, unless its caller sets others."""


@dataclass(slots=True, eq=False, repr=False)
class ReasoningPart(Value):
    """Reasoning content, as far as the model returns it; see ``own_reasoning``."""

    text: str


@dataclass(slots=True, eq=False, repr=False)
class ToolCallPart(Value):
    """A tool call by the model; ``arguments`` is the JSON string that the model generated."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True, eq=False, repr=False)
class ToolResultPart(Value):
    """The result of a tool call.

    Attributes:
        call_id: The id of the call.
        content: What the tool returned.
        is_error: Whether the tool failed, for APIs that have a field for it.
    """

    call_id: str
    content: tuple[TextPart | ImagePart | FilePart, ...]
    is_error: bool = False


@dataclass(slots=True, eq=False, repr=False)
class ServerToolPart(Value):
    """A call of a server-side tool, which xAI has executed.

    Attributes:
        kind: Type of the output item, for instance ``"web_search_call"``.
        id: Its id; not unique.
        name: Name of the tool, if it does not follow from the kind.
        arguments: Its input, as a JSON string or plain string.
        result: Its output as JSON, as far as xAI returns it; None if it does not.
        failed: Whether xAI reports a failure.
        status: Status of the item, if it is not ``"completed"``.
    """

    kind: str
    id: str = ""
    name: str = ""
    arguments: str = ""
    result: Any = field(default=None, hash=False)
    failed: bool = False
    status: str = ""


Part = (
    TextPart | ImagePart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart | ServerToolPart
)


def own_reasoning(text: Any, provider: Any) -> tuple[ReasoningPart, ...]:
    """Return the reasoning of a message in a history as parts; none if it must not be sent to xAI.

    Only reasoning of this package's responses is sent. The reasoning of another provider's model
    would be taken for Grok's own, and each turn would pay for it. A message that does not name its
    provider counts as another provider's.

    Args:
        text: The reasoning.
        provider: The provider that the message names.

    Example:
        >>> own_reasoning("hm", MODEL_PROVIDER), own_reasoning("hm", "anthropic")
        ((ReasoningPart(text='hm'),), ())
    """
    if provider != MODEL_PROVIDER or not isinstance(text, str) or not text:
        return ()
    return (ReasoningPart(text),)


def join_texts(parts: Iterable[Part]) -> str:
    """Join the text of input that an API takes as one string; empty parts are omitted.

    Example:
        >>> print(join_texts([TextPart("a"), TextPart(""), TextPart("b")]))
        a
        b
    """
    return "\n".join(part.text for part in parts if isinstance(part, TextPart) and part.text)


@dataclass(slots=True, eq=False, repr=False)
class StoredResponse(Value):
    """A response that xAI stored.

    Attributes:
        id: Its id.
        conversation: Digest of the conversation that it ends; see ``chat.stored_responses``. Empty
            if the response cannot be continued.
    """

    id: str
    conversation: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Message(Value):
    """One message of a conversation.

    Attributes:
        role: Role of the author.
        parts: The content, in order.
        name: Name of the author; used for the role ``user`` only.
        items: Output items of the service, unchanged and in order (ids repeat). The dialect that
            produced them sends them back instead of the parts, encrypted reasoning included.
        dialect: The dialect of the items; other dialects render the parts.
        stored: The response that xAI stored for this message; None if there is none.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    dialect: str = ""
    stored: StoredResponse | None = field(default=None, compare=False)

    @classmethod
    def from_text(cls, role: Role, text: str) -> "Message":
        """Return a message with a text.

        Example:
            >>> Message.from_text("user", "Hello") == Message("user", (TextPart("Hello"),))
            True
        """
        return cls(role, (TextPart(text),))


def is_bare_reasoning(item: Mapping[str, Any]) -> bool:
    """Return whether an item refers to reasoning that only a stored response contains."""
    return item.get("type") == "reasoning" and not item.get("encrypted_content")
