"""httpx, set up for this gateway: how the token travels, and what httpx's failures mean.

The token goes into the request target only (httpx's documented extension of that name), never
into a URL object, so that no log, exception, span or cassette that prints URLs can show it. Both
clients share all of this; they differ in who waits.
"""

import http.cookiejar
import random
import ssl
from functools import cache
from time import monotonic
from typing import Any
from urllib.parse import quote

import httpx

from xai_lowcode._version import __version__
from xai_lowcode.addresses import UrlForms
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    StreamInterruptedError,
    UnreadableAnswerError,
    XAILowCodeError,
)
from xai_lowcode.exchange import Answer, Call, Dropped, Opened, Send, Session
from xai_lowcode.redaction import Secret
from xai_lowcode.retry import RetryPolicy
from xai_lowcode.settings import Settings

# The gateway closes idle connections after 5 s; a connection kept longer would be found closed.
KEEPALIVE_SECONDS = 4.0
LIMITS = httpx.Limits(
    max_connections=100, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_SECONDS
)


class Target(bytes):
    """A request target that holds the token: bytes to the wire, blanked in every print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<target with token>"

    __str__ = __repr__


@cache
def tls_context() -> ssl.SSLContext:
    """One TLS context for all clients of the process: making one costs 10 to 20 ms."""
    return httpx.create_ssl_context()


def session_of(settings: Settings) -> Session:
    """What the calls of a client with these settings have in common."""
    return Session(
        RetryPolicy(settings.max_retries, settings.deadline),
        UrlForms(settings.url_format, settings.parameter_names),
        Secret(settings.api_token.get_secret_value()),
        monotonic,
        random.random,
    )


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments for an httpx client of this package's own."""
    return {
        "verify": tls_context(),
        "limits": LIMITS,
        "timeout": settings.httpx_timeout,
        # The gateway sets a session cookie with every answer; sending it back serves nobody.
        "cookies": http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
    }


class Mailer:
    """Makes requests out of calls, and outcomes out of what httpx gives back.

    Args:
        settings: Token, address and timeouts.
    """

    def __init__(self, settings: Settings) -> None:
        self._urls = {
            "gateway": httpx.URL(settings.base_url),
            "backend": httpx.URL(settings.backend),
        }
        self._token = quote(settings.api_token.get_secret_value(), safe="")
        self._timeout = settings.httpx_timeout

    def request(self, client: Any, step: Send, probe: Any) -> Any:
        """Builds the request with the client's own headers, and the token in its target."""
        call = step.call
        host = call.operation.host
        base = self._urls[host]
        path = base.raw_path.rstrip(b"/").decode("ascii") + step.path
        sign = "&" if "?" in path else "?"
        return client.build_request(
            call.operation.method,
            base.copy_with(raw_path=path.encode("ascii")),
            content=call.body,
            headers=_STREAM_HEADERS if call.stream else _HEADERS,
            timeout=_capped(self._timeout, step.within),
            extensions={
                "target": Target(f"{path}{sign}api_token={self._token}", "ascii")
                if host == "gateway"
                else path.encode("ascii"),
                "trace": probe,
            },
        )


_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": f"xai-lowcode/{__version__}",
}
# Compression would hold back the pieces of a live stream.
_STREAM_HEADERS = {**_HEADERS, "Accept": "text/event-stream", "Accept-Encoding": "identity"}


def _capped(timeout: httpx.Timeout, within: float | None) -> httpx.Timeout:
    if within is None:
        return timeout
    phases = {
        phase: within if seconds is None else min(seconds, within)
        for phase, seconds in timeout.as_dict().items()
    }
    return httpx.Timeout(**phases)


class Probe:
    """Notices, through httpx's trace extension, whether a request opened its own connection."""

    __slots__ = ("fresh", "seen")

    def __init__(self) -> None:
        self.seen = self.fresh = False

    def __call__(self, event: str, _info: Any) -> None:
        """Takes one of httpcore's trace events."""
        self.seen = True
        if event.startswith("connection.connect"):
            self.fresh = True

    async def asynchronous(self, event: str, info: Any) -> None:
        """The same for an async client."""
        self(event, info)

    @property
    def reused(self) -> bool:
        """Whether a kept-alive connection was used, as far as the transport tells."""
        return self.seen and not self.fresh


