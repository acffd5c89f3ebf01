"""Steps and outcomes of a call flow: values that describe I/O without performing it.

A flow (``call_flow`` and the flows built on it) is a generator. It yields steps; a client performs
each and sends the outcome back.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from xai_lowcode._internal.values import Value
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(slots=True, eq=False, repr=False)
class Call(Value, Generic[T_co]):
    """One call of an endpoint.

    Attributes:
        endpoint: The endpoint.
        body: The serialized JSON body; None for none.
        ids: Values of the path parameters.
        query: Further query parameters.
        stream: Whether the response is read chunk by chunk.
    """

    endpoint: Endpoint[T_co]
    body: bytes | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False


@dataclass(slots=True, eq=False, repr=False)
class SendRequest(Value):
    """Step: send a request. The outcome is an ``HTTPResponse`` or ``RequestFailed``.

    Attributes:
        call: The call.
        url_format: The URL format.
        path: Path and query in that format, below the base URL, without the token.
        timeout: Seconds for the request, including the wait for a concurrency slot and for the
            rate limiter; None for no limit.
        use_rate_limiter: Whether the rate limiter is asked first; False if the framework did that.
    """

    call: Call[Any]
    url_format: UrlFormat
    path: str
    timeout: float | None
    use_rate_limiter: bool = True


@dataclass(slots=True, eq=False, repr=False)
class Sleep(Value):
    """Step: sleep for ``seconds``. The outcome is None."""

    seconds: float


@dataclass(slots=True, eq=False, repr=False)
class RunBlocking(Value):
    """Step: run a function that may block, such as reading a file. The outcome is its result."""

    run: Callable[[], Any]


@dataclass(slots=True, eq=False, repr=False)
class HTTPResponse(Value):
    """Outcome: a response was received.

    Attributes:
        status: HTTP status.
        headers: HTTP headers, lower-case names.
        content: The body, decompressed; None for a successful stream whose body is still unread.
    """

    status: int
    # Not in the repr: an error body can quote the token.
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)


@dataclass(slots=True, eq=False, repr=False)
class RequestFailed(Value):
    """Outcome: the request failed before a complete response was received.

    Attributes:
        error: The failure.
        connection_was_stale: Whether a kept-alive connection was found closed, so that the request
            was not processed.
        response_started: Whether part of a response was received, so that the request was
            processed.
    """

    error: XAILowCodeError
    connection_was_stale: bool = False
    response_started: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Success(Value):
    """A successful response.

    Attributes:
        body: xAI's body without the gateway's envelope. For a stream: None while the body is
            unread, or the complete bytes if the gateway buffered it.
        headers: The headers of xAI and of the gateway, lower-case names.
    """

    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


Step = SendRequest | Sleep | RunBlocking
Outcome = HTTPResponse | RequestFailed
Flow = Generator[Step, Any, T]
"""Yields steps, is sent their outcomes, and returns a result."""
