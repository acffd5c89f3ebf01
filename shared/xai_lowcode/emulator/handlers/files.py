"""Handlers of the Files API, including chunked uploads."""

import base64
import re
from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator.handler_types import BinaryResult, HandlerRequest, HandlerResult
from xai_lowcode.emulator.provider_errors import (
    bad_request,
    check_choice,
    coded_error,
    invalid_argument,
    require_found,
)
from xai_lowcode.emulator.store import StoredFile, make_uuid
from xai_lowcode.emulator.validation import STRING, ArrayOf, Struct

MAX_PAGE_SIZE = 100
MAX_FILE_SIZE = 50 * 1024 * 1024
MAX_BATCH = 1_000
LIMIT = re.compile(r"[0-9]{1,9}")
CONTENT_TYPE = re.compile(r"[ -~]*")
ORDERS = ("asc", "desc")
DOWNLOAD_FORMATS = ("original", "text")
DEFAULT_CONTENT_TYPE = "application/octet-stream"
# Files of the same second are sorted by their creation.
SORT_KEYS: dict[str, Callable[[StoredFile], Any]] = {
    "created_at": lambda file: (file.created_at, file.order),
    "filename": lambda file: (file.name, file.order),
    "size": lambda file: (len(file.content), file.order),
}
UPDATE_REQUEST = Struct("UpdateFileRequest", {}, {"name": STRING, "filename": STRING})
INITIALIZE_REQUEST = Struct("InitializeUploadRequest", {"name": STRING, "content_type": STRING})
CHUNK_REQUEST = Struct("UploadChunkRequest", {"file_id": STRING, "chunk": STRING})
BATCH_REQUEST = Struct("BatchUploadRequest", {}, {"files": ArrayOf(INITIALIZE_REQUEST)})


async def list_files(request: HandlerRequest) -> HandlerResult:
    """Return one page of files. The last page has a pagination token too."""
    query = request.query
    limit = query.get("limit") or str(MAX_PAGE_SIZE)
    order = check_choice("order", query.get("order") or "desc", ORDERS)
    sort_by = check_choice("sort_by", query.get("sort_by") or "created_at", SORT_KEYS)
    if not LIMIT.fullmatch(limit) or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        raise invalid_argument(f"limit must be between 1 and {MAX_PAGE_SIZE}, got {limit}")
    if query.get("filter"):
        raise bad_request("The emulator does not support `filter`.")
    files = sorted(
        request.emulator.store.files.values(), key=SORT_KEYS[sort_by], reverse=order == "desc"
    )
    token = query.get("pagination_token") or query.get("after") or ""
    page = _files_after(files, token)[: int(limit)]
    next_token = page[-1].id if page else token
    return HandlerResult(
        {"data": [file.to_dict() for file in page], "pagination_token": next_token}
    )


async def retrieve(request: HandlerRequest) -> HandlerResult:
    """Return the metadata of a file."""
    return HandlerResult(_get_file(request).to_dict())


async def delete(request: HandlerRequest) -> HandlerResult:
    """Delete a file."""
    file = _get_file(request)
    del request.emulator.store.files[file.id]
    return HandlerResult({"deleted": True, "id": file.id, "object": "file"})


async def update(request: HandlerRequest) -> HandlerResult:
    """Rename a file."""
    file = _get_file(request)
    file.name = request.body.get("filename") or request.body.get("name") or file.name
    return HandlerResult(file.to_dict())


async def download(request: HandlerRequest) -> BinaryResult:
    """Return the content of a file."""
    file = _get_file(request)
    form = check_choice("format", request.query.get("format") or "original", DOWNLOAD_FORMATS)
    content_type = file.content_type or DEFAULT_CONTENT_TYPE
    return BinaryResult(bytes(file.content), "text/plain" if form == "text" else content_type)


async def initialize_upload(request: HandlerRequest) -> HandlerResult:
    """Create a file without content."""
    if not request.body["name"].strip():
        raise invalid_argument("name must not be empty")
    _check_content_type(request.body["content_type"])
    file = request.emulator.create_file(request.body["name"], request.body["content_type"])
    return HandlerResult({"file_id": file.id, "metadata": file.to_upload_dict()})


async def upload_chunk(request: HandlerRequest) -> HandlerResult:
    """Append a chunk. The API does not mark the last one: a file is complete after each."""
    file = _get_file(request, request.body["file_id"])
    try:
        chunk = base64.b64decode(request.body["chunk"], validate=True)
    except ValueError:
        raise invalid_argument("chunk is not valid base64") from None
    if len(file.content) + len(chunk) > MAX_FILE_SIZE:
        error = f"File size exceeds the limit of {MAX_FILE_SIZE} bytes."
        raise coded_error(413, "resource-exhausted", error)
    file.content += chunk
    file.complete = True
    return HandlerResult(file.to_upload_dict())


async def create_batch(request: HandlerRequest) -> HandlerResult:
    """Create a batch upload and its files."""
    offered = request.body.get("files") or ()
    if len(offered) > MAX_BATCH:
        raise invalid_argument(f"a maximum of {MAX_BATCH} files")
    for file in offered:
        _check_content_type(file["content_type"])
    name = f"batch_{make_uuid(f'batch/{request.sequence}')}"
    files = [request.emulator.create_file(file["name"], file["content_type"]) for file in offered]
    batch = {"batch_job_id": name, "status": "in_progress", "files": [file.id for file in files]}
    request.emulator.store.batches[name] = batch
    return HandlerResult(batch)


async def complete_batch(request: HandlerRequest) -> HandlerResult:
    """Complete a batch upload."""
    name = request.path["batch_job_id"]
    found = request.emulator.store.batches.get(name)
    batch = require_found(found, f"Batch job not found: {name}")
    batch["status"] = "completed"
    return HandlerResult(batch)


def _check_content_type(content_type: str) -> None:
    """Check a content type, which becomes a header of the download."""
    if not CONTENT_TYPE.fullmatch(content_type):
        raise invalid_argument("content_type has characters beyond ASCII")


def _get_file(request: HandlerRequest, file_id: str | None = None) -> StoredFile:
    file_id = request.path["file_id"] if file_id is None else file_id
    return require_found(request.emulator.store.files.get(file_id), f"File not found: {file_id}")


def _files_after(files: list[StoredFile], token: str) -> list[StoredFile]:
    if not token:
        return files
    for index, file in enumerate(files):
        if file.id == token:
            return files[index + 1 :]
    raise invalid_argument(f"unknown pagination_token {token}")