class Deadline:
    """The moment by which an answer must have been read."""

    __slots__ = ("_end", "_within")

    def __init__(self, within: float | None) -> None:
        self._within = within
        self._end = None if within is None else monotonic() + within

    def check(self) -> None:
        """Raises APITimeoutError when the moment has passed."""
        if self._end is not None and monotonic() > self._end:
            raise APITimeoutError(
                f"The answer was not complete within {self._within:.3g} s.", reached=True
            )


def arrives_in_pieces(call: Call[Any], response: Any) -> bool:
    """Whether the body is left to be read piece by piece; JSON and HTML are read whole."""
    content_type = response.headers.get("content-type", "")
    return (
        call.stream
        and response.is_success
        and not content_type.startswith(("application/json", "text/html"))
    )


def opened(response: Any) -> Opened:
    """The head of a stream."""
    return Opened(_headers(response))


def answer(response: Any, content: bytes) -> Answer:
    """A whole answer."""
    return Answer(response.status_code, _headers(response), content)


def _headers(response: Any) -> dict[str, str]:
    return dict(response.headers.items())


# What httpx's failures mean, by class name: httpx and its successor httpx2 share the names. The
# second member says whether the request may have arrived.
_MEANINGS: dict[str, tuple[type[APIConnectionError], bool]] = {
    "ConnectTimeout": (APITimeoutError, False),
    "PoolTimeout": (APITimeoutError, False),
    "TimeoutException": (APITimeoutError, True),
    "ConnectError": (APIConnectionError, False),
    "ProxyError": (APIConnectionError, False),
    "UnsupportedProtocol": (APIConnectionError, False),
    "TransportError": (APIConnectionError, True),
    "OSError": (APIConnectionError, True),
}


def failure(exception: Exception) -> XAILowCodeError | None:
    """What a failure of httpx means; None if it is no failure of the network.

    The result is not linked to the exception: its request holds the token, and its traceback frames
    that do.
    """
    if isinstance(exception, XAILowCodeError):
        return exception
    names = [base.__name__ for base in type(exception).__mro__]
    said = f"{type(exception).__name__}: {exception}" if str(exception) else names[0]
    if "DecodingError" in names:
        return UnreadableAnswerError(f"The answer could not be decompressed ({said}).")
    for name in names:
        if name in _MEANINGS:
            error, reached = _MEANINGS[name]
            return error(f"{_SENTENCES[error]} ({said}).", reached=reached)
    return None


_SENTENCES: dict[type[APIConnectionError], str] = {
    APITimeoutError: "The gateway did not answer in time",
    APIConnectionError: "No answer came from the gateway",
}


def dropped(exception: Exception, probe: Probe, response: Any) -> Dropped | None:
    """The outcome of an attempt that httpx could not finish; None if it is not httpx's failure.

    Args:
        exception: What httpx raised.
        probe: What was seen of the connection.
        response: The head of the answer, if it had come.
    """
    error = failure(exception)
    if error is None:
        return None
    timed_out = isinstance(error, APITimeoutError)
    reached = isinstance(error, APIConnectionError) and error.reached
    begun = response is not None
    if isinstance(error, APIConnectionError):
        error.begun = begun
    return Dropped(
        error, stale=probe.reused and reached and not timed_out and not begun, begun=begun
    )


def broken_off(exception: Exception) -> XAILowCodeError | None:
    """What it means when reading a stream fails after it began."""
    error = failure(exception)
    if error is None or isinstance(error, APITimeoutError | UnreadableAnswerError):
        return error
    return StreamInterruptedError(
        f"The stream broke off ({error.message})",
        hint="What was received is not the whole answer.",
    )


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
