"""Files at xAI: uploads in pieces that can be taken up again, downloads that are checked.

The gateway decodes what it passes on as text, so binary downloads come damaged; what is damaged is
reported, never handed over as good.
"""

import base64
import mimetypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.progress import Progress, ProgressCallback, check_progress, open_progress
from xai_lowcode.api.endpoints import DOWNLOAD_FILE, GET_FILE, INITIALIZE_UPLOAD, UPLOAD_CHUNK
from xai_lowcode.errors import BadRequestError, CorruptedDownloadError, UsageError, XAILowCodeError
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse, call_flow
from xai_lowcode.protocol.envelope import unwrap
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Call, Flow, RunBlocking
from xai_lowcode.types.resources import FileRecord

CHUNK_SIZE = 3_000_000
"""Bytes of a piece, before base64 makes four of three; a gateway takes bodies of up to 100 MB."""

_REPLACED = "\N{REPLACEMENT CHARACTER}".encode()
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/x-ndjson")


@dataclass
class Upload:
    """One file on its way; kept, it lets a broken upload go on where it stopped.

    Attributes:
        source: A path, or the bytes themselves.
        name: Name at xAI; default: that of the path.
        content_type: MIME type; default: by the name's ending.
        file_id: Its id, once the upload has begun.
        sent: How many bytes have been taken.
        size: How many there are.
    """

    source: str | Path | bytes = field(repr=False)
    name: str = ""
    content_type: str = ""
    file_id: str = ""
    sent: int = 0
    size: int = 0
    _stamp: tuple[int, int] | None = field(default=None, repr=False)

    def open(self) -> None:
        """Checks that there is something to upload, and that it is what it was before.

        Raises:
            UsageError: There is no such file, it is empty, has no name, or changed meanwhile.
        """
        if isinstance(self.source, bytes):
            size, stamp = len(self.source), None
        else:
            size, stamp = _fingerprint(Path(self.source))
            self.name = self.name or Path(self.source).name
        if not self.name:
            raise UsageError("name: bytes need a name, for instance 'notes.txt'.", field="name")
        if not size:
            raise UsageError(
                f"source: {self.name} is empty; there is nothing to upload.", field="source"
            )
        if self.size and (size, stamp) != (self.size, self._stamp):
            raise UsageError(
                f"source: {self.name} changed during its upload.",
                field="source",
                hint="Upload it anew, as another file.",
            )
        self.size, self._stamp = size, stamp
        self.content_type = self.content_type or _guess_content_type(self.name)

    def read(self, length: int) -> bytes:
        """The next bytes."""
        self.open()
        if isinstance(self.source, bytes):
            return self.source[self.sent : self.sent + length]
        with _open(Path(self.source)), Path(self.source).open("rb") as file:
            file.seek(self.sent)
            return file.read(length)


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file that was fetched, and found whole as far as that can be told.

    Attributes:
        content: Its bytes.
        record: What xAI tells of it.
    """

    content: bytes = field(repr=False)
    record: FileRecord

    def save(self, path: str | Path) -> Path:
        """Writes it to a file and returns the file's path."""
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
    """Uploads a file in pieces.

    Args:
        context: What the client's calls have in common.
        source: A path, bytes, or an ``Upload`` that broke off.
        name: Name at xAI; default: that of the path.
        content_type: MIME type; default: by the name's ending.
        chunk_size: Bytes of a piece.
        progress: True for a bar in notebooks and terminals, or a function that is called after
            each piece with the bytes sent and the bytes in all.

    Raises:
        UsageError: There is nothing to upload, or it changed during the upload.
        XAILowCodeError: A call failed; an ``Upload`` given as source can be given again.
    """
    if chunk_size < 1:
        raise UsageError(f"chunk_size: 1 or more, not {chunk_size}.", field="chunk_size")
    check_progress(progress)
    job = source if isinstance(source, Upload) else Upload(source, name, content_type)
    yield RunBlocking(job.open)
    with open_progress(progress, job.name, "B") as report:
        return (yield from _send_chunks(context, job, chunk_size, report))


def _send_chunks(
    context: CallContext, job: Upload, chunk_size: int, report: ProgressCallback
) -> Flow[FileRecord]:
    if job.file_id:
        record = yield from _resume(job, context)
    else:
        body = {"name": job.name, "content_type": job.content_type}
        with _explain_wrong_endpoint("Upload File Chunk", "file_id|chunk"):
            ticket = yield from call_and_parse(Call(INITIALIZE_UPLOAD, json.dumps(body)), context)
        job.file_id = ticket.file_id
        record = FileRecord.model_validate({"id": ticket.file_id})
    # A piece that may have arrived is not sent again: it would be in the file twice.
    once = context.with_policy(RetryPolicy(0, context.policy.deadline))
    while job.sent < job.size:
        piece: bytes = yield RunBlocking(lambda: job.read(chunk_size))
        body = {"file_id": job.file_id, "chunk": base64.b64encode(piece).decode()}
        with (
            _note_progress(job),
            _explain_wrong_endpoint("Initialize File Upload", "name|content_type"),
        ):
            record = yield from call_and_parse(Call(UPLOAD_CHUNK, json.dumps(body)), once)
        job.sent += len(piece)
        report(job.sent, job.size)
    return record


