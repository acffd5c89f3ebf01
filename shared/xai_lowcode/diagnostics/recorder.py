"""How a streamed answer arrived: live or in one block, wrapped or not, as text or inside JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Any, Literal

import httpx

from xai_lowcode._internal import json
from xai_lowcode.protocol.envelope import unwrap, unwrap_chunk
from xai_lowcode.protocol.sse import SSEDecoder
from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import TransportConfig


@dataclass(slots=True)
class RecordedExchange:
    """One request, and what came back.

    Attributes:
        method: HTTP method.
        path: Path and query as they were sent, without the token.
        began: When it was sent, in monotonic seconds.
        status: HTTP status; None if no answer came.
        headers: Headers of the answer.
        pieces: The body as it came: seconds since the request, and bytes, compressed or not.
        head_after: Seconds until the head of the answer.
    """

    method: str
    path: str
    began: float = field(default_factory=monotonic)
    status: int | None = None
    # Answers can quote the token, so neither is printed with the record.
    headers: httpx.Headers = field(default_factory=httpx.Headers, repr=False)
    pieces: list[tuple[float, bytes]] = field(default_factory=list, repr=False)
    head_after: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took to the last piece; None if no answer came."""
        seconds = self.pieces[-1][0] if self.pieces else self.head_after
        return None if seconds is None else round(seconds, 4)

    @property
    def content(self) -> bytes:
        """The body so far, unpacked if that is possible."""
        raw = b"".join(piece for _, piece in self.pieces)
        packing = {
            name: value for name, value in self.headers.items() if name == "content-encoding"
        }
        try:
            return httpx.Response(200, headers=packing, content=raw).content
        except httpx.DecodingError:
            return raw


class _RecordingStream(httpx.SyncByteStream):
    """A body that notes when each of its pieces came."""

    def __init__(self, inner: Any, exchange: RecordedExchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            self._exchange.pieces.append((monotonic() - self._exchange.began, piece))
            yield piece

    def close(self) -> None:
        self._inner.close()


class ExchangeRecorder:
    """The exchanges of one HTTP client, in order."""

    def __init__(self) -> None:
        self.exchanges: list[RecordedExchange] = []

    def client(self, settings: Settings) -> httpx.Client:
        """A client like the package's own, which is watched."""
        # httpcore takes long to import, and is not needed before.
        from xai_lowcode.transport.pool import PooledTransport  # noqa: PLC0415 - as said above

        return httpx.Client(
            transport=PooledTransport(TransportConfig(settings)),
            timeout=settings.httpx_timeout,
            # The gateway sets a context cookie with every response; sending it back helps nobody.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"request": [self._sent], "response": [self._came]},
        )

    def _sent(self, request: httpx.Request) -> None:
        path = httpx.URL(str(request.url)).raw_path.decode("ascii")
        self.exchanges.append(RecordedExchange(request.method, path))

    def _came(self, response: httpx.Response) -> None:
        exchange = self.exchanges[-1]
        exchange.status = response.status_code
        exchange.headers = response.headers
        exchange.head_after = monotonic() - exchange.began
        response.stream = _RecordingStream(response.stream, exchange)


DeliveryMode = Literal["live", "buffered", "string", "whole"]

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

    manner: DeliveryMode
    wrapped: str | None
    pieces: int
    first_after: float
    last_after: float


def judge_streaming(exchange: RecordedExchange) -> Streaming:
    """Judges a streamed answer by its bytes and their times."""
    pieces, content = exchange.pieces, exchange.content
    document = _json(content)
    if document is None:
        manner: DeliveryMode = "live" if _is_live(exchange) else "buffered"
    else:
        manner = "string" if isinstance(unwrap(document).body, str) else "whole"
    times = [round(seconds, 4) for seconds, piece in pieces if piece] or [exchange.seconds or 0.0]
    return Streaming(manner, _wrapping(content), len(times), times[0], times[-1])


def _is_live(exchange: RecordedExchange) -> bool:
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
    for data in SSEDecoder().feed(content):
        chunk = _json(data)
        if isinstance(chunk, dict):
            yield chunk


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return None
