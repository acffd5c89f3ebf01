"""What a test holds in its hand: the switches, the queue of faults and the record of requests."""

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, get_args

from xai_lowcode.emulator.faults import Fault

Envelope = Literal["result", "data", "bare"]
UrlForms = Literal["new", "old", "both", "old_new_drops"]
Streaming = Literal["live", "buffered", "wrapped", "string"]

POSITIONS: dict[str, tuple[str, ...]] = {
    "envelope": get_args(Envelope),
    "url_forms": get_args(UrlForms),
    "streaming": get_args(Streaming),
}
PICTURES_KEPT = 256


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it came in.

    The token is left out of `query`; `ignored` names the members of the body that xAI would
    not look at, such as `user_id` or `messages[1].status`.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    ignored: tuple[str, ...] = ()


class Emulator:
    """A running gateway with xAI behind it.

    The switches `envelope`, `url_forms`, `streaming`, `latency` and `compression` may be set at
    any time; a position that does not exist is refused.
    """

    envelope: Envelope
    url_forms: UrlForms
    streaming: Streaming
    latency: float
    compression: bool

    def __init__(
        self,
        *,
        envelope: Envelope = "result",
        url_forms: UrlForms = "new",
        streaming: Streaming = "live",
        latency: float = 0.0,
    ) -> None:
        self._positions: dict[str, object] = {
            "envelope": envelope,
            "url_forms": url_forms,
            "streaming": streaming,
            "latency": latency,
            "compression": False,
        }
        self.origin = ""
        self.connections = 0
        self.api_token = "at_r" + secrets.token_hex(16)
        self.unconnected_token = "at_r" + secrets.token_hex(16)
        self.requests: list[RecordedRequest] = []
        self.pictures: OrderedDict[str, bytes] = OrderedDict()
        self._faults: deque[Fault] = deque()
        self._sequence = count(1)
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
        """Puts the switches back as they were at the start; forgets requests and queued faults."""
        for name, position in self._positions.items():
            setattr(self, name, position)
        self.requests.clear()
        self._faults.clear()

    def inject(self, *faults: Fault) -> None:
        """Queues faults; each befalls one of the next requests to an API route, in order."""
        self._faults.extend(faults)

    def next_fault(self) -> Fault | None:
        """Takes the fault that is due, if any."""
        return self._faults.popleft() if self._faults else None

    def next_number(self) -> int:
        """Numbers the requests, so that ids differ and yet repeat from run to run."""
        return next(self._sequence)

    def publish(self, picture: bytes) -> str:
        """Keeps a picture and tells its address; the oldest of many are forgotten."""
        name = secrets.token_hex(8)
        self.pictures[name] = picture
        while len(self.pictures) > PICTURES_KEPT:
            self.pictures.popitem(last=False)
        return f"{self.origin}/pictures/{name}.png"
