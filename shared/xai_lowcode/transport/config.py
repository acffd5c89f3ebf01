"""Configuration of the transport: TLS, proxies, limits, and transports for special cases."""

import os
import random
import ssl
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode._internal.validation import check_proxy
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.redaction import RedactedStr
from xai_lowcode.settings import Settings

# The gateway closes idle connections after 5 s; a connection kept longer would be found closed.
KEEPALIVE_SECONDS = 4.0
MAX_CONNECTIONS = 1000
"""Connections of one client at one time; further calls wait for one."""

# anyio imports its backend, and the socket module the codec of host names, when they are needed.
import_before_fork("xai_lowcode.transport.pool", "anyio._backends._asyncio", "encodings.idna")


def create_context(settings: Settings, *, rate_limited_by_framework: bool = False) -> CallContext:
    """Return what the calls of a client with these settings share."""
    return CallContext(
        RetryPolicy(settings.max_retries, settings.deadline),
        UrlFormatSelector(settings.url_format, settings.parameter_names),
        RedactedStr(settings.api_token.get_secret_value()),
        monotonic,
        random.random,
        rate_limited_by_framework,
    )


class Proxy(NamedTuple):
    """A proxy, as httpcore takes it.

    Attributes:
        name: Host and port, for messages.
        httpcore: An ``httpcore.Proxy``, credentials included.
    """

    name: str
    httpcore: Any


class TransportConfig:
    """What connections are made of, from settings.

    Args:
        settings: The client's settings: ``proxy`` and ``verify``.
        max_connections: Connections at one time; further requests wait for one.
    """

    def __init__(self, settings: Settings, max_connections: int = MAX_CONNECTIONS) -> None:
        self.max_connections = max_connections
        self._settings = settings
        self._proxies: dict[tuple[bytes, bytes, int], Proxy | None] = {}

    @property
    def tls(self) -> ssl.SSLContext:
        """The TLS context, shared by all clients with the same setting."""
        return tls_context(self._settings.verify)

    def proxy_for(self, origin: Any) -> Proxy | None:
        """Return the proxy for an ``httpcore.Origin``; None to connect directly.

        Raises:
            UsageError: An environment variable names a proxy that cannot be used.
        """
        key = (origin.scheme, origin.host, origin.port)
        if key not in self._proxies:
            self._proxies[key] = self._find_proxy(*key)
        return self._proxies[key]

    def _find_proxy(self, scheme: bytes, host: bytes, port: int) -> Proxy | None:
        url = self._settings.proxy
        if url is None:
            url = environment_proxy(scheme.decode("ascii"), host.decode("ascii"), port)
        if url is None or not url.get_secret_value():
            return None
        # httpcore takes long to import, and is not needed before a connection is made.
        import httpcore  # noqa: PLC0415 - as the line above says

        proxy = httpx.Proxy(url.get_secret_value())
        proxy_tls = self.tls if proxy.url.scheme == "https" else None
        return Proxy(
            proxy.url.netloc.decode("ascii"),
            httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth, ssl_context=proxy_tls),
        )


def environment_proxy(scheme: str, host: str, port: int) -> Any:
    """Return the proxy that the environment names for an origin, as a secret; None for none.

    ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are read as the standard
    library does; on macOS and Windows that includes the system's settings.

    Raises:
        UsageError: The variable holds no URL of a proxy.
    """
    proxies = getproxies()
    name = scheme if proxies.get(scheme) else "all"
    url = proxies.get(name)
    if not url or proxy_bypass(host) or proxy_bypass(f"{host}:{port}"):
        return None
    return check_proxy(url if "://" in url else f"http://{url}", field=f"{name.upper()}_PROXY")


def tls_context(verify: bool | str | os.PathLike[str] | ssl.SSLContext = True) -> ssl.SSLContext:
    """Return the TLS context for a ``verify`` setting.

    Args:
        verify: True for the default certificates or those of ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR``, False for no verification, a file or directory of certificates, or a
            context, which is used as it is.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    verify = verify if isinstance(verify, bool) else os.fspath(verify)
    variables = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    return _tls_context(verify, *(os.environ.get(name) for name in variables))


@lru_cache(maxsize=16)
def _tls_context(verify: bool | str, *_environment: str | None) -> ssl.SSLContext:
    # Making a context takes 10 to 20 ms.
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    if os.path.isdir(verify):  # noqa: PTH112 - a string is all there is
        return ssl.create_default_context(capath=verify)
    return ssl.create_default_context(cafile=verify)


class TargetTransport(httpx.BaseTransport):
    """Puts the request target with the token into the URL, for transports that are not httpx's own.

    Needed around transports that build the request from the text of its URL, for instance WSGI or
    mock transports. What records or logs at their level sees the token.

    Example:
        >>> http_client = httpx.Client(transport=TargetTransport(httpx.MockTransport(print)))
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with its target in the URL."""
        return self._inner.handle_request(_with_target_in_url(request))

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()


class AsyncTargetTransport(httpx.AsyncBaseTransport):
    """The same for async transports, for instance httpx-aiohttp's or ASGI's."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with its target in the URL."""
        return await self._inner.handle_async_request(_with_target_in_url(request))

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


def _with_target_in_url(request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(raw_path=bytes(request.url.raw_path)),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
