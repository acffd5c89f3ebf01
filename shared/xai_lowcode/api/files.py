"""Files at xAI: resumable uploads in chunks, and downloads that are verified.

The gateway decodes responses as text, which corrupts binary downloads. A corrupted download raises
an error and is never returned as valid.
"""

import base64
import mimetypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.progress import Progress, check_progress, open_progress
from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.api.endpoints import DOWNLOAD_FILE, GET_FILE, INITIALIZE_UPLOAD, UPLOAD_CHUNK
from xai_lowcode.errors import (
    BadRequestError,
    CorruptedDownloadError,
    UsageError,
    XAILowCodeError,
    describe_value,
)
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse, call_flow
from xai_lowcode.protocol.envelope import unwrap
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Call, Flow, RunBlocking
from xai_lowcode.types.resources import FileRecord

CHUNK_SIZE = 3_000_000
"""Bytes per chunk, before base64 adds a third; a gateway accepts bodies of up to 100 MB."""

_REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}".encode()
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/x-ndjson")
_NEW_UPLOAD = "Upload it again, as a new file."


@dataclass
class Upload:
    """The state of an upload; pass it to ``upload_file`` again to resume a failed upload.

    Attributes:
        source: A path, or the content as bytes.
        name: Name at xAI; default: that of the path.
        content_type: MIME type; default: guessed from the name.
        file_id: Id of the file, once the upload has started.
        sent: Number of bytes that have been accepted.
        size: Number of bytes of the file.
    """

    source: str | Path | bytes = field(repr=False)
    name: str = ""
    content_type: str = ""
    file_id: str = ""
    sent: int = 0
    size: int = 0
    _fingerprint: tuple[int, int] | None = field(default=None, repr=False)

    def open(self) -> None:
        """Check that the source can be read and has not changed since the last call.

        Raises:
            UsageError: An attribute has a wrong type, or the file does not exist, is empty, has no
                name, or has changed.
        """
        self._check_types()
        if isinstance(self.source, bytes):
            size, fingerprint = len(self.source), None
        else:
            size, fingerprint = _stat(Path(self.source))
            self.name = self.name or Path(self.source).name
        if not self.name:
            raise UsageError("name: required for bytes, for instance 'notes.txt'.", field="name")
        if not size:
            raise UsageError(f"source: {self.name} is empty.", field="source")
        if self.size and (size, fingerprint) != (self.size, self._fingerprint):
            raise UsageError(
                f"source: {self.name} changed during the upload.", field="source", hint=_NEW_UPLOAD
            )
        self.size, self._fingerprint = size, fingerprint
        self.content_type = self.content_type or _guess_content_type(self.name)

    def _check_types(self) -> None:
        if not isinstance(self.source, str | os.PathLike | bytes):
            raise UsageError(
                f"source: must be a path, bytes or an Upload, not a {type(self.source).__name__}.",
                field="source",
                hint="Of an open file, pass the path, or what its read method returns.",
            )
        for field_name in ("name", "content_type"):
            value = getattr(self, field_name)
            if value is not None and not isinstance(value, str):
                raise UsageError(
                    f"{field_name}: must be a string, not {describe_value(value)}.",
                    field=field_name,
                )

    def read(self, length: int) -> bytes:
        """Return the next bytes to send."""
        self.open()
        # Python reserves memory for the whole length.
        length = min(length, self.size - self.sent)
        if isinstance(self.source, bytes):
            return self.source[self.sent : self.sent + length]
        with _convert_os_errors(Path(self.source)), Path(self.source).open("rb") as file:
            file.seek(self.sent)
            return file.read(length)


@dataclass(frozen=True, slots=True)
class FileContent:
    """A downloaded file, verified as far as possible.

    Attributes:
        content: The bytes of the file.
        record: The metadata of the file.
    """

    content: bytes = field(repr=False)
    record: FileRecord

    def save(self, path: str | Path) -> Path:
        """Write the content to a file and return its path."""
        path = Path(path)
        path.write_bytes(self.content)
        return path


def upload(
    context: CallContext,
    /,
    source: str | Path | bytes | Upload,
    *,
    name: str = "",
    content_type: str = "",
    chunk_size: int = CHUNK_SIZE,
    progress: Progress = None,
) -> Flow[FileRecord]:
    """Upload a file in chunks.

    Args:
        context: Context of the client.
        source: A path, bytes, or an ``Upload`` that failed before.
        name: Name at xAI; default: that of the path.
        content_type: MIME type; default: guessed from the name.
        chunk_size: Bytes per chunk.
        progress: True for a progress bar of tqdm, or a function that is called after each chunk
            with the bytes sent and the total.

    Raises:
        UsageError: The source cannot be read, is empty, or has changed during the upload.
        XAILowCodeError: A call failed. An ``Upload`` passed as source can be passed again.
    """
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
        raise UsageError(
            f"chunk_size: must be an integer, 1 or more, not {describe_value(chunk_size)}.",
            field="chunk_size",
        )
    check_progress(progress)
    state = source if isinstance(source, Upload) else Upload(source, name, content_type)
    yield RunBlocking(state.open)
    with open_progress(progress, state.name, "B") as report:
        if state.file_id:
            record = yield from _resume(state, context)
        else:
            record = yield from _initialize(state, context)
        # A chunk that may have arrived must not be sent again: the file would contain it twice.
        once = context.with_policy(RetryPolicy(0, context.policy.deadline))
        while state.sent < state.size:
            chunk: bytes = yield RunBlocking(lambda: state.read(chunk_size))
            body = {"file_id": state.file_id, "chunk": base64.b64encode(chunk).decode()}
            with (
                _note_state(state),
                _explain_wrong_endpoint("Initialize File Upload", "name|content_type"),
            ):
                record = yield from call_and_parse(Call(UPLOAD_CHUNK, json.dumps(body)), once)
            state.sent += len(chunk)
            report(state.sent, state.size)
    return record


