"""The emulator object: options, queued faults and replies, recorded requests."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, TypedDict, Unpack, get_args, get_origin, get_type_hints

from xai_lowcode.emulator.faults import Fault
from xai_lowcode.emulator.replies import Reply
from xai_lowcode.emulator.store import Store, StoredFile, make_uuid

TOKEN_PREFIX = "at_"  # noqa: S105 - how a token begins, no token

Envelope = Literal["result", "data", "bare"]
UrlForms = Literal["new", "old", "both", "old_new_drops", "both_drop"]
StreamingMode = Literal["live", "buffered", "wrapped", "string"]
DeferredPending = Literal["empty_json", "empty", "null", "never", "status_202"]
Downloads = Literal["as_gateway", "intact"]
ColonRoutes = Literal["exact", "first_wins"]
ServerToolItems = Literal["documented", "2025"]


class Options(TypedDict, total=False):
    """The options of `running`, which are also attributes of `Emulator`."""

    envelope: Envelope
    url_forms: UrlForms
    streaming: StreamingMode
    latency: float
    compression: bool
    deferred_polls: int
    deferred_pending: DeferredPending
    downloads: Downloads
    colon_routes: ColonRoutes
    server_tool_items: ServerToolItems
    models: Sequence[str]
    embeddings: bool
    openapi: bool
    parameter_names: Mapping[str, str]
    replies: Sequence[str | Reply]
    api_token: str
    restart_seconds: float
    front: bool


OPTION_TYPES = get_type_hints(Options)
ALLOWED_VALUES = {
    name: get_args(kind) for name, kind in OPTION_TYPES.items() if get_origin(kind) is Literal
}


@dataclass(slots=True)
class ResponseOutcome:
    """What is known of a response so far; see `RecordedRequest`."""

    status: int | None = None
    client_left: bool = False


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as the emulator received it.

    Attributes:
        method: The HTTP method.
        path: The path with its percent-encoding, as it was sent.
        query: The query without the token.
        body: The decoded JSON body; None if there is none.
        headers: The headers, names in lower case.
        ignored: Paths of body fields that xAI ignores, such as `user_id` or `messages[1].status`.
        with_token: Whether the query had a token.
        route: The gateway route that matched, with its parameter names.
        upstream: The URL that the gateway requests from the provider.
        upstream_route: The provider's route of that URL. It differs from `route` if a parameter
            contains a character such as `/`.
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
    outcome: ResponseOutcome = field(default_factory=ResponseOutcome, repr=False, compare=False)

    @property
    def status(self) -> int | None:
        """The status of the response; None before it starts, and if there is none."""
        return self.outcome.status

    @property
    def client_left(self) -> bool:
        """Whether the client closed the connection before the response was complete."""
        return self.outcome.client_left


class Emulator:
    """A running gateway with an emulated xAI API behind it.

    The options of `running` are attributes and can be set at any time.

    Raises:
        ValueError: An option is set to a value that it does not have.
    """

    envelope: Envelope = "result"
    url_forms: UrlForms = "new"
    streaming: StreamingMode = "live"
    latency: float = 0.0
    compression: bool = False
    deferred_polls: int = 1
    deferred_pending: DeferredPending = "empty_json"
    downloads: Downloads = "as_gateway"
    colon_routes: ColonRoutes = "exact"
    server_tool_items: ServerToolItems = "documented"
    models: Sequence[str] = ()
    embeddings: bool = False
    openapi: bool = False
    parameter_names: Mapping[str, str] = {}
    api_token: str = ""
    restart_seconds: float = 0.0
    front: bool = False
    replies: list[Reply]

    def __init__(self, **options: Unpack[Options]) -> None:
        unknown = options.keys() - OPTION_TYPES.keys()
        if unknown:
            raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
        # The class has no default for the replies: each emulator has a list of its own.
        defaults: dict[str, Any] = {name: getattr(self, name, ()) for name in OPTION_TYPES}
        self._initial_options = {**defaults, **options}
        self.origin = ""
        self._random_token = "at_r" + secrets.token_hex(16)
        self.unconnected_token = "at_r" + secrets.token_hex(16)
        self.requests: list[RecordedRequest] = []
        self.close_listener: Callable[[float], None] = lambda _: None
        self.end_process: Callable[[], None] = lambda: None
        self._faults: deque[Fault] = deque()
        self.reset()

    def __setattr__(self, name: str, value: object) -> None:
        if name == "api_token" and value and not str(value).startswith(TOKEN_PREFIX):
            raise ValueError(f"api_token: must begin with {TOKEN_PREFIX!r}, as the gateway's do")
        if name == "models" and isinstance(value, str):
            raise ValueError(f"models: must be a list of names, got {value!r}")
        if name in ALLOWED_VALUES and value not in ALLOWED_VALUES[name]:
            raise ValueError(f"{name}: must be one of {ALLOWED_VALUES[name]}, got {value!r}")
        super().__setattr__(name, value)

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return f"{self.origin}/xai"

    def reset(self) -> None:
        """Restore the initial options but the token; clear requests, faults and stored data."""
        for name, value in deepcopy(self._initial_options).items():
            if name != "api_token" or not self.api_token:
                setattr(self, name, value)
        scripted, self.replies = list(self.replies), []
        self.reply(*scripted)
        self.api_token = self.api_token or self._random_token
        self.requests.clear()
        self.store = Store()
        self._faults.clear()
        self.connections = 0
        self.crashes = 0
        self._sequence = count(1)

    def inject(self, *faults: Fault) -> None:
        """Queue faults. Each is applied to one of the next requests to an API route, in order."""
        self._faults.extend(faults)

    def reply(self, *replies: str | Reply) -> None:
        """Queue replies: the next chat responses, of any API, have these texts, in order.

        A string is the text of a response that calls no tools; `Reply` has tool calls, JSON, an
        image, usage and a condition. `max_tokens` and stop sequences apply to the texts.
        """
        self.replies += [Reply(reply) if isinstance(reply, str) else reply for reply in replies]

    def next_fault(self, *types: type[Fault]) -> Fault | None:
        """Remove and return the next fault; with `types`, only if it is one of these."""
        fault = self._faults[0] if self._faults else None
        if fault is None or (types and not isinstance(fault, types)):
            return None
        return self._faults.popleft()

    def next_sequence(self) -> int:
        """Return the number of the next request; ids are derived from it."""
        return next(self._sequence)

    def publish_image(self, image: bytes) -> str:
        """Store a PNG image and return its URL."""
        name = secrets.token_hex(8)
        self.store.images[name] = image
        return f"{self.origin}/images/{name}.png"

    def add_file(
        self, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> str:
        """Add an uploaded file to the account and return its id."""
        file = self.create_file(name, content_type)
        file.content += content
        file.complete = True
        return file.id

    def create_file(self, name: str, content_type: str) -> StoredFile:
        """Add a file without content, whose upload is incomplete."""
        order = self.next_sequence()
        file_id = f"file_{make_uuid(f'file/{order}')}"
        file = StoredFile(file_id, name, content_type, order)
        self.store.files[file.id] = file
        return file

    def refuse_connections(self, seconds: float) -> None:
        """Refuse new connections for some seconds; open connections stay open."""
        self.close_listener(seconds)
