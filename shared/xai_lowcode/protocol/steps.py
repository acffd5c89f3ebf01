"""What a call may ask of a client, and what may come of it: values, and nothing that does them.

Flows (``exchange`` and those made of it) yield the steps, a client does them and sends the outcomes
back.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_NO_VALUES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """What is asked of one endpoint.

    Attributes:
        operation: The endpoint.
        body: The JSON body, written out; None for none.
        ids: Values of the ids in its path.
        query: Further query parameters.
        stream: Whether the answer is to be read piece by piece.
    """

    operation: Endpoint[T_co]
    body: bytes | None = None
    ids: Mapping[str, str] = field(default_factory=lambda: _NO_VALUES)
    query: Mapping[str, str] = field(default_factory=lambda: _NO_VALUES)
    stream: bool = False


class Limits(Protocol):
    """Who may send when; ``limits`` has the one there is."""

    def enter(self, within: float | None, *, rated: bool) -> tuple[XAILowCodeError | None, Any]:
        """Waits for leave to send: what went wrong, and the place, to be left afterwards."""

    async def aenter(
        self, within: float | None, *, rated: bool
    ) -> tuple[XAILowCodeError | None, Any]:
        """The same in a coroutine."""


@dataclass(frozen=True, slots=True)
class AcquireSlot:
    """Do: wait for leave to send; an error is the outcome if it does not come.

    Attributes:
        limits: Whose leave.
        within: Seconds it may take; None for no limit.
        rated: Whether the rate limiter is asked too.
    """

    limits: Limits
    within: float | None
    rated: bool


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Do: send a call.

    Attributes:
        call: What is asked.
        form: The URL form.
        path: Path and query in that form, below the base URL, without the token.
        within: Seconds it may take; None for no limit.
    """

    call: Call[Any]
    form: UrlFormat
    path: str
    within: float | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do: nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RunBlocking:
    """Do: something that may block, such as reading a file; what it returns is the outcome."""

    run: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    """Came: a whole answer."""

    status: int
    # Neither is shown with the variables of a frame: a refusal can quote the token.
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """Came: the head of a successful stream; its bytes are still to be read."""

    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """Came: no answer.

    Attributes:
        error: What happened.
        stale: Whether a kept-alive connection turned out to be closed by the other side, so that
            the attempt never took place.
        begun: Whether part of an answer had come, so that the call was carried out.
    """

    error: XAILowCodeError
    stale: bool = False
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Success:
    """A success.

    Attributes:
        body: xAI's answer without its envelope. Of a stream: None if its bytes are still to be
            read, else all of them.
        headers: xAI's headers and the gateway's together, lower-case names.
    """

    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


Step = AcquireSlot | SendRequest | Sleep | RunBlocking
Outcome = HTTPResponse | StreamStarted | RequestFailed
Flow = Generator[Step, Any, T]
"""Steps to do, each answered with its outcome, and a result at the end."""
