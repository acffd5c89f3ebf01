"""Upload large documents of messages, send them by id, and delete them afterwards.

A framework's messages are converted by a function of its adapter, so that all messages share the
uploads and the cleanup.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from typing import TypeVar

from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.api import files, methods
from xai_lowcode.api.files import Upload
from xai_lowcode.errors import NotFoundError, UsageError, XAILowCodeError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.steps import Flow
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.messages import MIN_UPLOAD_SIZE, FilePart, Message, Part, ToolResultPart

M = TypeVar("M")

ReplaceFile = Callable[[FilePart], FilePart]
ReplaceFiles = Callable[[Sequence[M], ReplaceFile], list[M]]
"""Returns messages with each document with data replaced."""


def replace_files(messages: Sequence[Message], replace_file: ReplaceFile) -> list[Message]:
    """Return core messages with each document replaced."""

    def convert(part: Part) -> Part:
        if isinstance(part, FilePart):
            return replace_file(part)
        if isinstance(part, ToolResultPart):
            return replace(
                part,
                content=tuple(
                    replace_file(content) if isinstance(content, FilePart) else content
                    for content in part.content
                ),
            )
        return part

    return [
        replace(message, parts=tuple(map(convert, message.parts)))
        if any(isinstance(part, FilePart | ToolResultPart) for part in message.parts)
        else message
        for message in messages
    ]


@contextmanager
def upload_documents(
    client: SyncAPIClient,
    messages: Sequence[M],
    *,
    min_size: int = MIN_UPLOAD_SIZE,
    replace_files: ReplaceFiles[M] = replace_files,  # type: ignore[assignment]
) -> Iterator[list[M]]:
    """Upload the large documents of messages, and delete them at the end.

    Args:
        client: The client, for instance a ``Gateway``.
        messages: The messages; they are not changed.
        min_size: Bytes from which a document is uploaded. Smaller ones stay in the messages.
        replace_files: Replaces the documents of messages that are not core messages.

    Returns:
        A context manager that returns the messages with the ids of the uploaded documents.

    Raises:
        UsageError: The data of a document is not base64.
        XAILowCodeError: An upload failed. What had been uploaded was deleted.

    Example:
        >>> with upload_documents(gateway, messages) as uploaded:  # doctest: +SKIP
        ...     model.generate(ChatRequest(model="grok-4.7", messages=uploaded)).text
    """
    uploads = _find_uploads(messages, min_size, replace_files)
    try:
        for upload in uploads.values():
            with closing(files.upload(client.context, upload)) as flow:
                client.execute(flow)
        yield _replace_uploaded(messages, uploads, replace_files)
    finally:
        for upload in uploads.values():
            client.execute(_delete(client.context, upload))


@asynccontextmanager
async def aupload_documents(
    client: AsyncAPIClient,
    messages: Sequence[M],
    *,
    min_size: int = MIN_UPLOAD_SIZE,
    replace_files: ReplaceFiles[M] = replace_files,  # type: ignore[assignment]
) -> AsyncIterator[list[M]]:
    """Upload the large documents of messages; see ``upload_documents``."""
    uploads = await asyncio.to_thread(_find_uploads, messages, min_size, replace_files)
    try:
        for upload in uploads.values():
            with closing(files.upload(client.context, upload)) as flow:
                await client.execute(flow)
        yield await asyncio.to_thread(_replace_uploaded, messages, uploads, replace_files)
    finally:
        for upload in uploads.values():
            await client.execute(_delete(client.context, upload))


def _find_uploads(
    messages: Sequence[M], min_size: int, replace_files: ReplaceFiles[M]
) -> dict[FilePart, Upload]:
    """Return what to upload: each large document once."""
    uploads: dict[FilePart, Upload] = {}

    def collect(part: FilePart) -> FilePart:
        if part.data and not (part.url or part.file_id) and len(part.data) * 3 // 4 >= min_size:
            uploads[part] = _to_upload(part)
        return part

    replace_files(messages, collect)
    return uploads


def _replace_uploaded(
    messages: Sequence[M], uploads: Mapping[FilePart, Upload], replace_files: ReplaceFiles[M]
) -> list[M]:
    def get_uploaded(part: FilePart) -> FilePart:
        upload = uploads.get(part)
        return part if upload is None else FilePart(file_id=upload.file_id, filename=upload.name)

    return replace_files(messages, get_uploaded)


def _to_upload(part: FilePart) -> Upload:
    try:
        content = base64.b64decode(part.data or "", validate=True)
    except ValueError as error:
        name = part.filename or part.mime_type or ""
        raise UsageError(
            f"messages: the data of the document {name!r} is not base64 ({error}).",
            field="messages",
        ) from None
    return Upload(content, part.sent_name, part.mime_type or "")


def _delete(context: CallContext, upload: Upload) -> Flow[None]:
    """Delete an uploaded file. A failure is a warning, since the work with it has succeeded."""
    if not upload.file_id:
        return
    try:
        yield from methods.delete_file(context, upload.file_id)
    except NotFoundError:
        pass
    except XAILowCodeError as error:
        warn_user(f"The uploaded document {upload.file_id} could not be deleted: {error}")
