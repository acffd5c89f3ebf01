"""The data of the emulated service that outlives a request."""

import hashlib
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from xai_lowcode.emulator.json_values import Json

T = TypeVar("T")
MAX_IMAGES = 256
MAX_ENTRIES = 10_000
UUID_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class BoundedDict(OrderedDict[str, T]):
    """A dictionary that evicts its oldest entries."""

    def __init__(self, max_size: int = MAX_ENTRIES) -> None:
        super().__init__()
        self._max_size = max_size

    def __setitem__(self, key: str, value: T) -> None:
        super().__setitem__(key, value)
        if len(self) > self._max_size:
            self.popitem(last=False)


def make_uuid(name: str) -> str:
    """Return the UUID of a name, which is the same in every run."""
    return str(uuid.uuid5(UUID_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response of the Responses API, and the input and output items up to and with it."""

    body: Json
    items: tuple[Json, ...]


@dataclass(slots=True)
class DeferredCompletion:
    """A deferred chat completion, and how often it has been polled."""

    body: Json
    polls: int = 0


@dataclass(slots=True)
class StoredFile:
    """An uploaded file; the upload endpoints describe it in another format than the others."""

    id: str
    name: str
    content_type: str
    order: int
    content: bytearray = field(default_factory=bytearray)
    created_at: int = field(default_factory=lambda: int(time.time()))
    complete: bool = False

    def to_dict(self) -> Json:
        """Return the file object of `/v1/files`."""
        return {
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "filename": self.name,
            "id": self.id,
            "object": "file",
            "purpose": "",
        }

    def to_upload_dict(self) -> Json:
        """Return the file object of the upload endpoints; 64-bit integers are strings there."""
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
    """The stored data."""

    def __init__(self) -> None:
        self.images: BoundedDict[bytes] = BoundedDict(MAX_IMAGES)
        self.responses: BoundedDict[StoredResponse] = BoundedDict()
        self.deferred: BoundedDict[DeferredCompletion] = BoundedDict()
        self.files: BoundedDict[StoredFile] = BoundedDict()
        self.batches: BoundedDict[Json] = BoundedDict()
