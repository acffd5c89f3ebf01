"""What can go wrong on request: one small value per misfortune, and nothing about how it is played.

They are queued with `Emulator.inject`. `mishaps` replaces and mars answers by them, `spoiling`
their bytes, `sending` their way over the line; those of a connection are played by `connection`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune, which befalls one request."""


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """Answers with an error of this status, made by the provider or by the gateway."""

    status: int
    error: str = "Refused by the emulator."
    code: str | None = None
    retry_after: float | None = None
    retry_after_in: Literal["body", "header", "both"] = "body"
    source: Literal["provider", "gateway"] = "provider"
    shape: Literal["xai", "openai", "message", "text", "empty", "documented"] = "xai"


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """Answers with the HTML page of a proxy that stands in front of the gateway."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Empty(Fault):
    """Answers with no body; without a content type when that is None."""

    status: int = 200
    content_type: str | None = "application/json"


@dataclass(frozen=True, slots=True)
class Garbage(Fault):
    """Answers with exactly these bytes."""

    body: bytes
    content_type: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """Reads the request and closes the connection without a byte."""


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Reads the request and resets the connection."""


@dataclass(frozen=True, slots=True)
class ResetUnread(Fault):
    """Resets the connection at the first byte of the next request, which is not recorded.

    On a kept connection this is what a client meets whose idle time was just over.
    """


@dataclass(frozen=True, slots=True)
class Outage(Fault):
    """Drops the connection, and refuses new ones for a while: a gateway that is started anew."""

    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class CloseAfter(Fault):
    """Answers as ever, promises to keep the connection, and closes it."""


@dataclass(frozen=True, slots=True)
class CutStream(Fault):
    """Drops the connection in the middle of the answer.

    With `mid_chunk` the next chunk is begun and torn, inside a character if it has one of
    several bytes. A gateway that buffers has sent nothing yet, and answers 500 instead.
    """

    after_chunks: int = 3
    mid_chunk: bool = False


@dataclass(frozen=True, slots=True)
class CutBytes(Fault):
    """Drops the connection after so many bytes of the body."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class EndStreamEarly(Fault):
    """Ends the stream cleanly, but without a finish reason and without `[DONE]`."""

    after_chunks: int = 3


@dataclass(frozen=True, slots=True)
class ErrorInStream(Fault):
    """Ends the stream with an error: a data line, an `error` event, or a `response.failed`."""

    after_chunks: int = 2
    error: str = "Invalid arguments passed to the model."
    code: str | None = "Client specified an invalid argument"
    form: Literal["line", "event", "failed"] = "line"


@dataclass(frozen=True, slots=True)
class ErrorIn200(Fault):
    """Answers with an error under status 200, also where a stream was asked for."""

    error: str = "Timed out waiting for first token"
    code: str | None = "The service is currently unavailable"


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Waits before the answer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SlowDrip(Fault):
    """Waits before every chunk; a plain answer comes in eight pieces."""

    seconds_per_chunk: float


@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """Answers 302 with this address."""

    location: str


@dataclass(frozen=True, slots=True)
class StreamAsJson(Fault):
    """Answers with one whole JSON body though a stream was asked for."""


@dataclass(frozen=True, slots=True)
class NoDone(Fault):
    """Leaves out the `[DONE]` of a stream."""


@dataclass(frozen=True, slots=True)
class DoubleDone(Fault):
    """Sends one `[DONE]` more than there is: a second one, or one where none belongs."""


@dataclass(frozen=True, slots=True)
class HalfCharacter(Fault):
    """Answers whole and with a proper end, but one character in it is broken."""


@dataclass(frozen=True, slots=True)
class WrongType(Fault):
    """Answers with the right body under the wrong content type."""

    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class WrongEnvelope(Fault):
    """Wraps this one answer otherwise than the switch says; `double` wraps it twice."""

    envelope: Literal["result", "data", "bare", "double"] = "double"


@dataclass(frozen=True, slots=True)
class Gzip(Fault):
    """Packs the answer whether or not the client can unpack it; `broken` tears the packet."""

    broken: bool = False


@dataclass(frozen=True, slots=True)
class Endless(Fault):
    """Answers all but the end, and then goes on with nothing, again and again."""

    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class Huge(Fault):
    """Blows the answer up to this size, with white space or comments that mean nothing."""

    megabytes: float = 100


@dataclass(frozen=True, slots=True)
class Heartbeats(Fault):
    """Adds so many empty chunks after the first chunk of a stream."""

    count: int
