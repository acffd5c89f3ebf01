"""The rooms of files that are there: list, describe, rename, delete, download."""

import base64
import binascii
import uuid
from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator.handler_types import Answer, Ask, Blob, absent, coded, invalid
from xai_lowcode.emulator.state import SPACE, StoredFile
from xai_lowcode.emulator.validation import STRING, Listed, Struct

MOST = 100
ORDERS = ("asc", "desc")
FORMATS = ("original", "text")
BYTES = "application/octet-stream"
UPDATE = Struct("UpdateFileRequest", {}, {"name": STRING, "filename": STRING})
# Files of one second keep the order in which they came.
SORTS: dict[str, Callable[[StoredFile], Any]] = {
    "created_at": lambda file: (file.created_at, file.order),
    "filename": lambda file: (file.name, file.order),
    "size": lambda file: (len(file.content), file.order),
}


async def listing(ask: Ask) -> Answer:
    """Lists a page of files; there is always a token, also behind the last one."""
    limit = _limit(ask.query.get("limit") or str(MOST))
    order = _one_of("order", ask.query.get("order") or "desc", ORDERS)
    sort = _one_of("sort_by", ask.query.get("sort_by") or "created_at", tuple(SORTS))
    if ask.query.get("filter"):
        raise invalid("The emulator does not support `filter`.")
    files = list(ask.desk.store.files.values())
    files.sort(key=SORTS[sort], reverse=order == "desc")
    token = ask.query.get("pagination_token") or ask.query.get("after") or ""
    page = _after(files, token)[:limit]
    last = page[-1].id if page else token
    return Answer({"data": [file.card() for file in page], "pagination_token": last})


async def one(ask: Ask) -> Answer:
    """Describes one file."""
    return Answer(found(ask).card())


async def delete(ask: Ask) -> Answer:
    """Deletes a file."""
    file = found(ask)
    del ask.desk.store.files[file.id]
    return Answer({"deleted": True, "id": file.id, "object": "file"})


async def update(ask: Ask) -> Answer:
    """Gives a file another name."""
    file = found(ask)
    name = ask.body.get("filename") or ask.body.get("name")
    file.name = name or file.name
    return Answer(file.card())


async def content(ask: Ask) -> Blob:
    """Gives the bytes of a file."""
    file = found(ask)
    form = _one_of("format", ask.query.get("format") or "original", FORMATS)
    kind = "text/plain" if form == "text" else file.content_type or BYTES
    return Blob(bytes(file.content), kind)


def found(ask: Ask, name: str | None = None) -> StoredFile:
    """Finds the file of a request."""
    name = ask.path["file_id"] if name is None else name
    file = ask.desk.store.files.get(name)
    if file is None:
        raise absent(f"File not found: {name}")
    return file


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise invalid(f"Invalid argument: limit must be between 1 and {MOST}, got {text}")
    return int(text)


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise invalid(f"Invalid argument: {name} is one of {', '.join(known)}, not {text}")
    return text


def _after(files: list[StoredFile], token: str) -> list[StoredFile]:
    if not token:
        return files
    for index, file in enumerate(files):
        if file.id == token:
            return files[index + 1 :]
    raise invalid(f"Invalid argument: unknown pagination_token {token}")


LARGEST = 50 * 1024 * 1024
INITIALIZE = Struct("InitializeUploadRequest", {"name": STRING, "content_type": STRING})
CHUNK = Struct("UploadChunkRequest", {"file_id": STRING, "chunk": STRING})
BATCH = Struct("BatchUploadRequest", {}, {"files": Listed(INITIALIZE)})


async def initialize(ask: Ask) -> Answer:
    """Begins a file."""
    if not ask.body["name"].strip():
        raise invalid("Invalid argument: name must not be empty")
    file = ask.desk.new_file(ask.body["name"], ask.body["content_type"])
    return Answer({"file_id": file.id, "metadata": file.old_card()})


async def chunk(ask: Ask) -> Answer:
    """Adds to a file; there is no sign for the last chunk, so a file is complete after each."""
    file = found(ask, ask.body["file_id"])
    try:
        piece = base64.b64decode(ask.body["chunk"], validate=True)
    except binascii.Error:
        raise invalid("Invalid argument: chunk is not valid base64") from None
    if len(file.content) + len(piece) > LARGEST:
        raise coded(413, "resource-exhausted", f"File size exceeds the limit of {LARGEST} bytes.")
    file.content += piece
    file.complete = True
    return Answer(file.old_card())


async def batch(ask: Ask) -> Answer:
    """Begins a batch, and the files of it."""
    name = f"batch_{uuid.uuid5(SPACE, f'batch/{ask.sequence}')}"
    files = [
        ask.desk.new_file(file["name"], file["content_type"])
        for file in ask.body.get("files") or ()
    ]
    job = {"batch_job_id": name, "status": "in_progress", "files": [file.id for file in files]}
    ask.desk.store.batches.put(name, job)
    return Answer(job)


async def complete(ask: Ask) -> Answer:
    """Ends a batch."""
    name = ask.path["batch_job_id"]
    job = ask.desk.store.batches.get(name)
    if job is None:
        raise absent(f"Batch job not found: {name}")
    job["status"] = "completed"
    return Answer(job)
