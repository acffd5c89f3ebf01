"""The rooms of files that are there: list, describe, rename, delete, download."""

from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator.answers import Answer, Ask, Blob, absent, invalid
from xai_lowcode.emulator.filters import kept
from xai_lowcode.emulator.serde import STRING, Struct
from xai_lowcode.emulator.store import StoredFile

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
    files = kept(ask.desk.store.files.values(), ask.query.get("filter") or "")
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
