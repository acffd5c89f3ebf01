"""Build httpx requests, and record the progress of each, from which its retries are decided.

The token is only in the request target, never in the string of a URL. The target is the path and
query that follow the method. httpx reads it from ``URL.raw_path``; what logs, prints or records
URLs uses ``str(url)``. An http proxy receives the target as part of the absolute URL; an https
tunnel (``CONNECT``) only receives host and port.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote

import httpx

from xai_lowcode._version import __version__
from xai_lowcode.protocol.call_flow import ChangingToken
from xai_lowcode.protocol.steps import SendRequest
from xai_lowcode.settings import Settings

_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"xai-lowcode/{__version__}",
}
# Compression would delay the chunks of a stream.
_STREAM_HEADERS = {**_HEADERS, "Accept": "text/event-stream", "Accept-Encoding": "identity"}
_RAW_HEADERS, _RAW_STREAM_HEADERS = (
    [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    for headers in (_HEADERS, _STREAM_HEADERS)
)

_MAX_CACHED_URLS = 64

# A timeout of 0 would make a socket non-blocking.
_MIN_TIMEOUT = 0.001


@dataclass(slots=True, eq=False, repr=False)
class RequestProgress:
    """Progress of one request on its connection.

    Attributes:
        start: The HTTP method and a space: the first bytes of the request.
        deadline: Monotonic time at which reading and writing time out; None for no limit.
        proxy: Host and port of the proxy in use, for messages; None for none.
        connection_reused: Whether an earlier request used the connection.
        sent: Whether any bytes of the request were written.
        last_write: Monotonic time of the last write.
        bytes_received: Bytes of the response received so far, including its head.
    """

    start: bytes
    deadline: float | None = None
    proxy: str | None = None
    connection_reused: bool = False
    sent: bool = False
    last_write: float = 0.0
    bytes_received: int = 0

    def cap(self, timeout: float | None) -> float | None:
        """Return the smaller one of a timeout and the seconds left until the deadline."""
        if self.deadline is None:
            return timeout
        remaining = max(self.deadline - monotonic(), _MIN_TIMEOUT)
        return remaining if timeout is None else min(timeout, remaining)

    def received(self, data: bytes) -> bytes:
        """Count received bytes, unless they are a proxy's, and return them."""
        if self.sent:
            self.bytes_received += len(data)
        return data


class SecretTarget(bytes):
    """A request target with the token; only its bytes contain it, not its string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<target with token>"

    __str__ = __repr__

    def decode(self, *_encoding: str) -> str:
        """Return the path and query without the token."""
        path, _, query = bytes(self).decode("ascii").partition("?")
        fields = [field for field in query.split("&") if not field.startswith("api_token=")]
        return f"{path}?{'&'.join(fields)}" if fields else path


# Parsing takes 30 us, and each client needs two URLs. They contain no credentials.
_parse_url = lru_cache(maxsize=64)(httpx.URL)


class RequestBuilder:
    """Builds the requests of a client.

    Args:
        settings: The client's settings; base URL and timeouts are used.
        token: The token, or what returns it for each request; default: that of the settings.
    """

    def __init__(self, settings: Settings, token: str | ChangingToken | None = None) -> None:
        self._bases = {
            "gateway": _parse_url(settings.base_url),
            "backend": _parse_url(settings.backend),
        }
        self._token = settings.known_token() if token is None else token
        self._timeout = settings.httpx_timeout.as_dict()
        self._urls: dict[tuple[str, str, type], Any] = {}

    def build(self, step: SendRequest, timeout: float | None) -> httpx.Request:
        """Build a request for ``PooledTransport``; its extension ``progress`` records the progress.

        Args:
            step: The step.
            timeout: Seconds for the request; None for no limit.
        """
        call, endpoint = step.call, step.call.endpoint
        url = self._url(endpoint.host, step.path, httpx.URL)
        deadline = None if timeout is None else monotonic() + timeout
        body = call.body or b""
        headers = [
            (b"Host", url.netloc),
            *(_RAW_STREAM_HEADERS if call.stream else _RAW_HEADERS),
        ]
        if body or endpoint.method not in {"GET", "DELETE"}:
            headers.append((b"Content-Length", b"%d" % len(body)))
        request = httpx.Request(
            endpoint.method,
            url,
            # Given the content, httpx would build the headers three times.
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={
                "timeout": self._cap_timeout(timeout),
                "progress": RequestProgress(f"{endpoint.method} ".encode("ascii"), deadline),
            },
        )
        request.read()
        # httpx.Request converts its URL to httpx.URL.
        request.url = url
        return request

    def build_with_client(self, client: Any, step: SendRequest, timeout: float | None) -> Any:
        """Build a request with an httpx or httpx2 client, which adds its default headers."""
        call, endpoint = step.call, step.call.endpoint
        phases = self._cap_timeout(timeout)
        request = client.build_request(
            endpoint.method,
            str(self._bases[endpoint.host]),
            content=call.body,
            headers=_STREAM_HEADERS if call.stream else _HEADERS,
            timeout=(phases["connect"], phases["read"], phases["write"], phases["pool"]),
        )
        request.url = self._url(endpoint.host, step.path, type(request.url))
        return request

    def address(self, host: str) -> str:
        """Return host and port of the gateway or the backend, without userinfo and token."""
        return self._bases[host].netloc.decode("ascii")

    def _cap_timeout(self, timeout: float | None) -> dict[str, float | None]:
        if timeout is None:
            return self._timeout
        return {
            phase: timeout if seconds is None else min(seconds, timeout)
            for phase, seconds in self._timeout.items()
        }

    def _url(self, host: str, path: str, url_class: type) -> Any:
        if not isinstance(self._token, str):
            # No token is sent to another host.
            token = self._token.read() if host == "gateway" else ""
            return self._build_url(host, path, url_class, token)
        url = self._urls.get((host, path, url_class))
        if url is None:
            url = self._build_url(host, path, url_class, self._token)
            # Paths with ids are rarely used again.
            if len(self._urls) < _MAX_CACHED_URLS:
                self._urls[host, path, url_class] = url
        return url

    def _build_url(self, host: str, path: str, url_class: type, token: str) -> Any:
        base = self._bases[host]
        path = base.raw_path.rstrip(b"/").decode("ascii") + path
        url = str(base.copy_with(raw_path=path.encode("ascii")))
        if host != "gateway":
            return url_class(url)
        separator = "&" if "?" in path else "?"
        target = SecretTarget(
            f"{path}{separator}api_token={quote(str.__str__(token), safe='')}", "ascii"
        )
        return _secret_url_class(url_class)(url, target)


@cache
def _secret_url_class(url_class: Any) -> Any:
    """Return a subclass of httpx's or httpx2's URL with the token in ``raw_path`` only."""

    class SecretURL(url_class):  # type: ignore[misc]  # httpx.URL or httpx2.URL
        def __init__(self, url: str, target: SecretTarget) -> None:
            super().__init__(url)
            self._target = target

        @property
        def raw_path(self) -> bytes:
            """The request target."""
            return self._target

        def __reduce__(self) -> tuple[Any, ...]:
            return url_class, (str(self),)

        def __deepcopy__(self, _memo: Any) -> "SecretURL":
            return self

    return SecretURL
