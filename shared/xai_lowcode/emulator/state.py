"""What is remembered between requests: pictures, stored answers, tickets, files and batches."""

import hashlib
import secrets
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal, TypedDict, TypeVar, Unpack, get_args

from xai_lowcode.emulator.faults import Fault

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


Envelope = Literal["result", "data", "bare"]
UrlForms = Literal["new", "old", "both", "old_new_drops"]
Streaming = Literal["live", "buffered", "wrapped", "string"]
DeferredPending = Literal["empty_json", "empty", "null", "never", "status_202"]
Downloads = Literal["as_gateway", "intact"]
ColonRoutes = Literal["exact", "first_wins"]

POSITIONS: dict[str, tuple[str, ...]] = {
    "envelope": get_args(Envelope),
    "url_forms": get_args(UrlForms),
    "streaming": get_args(Streaming),
    "deferred_pending": get_args(DeferredPending),
    "downloads": get_args(Downloads),
    "colon_routes": get_args(ColonRoutes),
}
SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class Switches(TypedDict, total=False):
    """Everything that can be set, at the start or at any time later."""

    envelope: Envelope
    url_forms: UrlForms
    streaming: Streaming
    latency: float
    compression: bool
    deferred_polls: int
    deferred_pending: DeferredPending
    downloads: Downloads
    colon_routes: ColonRoutes
    embeddings: bool
    openapi: bool
    parameter_names: Mapping[str, str]


AT_REST: Switches = {
    "envelope": "result",
    "url_forms": "new",
    "streaming": "live",
    "latency": 0.0,
    "compression": False,
    "deferred_polls": 1,
    "deferred_pending": "empty_json",
    "downloads": "as_gateway",
    "colon_routes": "exact",
    "embeddings": False,
    "openapi": False,
    "parameter_names": {},
}


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it came in, and where it went.

    The token is left out of `query`; `with_token` tells whether there was one. `ignored` names
    the members of the body that xAI would not look at, such as `user_id` or `messages[1].status`.
    `route` is the endpoint of the gateway that was hit, `upstream` the address that the gateway
    made of it, and `upstream_route` the endpoint of the provider at which that address ends: another
    one than `route` when an id was no id.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    ignored: tuple[str, ...] = ()
    with_token: bool = False
    route: str | None = None
    upstream: str | None = None
    upstream_route: str | None = None


class Emulator:
    """A running gateway with xAI behind it.

    The switches of `running` are attributes here and may be set at any time; a position that
    does not exist is refused.
    """

    envelope: Envelope
    url_forms: UrlForms
    streaming: Streaming
    latency: float
    compression: bool
    deferred_polls: int
    deferred_pending: DeferredPending
    downloads: Downloads
    colon_routes: ColonRoutes
    embeddings: bool
    openapi: bool
    parameter_names: Mapping[str, str]

    def __init__(self, **switches: Unpack[Switches]) -> None:
        unknown = switches.keys() - AT_REST.keys()
        if unknown:
            raise TypeError(f"there is no switch {', '.join(sorted(unknown))}")
        self._positions: Switches = {**AT_REST, **switches}
        self.origin = ""
        self.api_token = "at_r" + secrets.token_hex(16)
        self.unconnected_token = "at_r" + secrets.token_hex(16)
        self.requests: list[RecordedRequest] = []
        self.store = Store()
        self.close_for: Callable[[float], None] = lambda _: None
        self._faults: deque[Fault] = deque()
        self.reset()

    def __setattr__(self, name: str, value: object) -> None:
        if name in POSITIONS and value not in POSITIONS[name]:
            raise ValueError(f"{name} is one of {POSITIONS[name]}, not {value!r}")
        super().__setattr__(name, value)

    @property
    def base_url(self) -> str:
        """The address that a client is given."""
        return f"{self.origin}/xai"

    def reset(self) -> None:
        """Puts the switches back as they were at the start, and forgets all that has happened."""
        for name, position in deepcopy(self._positions).items():
            setattr(self, name, position)
        self.requests.clear()
        self.store.forget()
        self._faults.clear()
        self.connections = 0
        self._sequence = count(1)

    def inject(self, *faults: Fault) -> None:
        """Queues faults; each befalls one of the next requests to an API route, in order."""
        self._faults.extend(faults)

    def next_fault(self, *kinds: type[Fault]) -> Fault | None:
        """Takes the fault that is due, if any; with `kinds` only if it is one of them."""
        due = self._faults[0] if self._faults else None
        if due is None or (kinds and not isinstance(due, kinds)):
            return None
        return self._faults.popleft()

    def next_number(self) -> int:
        """Numbers the requests, so that ids differ and yet repeat from run to run."""
        return next(self._sequence)

    def publish(self, picture: bytes) -> str:
        """Keeps a picture and tells its address; the oldest of many are forgotten."""
        name = secrets.token_hex(8)
        self.store.pictures.put(name, picture)
        return f"{self.origin}/pictures/{name}.png"

    def add_file(
        self, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> str:
        """Puts a file into the account, as if it had been uploaded long ago, and tells its id."""
        file = self.new_file(name, content_type)
        file.content += content
        file.complete = True
        return file.id

    def new_file(self, name: str, content_type: str) -> StoredFile:
        """Begins a file."""
        order = self.next_number()
        file = StoredFile(f"file_{uuid.uuid5(SPACE, f'file/{order}')}", name, content_type, order)
        self.store.files.put(file.id, file)
        return file

    def refuse_connections(self, seconds: float) -> None:
        """Closes the listener for a while; connections that are open stay so."""
        self.close_for(seconds)