def _initialize(state: Upload, context: CallContext) -> Flow[FileRecord]:
    body = {"name": state.name, "content_type": state.content_type}
    with _explain_wrong_endpoint("Upload File Chunk", "file_id|chunk"):
        initialized = yield from call_and_parse(Call(INITIALIZE_UPLOAD, json.dumps(body)), context)
    state.file_id = initialized.file_id
    return FileRecord.model_validate({"id": initialized.file_id})


def _resume(state: Upload, context: CallContext) -> Flow[FileRecord]:
    """Retrieve the number of bytes received: the last chunk may have arrived or not."""
    record = yield from call_and_parse(Call(GET_FILE, ids={"file_id": state.file_id}), context)
    if record.size is None or not 0 <= record.size <= state.size:
        raise UsageError(
            f"source: xAI does not report how much of {state.name} it has received.",
            field="source",
            hint=_NEW_UPLOAD,
        )
    state.sent = record.size
    return record


@contextmanager
def _note_state(state: Upload) -> Iterator[None]:
    try:
        yield
    except XAILowCodeError as error:
        error.add_note(
            f"{state.sent} of {state.size} bytes of {state.name} were sent as {state.file_id};"
            " an Upload passed as source can be passed again to resume."
        )
        raise


@contextmanager
def _explain_wrong_endpoint(other: str, fields: str) -> Iterator[None]:
    """Add a note if the error complains about fields of another endpoint."""
    try:
        yield
    except BadRequestError as error:
        if error.source != "gateway" and re.search(rf"missing field `({fields})`", error.message):
            error.add_note(
                f"The response seems to be one of {other}: this gateway routes all colon endpoints"
                " to one of them."
            )
        raise


def download(
    context: CallContext, /, file_id: str, *, as_text: bool = False, progress: Progress = None
) -> Flow[FileContent]:
    """Download a file and verify that it is not corrupted.

    Args:
        context: Context of the client.
        file_id: Id of the file.
        as_text: Download the text that xAI extracted from the file instead.
        progress: True for a progress bar of tqdm, or a function that is called with the bytes
            received and the total (None if unknown), before and after the download, since the
            gateway returns it at once.

    Raises:
        CorruptedDownloadError: The content differs from the file; it is the error's ``content``.
        NotFoundError: There is no such file.
    """
    check_progress(progress)
    ids = {"file_id": file_id}
    record = yield from call_and_parse(Call(GET_FILE, ids=ids), context)
    query = {"format": "text"} if as_text else {}
    size = None if as_text else record.size
    with open_progress(progress, record.name or file_id, "B") as report:
        report(0, size)
        success = yield from call_flow(Call(DOWNLOAD_FILE, ids=ids, query=query), context)
        content = _without_envelope(success.body, size)
        report(len(content), len(content))
    problem = None if as_text else _find_corruption(content, record)
    if problem is not None:
        raise CorruptedDownloadError(
            f"The download of {record.name or file_id} is corrupted: {problem}.",
            hint="The gateway changes binary content; download binary files elsewhere.",
            source="gateway",
            content=content,
        )
    return FileContent(content, record)


def _find_corruption(content: bytes, record: FileRecord) -> str | None:
    if _REPLACEMENT_CHARACTER in content and not _is_text(record):
        return "bytes that are not valid UTF-8 were replaced"
    if record.size is not None and len(content) != record.size:
        return f"it has {len(content)} bytes, the file has {record.size}"
    return None


def _without_envelope(content: bytes, size: int | None) -> bytes:
    """Remove the envelope of a JSON file, which the gateway re-encodes; the size decides."""
    if len(content) == size or not content.startswith((b'{"', b'"')):
        return content
    try:
        document: Any = json.loads(content)
        inner = unwrap(document).body
        # The envelope contains XML and invalid JSON as a string.
        unwrapped = inner.encode() if isinstance(inner, str) else json.dumps(inner)
    except (UnicodeError, json.JSONDecodeError, UsageError):
        return content
    if isinstance(document, dict) and inner is document:
        return content
    # One key, or a string, may be the content of the file.
    is_envelope = isinstance(document, dict) and "result" in document and len(document) > 1
    return unwrapped if is_envelope or len(unwrapped) == size else content


def _is_text(record: FileRecord) -> bool:
    content_type = record.content_type or _guess_content_type(record.name or "")
    return content_type.startswith(_TEXT_TYPES)


def _guess_content_type(name: str) -> str:
    try:
        guessed, _ = mimetypes.guess_type(name)
    except ValueError:
        # Newer Python versions parse the name as a URL, and reject "//[".
        guessed = None
    return guessed or "application/octet-stream"


def _stat(path: Path) -> tuple[int, tuple[int, int]]:
    with _convert_os_errors(path):
        found = path.stat()
        if not path.is_file():
            raise UsageError(f"source: {path} is not a file.", field="source")
        # Check the permission before anything is sent.
        path.open("rb").close()
    return found.st_size, (found.st_mtime_ns, found.st_ino)


@contextmanager
def _convert_os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        shown = truncate(str(path))
        raise UsageError(f"source: {shown} cannot be read ({reason}).", field="source") from None
