"""What is remembered between requests: pictures, stored answers, tickets, files and batches."""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

Json = dict[str, Any]
T = TypeVar("T")
PICTURES_KEPT = 256
THINGS_KEPT = 10_000


class Shelf(OrderedDict[str, T]):
    """Things by name; of too many the oldest are forgotten."""

    def __init__(self, room_for: int = THINGS_KEPT) -> None:
        super().__init__()
        self._room_for = room_for

    def put(self, name: str, thing: T) -> None:
        """Keeps a thing."""
        self[name] = thing
        while len(self) > self._room_for:
            self.popitem(last=False)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer of the responses form, and the conversation up to and with it."""

    body: Json
    items: tuple[Json, ...]


@dataclass(slots=True)
class Ticket:
    """A deferred answer, and how often it has been asked for in vain."""

    body: Json
    polls: int = 0


@dataclass(slots=True)
class StoredFile:
    """A file; the provider describes it in an older and a newer form."""

    id: str
    name: str
    content_type: str
    order: int
    content: bytearray = field(default_factory=bytearray)
    created_at: int = field(default_factory=lambda: int(time.time()))
    complete: bool = False

    def card(self) -> Json:
        """Describes the file as the newer endpoints do."""
        return {
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "filename": self.name,
            "id": self.id,
            "object": "file",
            "purpose": "",
        }

    def old_card(self) -> Json:
        """Describes the file as uploading does; numbers of 64 bits are texts there."""
        return {
            "file_id": self.id,
            "name": self.name,
            "size_bytes": str(len(self.content)),
            "content_type": self.content_type,
            "created_at": datetime.fromtimestamp(self.created_at, UTC).isoformat(),
            "expires_at": None,
            "hash": hashlib.sha256(self.content).hexdigest(),
            "upload_status": "Complete" if self.complete else "Initializing",
            "upload_error_message": "",
            "processing_status": "complete" if self.complete else "pending",
            "file_path": "",
        }


class Store:
    """Everything that is remembered."""

    def __init__(self) -> None:
        self.pictures: Shelf[bytes] = Shelf(PICTURES_KEPT)
        self.responses: Shelf[StoredResponse] = Shelf()
        self.tickets: Shelf[Ticket] = Shelf()
        self.files: Shelf[StoredFile] = Shelf()
        self.batches: Shelf[Json] = Shelf()

    def forget(self) -> None:
        """Forgets everything."""
        for shelf in (self.pictures, self.responses, self.tickets, self.files, self.batches):
            shelf.clear()
