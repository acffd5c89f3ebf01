"""Pictures and documents, read where a block keeps them, in the form in which xAI takes them.

Apart from ``_messages`` since only this reads files.
"""

import base64
import mimetypes
from collections.abc import Callable, Iterable
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)

from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import FilePart, TextPart

_UNNAMED = "input_document"  # LlamaIndex's own name for a document that has none
_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/toml"})


def reads_files(messages: Iterable[ChatMessage]) -> bool:
    """Whether sending messages means reading files, which an event loop must not wait for."""
    return any(
        _reads_file(block)
        for message in messages
        for block in message.blocks
        # Long conversations are of text: it is passed over first.
        if type(block) is not TextBlock
    )


def _reads_file(block: Any) -> bool:
    match block:
        case ImageBlock(path=path, image=data) | DocumentBlock(path=path, data=data):
            return path is not None or hasattr(data, "read")
        case CitableBlock():
            return any(map(_reads_file, block.content))
        case _:
            return False


def to_data_url(block: ImageBlock, place: int) -> str:
    """The picture of a block as a data URL with its real type.

    Raises:
        UsageError: There is no picture, or nobody says of what type it is.
    """
    data, mime_type = block.image, block.image_mimetype
    if not isinstance(data, bytes) or not mime_type:
        # LlamaIndex finds the type of bytes, yet not of files and file objects.
        found = ImageBlock(image=_read(block.resolve_image, place))
        data, mime_type = found.image, found.image_mimetype or mime_type
    if not isinstance(data, bytes) or not mime_type:
        raise UsageError(
            f"messages[{place}]: the type of the picture cannot be told from its data.",
            field="messages",
            hint="Give image_mimetype='image/png' or 'image/jpeg' with it.",
        )
    return f"data:{mime_type};base64,{data.decode()}"


def to_document(block: DocumentBlock, place: int) -> TextPart | FilePart:
    """A document: by its address where it has one, as text where it is text, else as data.

    Raises:
        UsageError: There is no document.
    """
    title = None if block.title == _UNNAMED else block.title
    if block.url:
        return FilePart(url=str(block.url), filename=title)
    content = _read(block.resolve_document, place)
    mime_type = _mime_type(block, content)
    text = _text(content, mime_type)
    if text is None:
        data = base64.b64encode(content).decode()
        return FilePart(data=data, mime_type=mime_type, filename=title)
    return TextPart(f"{title}\n\n{text}" if title else text)


def _read(source: Callable[[], Any], place: int) -> bytes:
    try:
        content: bytes = source().read()
    except (ValueError, OSError) as problem:
        raise UsageError(f"messages[{place}]: {problem}.", field="messages") from None
    return content


def _mime_type(block: DocumentBlock, content: bytes) -> str | None:
    return (
        block.document_mimetype
        or DocumentBlock(data=content).document_mimetype
        or mimetypes.guess_type(str(block.path or ""))[0]
    )


def _text(content: bytes, mime_type: str | None) -> str | None:
    """The text of a document; None if it is none."""
    if mime_type and not mime_type.startswith("text/") and mime_type not in _TEXTS:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1") if mime_type else None
