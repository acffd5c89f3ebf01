"""httpx, set up for this gateway: the clients' own connections, and what both read of answers.

Both clients share all of this; they differ in who waits.
"""

import http.cookiejar
import random
import ssl
from functools import cache
from time import monotonic
from typing import Any
from urllib.request import getproxies

import httpx

from xai_lowcode.addresses import UrlForms
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.exchange import Session
from xai_lowcode.idle import KEEPALIVE_SECONDS, MOST
from xai_lowcode.limits import limits_of
from xai_lowcode.redaction import Secret
from xai_lowcode.retry import RetryPolicy
from xai_lowcode.settings import Settings
from xai_lowcode.steps import Answer, Call, Opened


@cache
def tls_context() -> ssl.SSLContext:
    """One TLS context for all clients of the process: making one costs 10 to 20 ms."""
    return httpx.create_ssl_context()


def session_of(settings: Settings, rate_limiter: Any = None) -> Session:
    """What the calls of a client with these settings have in common."""
    return Session(
        RetryPolicy(settings.max_retries, settings.deadline),
        UrlForms(settings.url_format, settings.parameter_names),
        Secret(settings.api_token.get_secret_value()),
        monotonic,
        random.random,
        limits_of(settings.max_concurrency, rate_limiter),
    )


def own_client(settings: Settings) -> Any:
    """A client of this package's own."""
    if _behind_proxy():
        return httpx.Client(**client_options(settings))
    # httpcore takes long to import, and is not needed before.
    from xai_lowcode.connections import DirectClient  # noqa: PLC0415 - as the line above says

    return DirectClient(tls_context())


def own_async_client(settings: Settings) -> Any:
    """An async client of this package's own."""
    if _behind_proxy():
        return httpx.AsyncClient(**client_options(settings))
    from xai_lowcode.async_connections import AsyncDirectClient  # noqa: PLC0415 - as above

    return AsyncDirectClient(tls_context())


def _behind_proxy() -> bool:
    """Whether the environment names proxies, which httpx's clients know how to use."""
    return bool(getproxies())


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments for a client of httpx's own class, as far as it is to be like ours."""
    return {
        "verify": tls_context(),
        "limits": httpx.Limits(max_connections=MOST, keepalive_expiry=KEEPALIVE_SECONDS),
        "timeout": settings.httpx_timeout,
        # The gateway sets a session cookie with every answer; sending it back serves nobody.
        "cookies": http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
    }


class Probe:
    """Notices whether a request opened its own connection.

    Own connections say so themselves, those of a client that was given through httpx's trace
    extension.
    """

    __slots__ = ("fresh", "seen")

    def __init__(self) -> None:
        self.seen = self.fresh = False

    def note(self, event: str) -> None:
        """Takes the name of one of httpcore's trace events."""
        self.seen = True
        if event.startswith("connection.connect"):
            self.fresh = True

    def __call__(self, event: str, _info: Any) -> Any:
        """Takes one of httpcore's trace events."""
        self.note(event)

    @property
    def reused(self) -> bool:
        """Whether a kept-alive connection was used, as far as the transport tells."""
        return self.seen and not self.fresh


class AsyncProbe(Probe):
    """The same for an async client."""

    __slots__ = ()

    async def __call__(self, event: str, _info: Any) -> None:
        """Takes one of httpcore's trace events."""
        self.note(event)


class Deadline:
    """The moment by which an answer must have been read."""

    __slots__ = ("_end", "_late", "_within")

    def __init__(self, within: float | None) -> None:
        self._within = within
        self._end = None if within is None else monotonic() + within
        self._late = False

    def check(self) -> None:
        """Notes that a piece came; raises APITimeoutError if the one before it came too late.

        A piece that is late may be the last one, and then the answer is whole, and paid for.
        """
        if self._end is None:
            return
        if self._late:
            raise APITimeoutError(
                f"The answer was not complete within {self._within:.3g} s.", reached=True
            )
        self._late = monotonic() > self._end


def arrives_in_pieces(call: Call[Any], response: Any) -> bool:
    """Whether the body is left to be read piece by piece.

    JSON and HTML are read whole, and so is what comes packed although it was asked not to be.
    """
    content_type = response.headers.get("content-type", "")
    return (
        call.stream
        and response.is_success
        and not content_type.startswith(("application/json", "text/html"))
        and "content-encoding" not in response.headers
    )


ENOUGH = True
"""What the stream of a client is sent when its answer is complete."""


def abandon(response: Any) -> bool:
    """Drops the own connection of an answer without waiting; whether it is one of ours."""
    drop = response.extensions.get("abandon")
    if drop is not None:
        drop()
    return drop is not None


def opened(response: Any) -> Opened:
    """The head of a stream."""
    return Opened(_headers(response))


def answer(response: Any, content: bytes) -> Answer:
    """A whole answer, unpacked if it came packed."""
    if "content-encoding" in response.headers:
        # httpx unpacks pieces too, but leaves a generator behind when they are not read to the end.
        content = httpx.Response(200, headers=response.headers, content=content).content
    return Answer(response.status_code, _headers(response), content)


def _headers(response: Any) -> dict[str, str]:
    return dict(response.headers.items())


class TargetTransport(httpx.BaseTransport):
    """Puts the request target into the URL below the client, for transports that ignore it.

    Needed around transports other than httpx's own, for instance WSGI or mock transports. What
    records or logs at their level sees the token.

    Example:
        >>> http_client = httpx.Client(transport=TargetTransport(httpx.MockTransport(print)))
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request with its target in the URL."""
        return self._inner.handle_request(_with_target_in_url(request))

    def close(self) -> None:
        """Closes the transport below."""
        self._inner.close()


class AsyncTargetTransport(httpx.AsyncBaseTransport):
    """The same for async transports, for instance httpx-aiohttp's or ASGI's."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request with its target in the URL."""
        return await self._inner.handle_async_request(_with_target_in_url(request))

    async def aclose(self) -> None:
        """Closes the transport below."""
        await self._inner.aclose()


def _with_target_in_url(request: httpx.Request) -> httpx.Request:
    extensions = {name: value for name, value in request.extensions.items() if name != "target"}
    target = request.extensions.get("target")
    return httpx.Request(
        request.method,
        request.url if target is None else request.url.copy_with(raw_path=bytes(target)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )
