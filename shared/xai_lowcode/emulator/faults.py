"""Faults that `Emulator.inject` queues, as plain values; `fault_injection` applies them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fault:
    """Base class of the faults; each is applied to one request."""


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """Respond with an error status, from the provider or the gateway."""

    status: int
    error: str = "Refused by the emulator."
    code: str | None = None
    retry_after: float | None = None
    retry_after_in: Literal["body", "header", "both"] = "body"
    source: Literal["provider", "gateway"] = "provider"
    shape: Literal["xai", "openai", "message", "text", "empty", "documented"] = "xai"


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """Respond with the HTML error page of a proxy in front of the gateway."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Empty(Fault):
    """Respond with an empty body; `content_type=None` sends no content type."""

    status: int = 200
    content_type: str | None = "application/json"


@dataclass(frozen=True, slots=True)
class Garbage(Fault):
    """Respond with exactly these bytes."""

    body: bytes
    content_type: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """Read the request and close the connection without a response."""


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Read the request and reset the connection."""


@dataclass(frozen=True, slots=True)
class ResetUnread(Fault):
    """Reset the connection at the first byte of the next request, which is not recorded.

    This is a keep-alive connection that the server closes while the client sends a request.
    """


@dataclass(frozen=True, slots=True)
class Outage(Fault):
    """Close the connection and refuse new ones for some seconds, as a restarting server does."""

    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class CloseAfter(Fault):
    """Send a keep-alive response and then close the connection."""


@dataclass(frozen=True, slots=True)
class CutStream(Fault):
    """Close the connection in the middle of the response.

    With `mid_chunk` the next chunk is sent in part, inside a multi-byte character if it has one.
    A gateway that buffers the stream (`streaming="buffered"`) responds with status 500 instead.
    """

    after_chunks: int = 3
    mid_chunk: bool = False


@dataclass(frozen=True, slots=True)
class CutBytes(Fault):
    """Close the connection after this many bytes of the body."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class EndStreamEarly(Fault):
    """End the stream properly, but without a finish reason and without `[DONE]`."""

    after_chunks: int = 3


@dataclass(frozen=True, slots=True)
class ErrorInStream(Fault):
    """End the stream with an error: a data line, an `error` event, or `response.failed`.

    A `nested` event has the message in an object `error`, as xAI reports that it is overloaded;
    with `after_chunks=0` it is the first event.
    """

    after_chunks: int = 2
    error: str = "Invalid arguments passed to the model."
    code: str | None = "Client specified an invalid argument"
    form: Literal["line", "event", "nested", "failed"] = "line"


@dataclass(frozen=True, slots=True)
class ErrorIn200(Fault):
    """Respond with an error body and status 200, also to a streaming request."""

    error: str = "Timed out waiting for first token"
    code: str | None = "The service is currently unavailable"


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Wait before the response."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SlowDrip(Fault):
    """Wait before every chunk; a response that is not streamed has eight chunks."""

    seconds_per_chunk: float


@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """Respond with status 302 and this location."""

    location: str


@dataclass(frozen=True, slots=True)
class StreamAsJson(Fault):
    """Respond to a streaming request with one JSON body."""


@dataclass(frozen=True, slots=True)
class NoDone(Fault):
    """Omit the `[DONE]` of a stream."""


@dataclass(frozen=True, slots=True)
class DoubleDone(Fault):
    """Append a `[DONE]` to a stream, whether or not it ends with one."""


@dataclass(frozen=True, slots=True)
class InvalidUTF8(Fault):
    """Respond completely, but with one invalid UTF-8 sequence in the body."""


@dataclass(frozen=True, slots=True)
class WrongType(Fault):
    """Respond with the right body and a wrong content type."""

    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class WrongEnvelope(Fault):
    """Use another envelope than the option `envelope`; `double` wraps the body twice."""

    envelope: Literal["result", "data", "bare", "double"] = "double"


@dataclass(frozen=True, slots=True)
class Gzip(Fault):
    """Compress the response whatever the client accepts; `broken` truncates it."""

    broken: bool = False


@dataclass(frozen=True, slots=True)
class Endless(Fault):
    """Send all but the end of the response, and then blank bytes for ever."""

    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class Huge(Fault):
    """Pad the response to this size with white space or SSE comments."""

    megabytes: float = 100


@dataclass(frozen=True, slots=True)
class Heartbeats(Fault):
    """Insert this many empty chunks after the first chunk of a stream."""

    count: int
