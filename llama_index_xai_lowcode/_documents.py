"""Read the images and documents of blocks and encode them as xAI accepts them."""

import base64
import mimetypes
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)

from xai_lowcode._internal.data_urls import base64_bytes
from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.types.messages import FilePart, ImagePart, TextPart

_Block = TypeVar("_Block", bound=ImageBlock)

_DEFAULT_TITLE = "input_document"  # LlamaIndex sets it if a document has no title.
_DOCUMENT, _IMAGE = "a DocumentBlock", "an ImageBlock"
_TEXT_TYPES = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/toml"}
)


class UploadedDocumentBlock(DocumentBlock):
    """A document that was uploaded to xAI, and is sent by its id.

    Attributes:
        file_id: Its id.
    """

    file_id: str


def replace_files(
    messages: Sequence[ChatMessage], replace_file: Callable[[FilePart], FilePart]
) -> list[ChatMessage]:
    """Return messages with documents replaced by uploaded ones; the originals are not changed.

    Args:
        messages: The messages.
        replace_file: Returns the document to send, or the same one.

    Raises:
        UsageError: A document cannot be read.
    """

    def convert(block: Any, path: str) -> Any:
        match block:
            case UploadedDocumentBlock():
                return block
            case CitableBlock():
                content = [convert(nested, path) for nested in block.content]
                return block.model_copy(update={"content": content})
            case DocumentBlock():
                part = to_document(block, path)
                replaced = replace_file(part) if isinstance(part, FilePart) else part
                if isinstance(replaced, FilePart) and replaced is not part:
                    return UploadedDocumentBlock(
                        file_id=replaced.file_id or "", title=replaced.filename
                    )
        return block

    return [
        message.model_copy(
            update={"blocks": [convert(block, f"messages[{i}]") for block in message.blocks]}
        )
        for i, message in enumerate(messages)
    ]


def reads_files(messages: Iterable[ChatMessage]) -> bool:
    """Return whether converting the messages reads files, which would block an event loop."""
    return any(
        _reads_file(block)
        for message in messages
        for block in message.blocks
        # Most blocks are text: skip them first.
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


def to_image(block: ImageBlock, path: str) -> ImagePart:
    """Convert an image: to its URL if it has one, else to a data URL.

    Args:
        block: The block.
        path: Where it is, for errors: ``"messages[0]"``.

    Raises:
        UsageError: There is no image, or its media type is unknown.
    """
    if block.url is not None:
        return ImagePart(str(block.url), detail=block.detail, origin=_IMAGE)
    data, mime_type = block.image, block.image_mimetype
    if not isinstance(data, bytes) or not mime_type:
        # LlamaIndex detects the media type of bytes only, not of files and file objects.
        loaded = ImageBlock(image=_read(block, block.resolve_image, path))
        data, mime_type = loaded.image, loaded.image_mimetype or mime_type
    if not isinstance(data, bytes) or not mime_type:
        raise UsageError(
            f"{path}: the media type of the ImageBlock is unknown.",
            field=path.partition("[")[0],
            hint="Set image_mimetype='image/png' or 'image/jpeg'.",
        )
    url = f"data:{mime_type};base64,{data.decode()}"
    return ImagePart(url, detail=block.detail, origin=_IMAGE)


def with_image(block: _Block, data: str) -> _Block:
    """Set the image of a new block to base64 from a response, and return the block.

    The constructor of ``ImageBlock`` would decode the data and encode it again.

    Raises:
        InvalidResponseError: The data is not base64.
    """
    try:
        block.image = base64_bytes(data)
    except ValueError as error:
        raise InvalidResponseError(f"The image data is not valid base64 ({error}).") from None
    return block


def to_document(block: DocumentBlock, path: str) -> TextPart | FilePart:
    """Convert a document: to its id or URL if it has one, to text if it is text, else to data.

    Args:
        block: The block.
        path: Where it is, for errors: ``"messages[0]"``.

    Raises:
        UsageError: There is no document, or it cannot be read.
    """
    title = None if block.title == _DEFAULT_TITLE else block.title
    if isinstance(block, UploadedDocumentBlock):
        return FilePart(file_id=block.file_id, filename=title)
    if block.url:
        return FilePart(url=str(block.url), filename=title, origin=_DOCUMENT)
    content = _read(block, block.resolve_document, path)
    mime_type = _get_mime_type(block, content)
    text = _decode_text(content, mime_type)
    if text is None:
        data = base64.b64encode(content).decode()
        name = title or (Path(block.path).name if block.path else None)
        return FilePart(data=data, mime_type=mime_type, filename=name, origin=_DOCUMENT)
    return TextPart(f"{title}\n\n{text}" if title else text)


def _read(block: Any, resolve: Callable[[], Any], path: str) -> bytes:
    try:
        content: bytes = resolve().read()
    except (ValueError, OSError) as error:
        message = f"{path}: the {type(block).__name__} cannot be read: {error}."
        raise UsageError(message, field=path.partition("[")[0]) from None
    return content


def _get_mime_type(block: DocumentBlock, content: bytes) -> str | None:
    return (
        block.document_mimetype
        or DocumentBlock(data=content).document_mimetype
        or mimetypes.guess_type(str(block.path or ""))[0]
    )


def _decode_text(content: bytes, mime_type: str | None) -> str | None:
    """Return the text of a document, or None if it is not text."""
    if mime_type and not mime_type.startswith("text/") and mime_type not in _TEXT_TYPES:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1") if mime_type else None
