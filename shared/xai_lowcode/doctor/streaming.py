"""How a streamed answer arrived: live or in one block, wrapped or not, as text or inside JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from xai_lowcode import codec
from xai_lowcode.doctor.watching import Exchange
from xai_lowcode.envelope import unwrap, unwrap_chunk
from xai_lowcode.sse import EventCutter

Manner = Literal["live", "buffered", "string", "whole"]

# Bytes that were all there before the first was sent come within one blink, even in several reads;
# an answer that is being written takes its time. Below that, the number of pieces has to tell.
_BLINK = 0.05
_LONG_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Streaming:
    """One streamed answer.

    Attributes:
        manner: ``"live"`` in pieces, ``"buffered"`` in one block after all is written,
            ``"string"`` as a text inside JSON, or ``"whole"``, a plain answer.
        wrapped: The envelope's key around each chunk; None for none.
        pieces: How many reads it took.
        first_after: Seconds until the first piece.
        last_after: Seconds until the last.
    """

    manner: Manner
    wrapped: str | None
    pieces: int
    first_after: float
    last_after: float


def streaming_of(exchange: Exchange) -> Streaming:
    """Judges a streamed answer by its bytes and their times."""
    pieces, content = exchange.pieces, exchange.content
    document = _json(content)
    if document is None:
        manner: Manner = "live" if _is_live(exchange) else "buffered"
    else:
        manner = "string" if isinstance(unwrap(document).body, str) else "whole"
    times = [round(seconds, 4) for seconds, piece in pieces if piece] or [exchange.seconds or 0.0]
    return Streaming(manner, _wrapping(content), len(times), times[0], times[-1])


def _is_live(exchange: Exchange) -> bool:
    if "content-length" in exchange.headers or len(exchange.pieces) < 2:  # noqa: PLR2004 - one block
        return False
    first, last = exchange.pieces[0][0], exchange.pieces[-1][0]
    return last < _LONG_ENOUGH or last - first > _BLINK


def _wrapping(content: bytes) -> str | None:
    for chunk in _chunks(content):
        inner = unwrap_chunk(chunk)
        if inner is not chunk:
            return next(str(key) for key in chunk if chunk[key] is inner)
    return None


def _chunks(content: bytes) -> Iterator[Any]:
    for data in EventCutter().feed(content):
        chunk = _json(data)
        if isinstance(chunk, dict):
            yield chunk


def _json(content: bytes) -> Any:
    try:
        return codec.load(content)
    except codec.JSONDecodeError:
        return None