def _resume(job: Upload, context: CallContext) -> Flow[FileRecord]:
    """Asks how much has arrived: of the last piece nobody can be sure."""
    record = yield from call_and_parse(Call(GET_FILE, ids={"file_id": job.file_id}), context)
    if record.size is None or not 0 <= record.size <= job.size:
        raise UsageError(
            f"source: xAI does not tell how much of {job.name} has arrived.",
            field="source",
            hint="Upload it anew, as another file.",
        )
    job.sent = record.size
    return record


@contextmanager
def _note_progress(job: Upload) -> Iterator[None]:
    try:
        yield
    except XAILowCodeError as error:
        error.add_note(
            f"{job.sent} of {job.size} bytes of {job.name} were sent as {job.file_id};"
            " an Upload given as source can be given again, and goes on."
        )
        raise


@contextmanager
def _explain_wrong_endpoint(other: str, fields: str) -> Iterator[None]:
    """Says which endpoint seems to have refused, where it misses what only that one needs."""
    try:
        yield
    except BadRequestError as error:
        if error.source != "gateway" and re.search(rf"missing field `({fields})`", error.message):
            error.add_note(
                f"It seems that {other} answered instead: this gateway sends all colon endpoints"
                " to one of them."
            )
        raise


def download(
    context: CallContext, /, file_id: str, *, as_text: bool = False, progress: Progress = None
) -> Flow[FileContent]:
    """Fetches a file and checks that it is the one that was stored.

    Args:
        context: What the client's calls have in common.
        file_id: Its id.
        as_text: Fetch the text that xAI made of it, instead of the file.
        progress: True for a bar in notebooks and terminals, or a function that is called with the
            bytes that have come and the bytes in all (None if xAI does not tell): before the file
            is fetched and after, since the gateway hands it on in one piece.

    Raises:
        CorruptedDownloadError: What came is not the file; it is in the error's ``content``.
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
    reason = None if as_text else _find_damage(content, record)
    if reason is not None:
        raise CorruptedDownloadError(
            f"The download of {record.name or file_id} is not the file: {reason}.",
            hint="The gateway changes what it passes on; fetch binary files elsewhere.",
            source="gateway",
            content=content,
        )
    return FileContent(content, record)


def _find_damage(content: bytes, record: FileRecord) -> str | None:
    if _REPLACED in content and not _is_text(record):
        return "bytes that are no text were replaced on the way"
    if record.size is not None and len(content) != record.size:
        return f"it has {len(content)} bytes, the file has {record.size}"
    return None


def _without_envelope(content: bytes, size: int | None) -> bytes:
    """A JSON file comes wrapped, and written anew; the length then tells whether it is the same."""
    if len(content) == size or not content.startswith((b'{"', b'"')):
        return content
    try:
        document: Any = json.loads(content)
        inner = unwrap(document).body
        # XML, and what calls itself JSON and is not, stands in the envelope as a text.
        own = inner.encode() if isinstance(inner, str) else json.dumps(inner)
    except (UnicodeError, json.JSONDecodeError, UsageError):
        return content
    if isinstance(document, dict) and inner is document:
        return content
    # A lone "data" or text may as well be the file's own.
    certain = isinstance(document, dict) and "result" in document
    return own if certain or len(own) == size else content


def _is_text(record: FileRecord) -> bool:
    kind = record.content_type or _guess_content_type(record.name or "")
    return kind.startswith(_TEXT_TYPES)


def _guess_content_type(name: str) -> str:
    try:
        guessed, _ = mimetypes.guess_type(name)
    except ValueError:
        # Newer Pythons take the name for a URL, and "//[" for one that is broken.
        guessed = None
    return guessed or "application/octet-stream"


def _fingerprint(path: Path) -> tuple[int, tuple[int, int]]:
    with _open(path):
        found = path.stat()
        if not path.is_file():
            raise UsageError(f"source: {path} is not a file.", field="source")
        # Whether it may be read must be known before anything is sent.
        path.open("rb").close()
    return found.st_size, (found.st_mtime_ns, found.st_ino)


@contextmanager
def _open(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(f"source: {path} cannot be read ({reason}).", field="source") from None
