"""What really went over the wire, exchange by exchange, for the doctor to look at.

Listens through httpx's event hooks, in whose requests the URL has no token. What passes is neither
changed nor held back: the body's pieces are noted on their way to the reader.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Any

import httpx

from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import TransportConfig


@dataclass(slots=True)
class Exchange:
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


class _Noted(httpx.SyncByteStream):
    """A body that notes when each of its pieces came."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            self._exchange.pieces.append((monotonic() - self._exchange.began, piece))
            yield piece

    def close(self) -> None:
        self._inner.close()


class Watch:
    """The exchanges of one HTTP client, in order."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def client(self, settings: Settings) -> httpx.Client:
        """A client like the package's own, which is watched."""
        # httpcore takes long to import, and is not needed before.
        from xai_lowcode.transport.pool import PooledTransport  # noqa: PLC0415 - as said above

        return httpx.Client(
            transport=PooledTransport(TransportConfig(settings)),
            timeout=settings.httpx_timeout,
            # The gateway sets a session cookie with every response; sending it back helps nobody.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"request": [self._sent], "response": [self._came]},
        )

    def _sent(self, request: httpx.Request) -> None:
        path = httpx.URL(str(request.url)).raw_path.decode("ascii")
        self.exchanges.append(Exchange(request.method, path))

    def _came(self, response: httpx.Response) -> None:
        exchange = self.exchanges[-1]
        exchange.status = response.status_code
        exchange.headers = response.headers
        exchange.head_after = monotonic() - exchange.began
        response.stream = _Noted(response.stream, exchange)
