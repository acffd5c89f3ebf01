"""Configuration of the transport: TLS, proxies, limits, and wrappers for other transports."""

import os
import random
import ssl
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address, ip_network
from time import monotonic
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic import SecretStr

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode._internal.validation import check_proxy, check_verify
from xai_lowcode.errors import UsageError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.settings import Settings

# The gateway closes idle connections after 5 s.
KEEPALIVE_SECONDS = 4.0
MAX_CONNECTIONS = 1000
"""Maximum number of concurrent connections of a client; further requests wait."""

# Imported on first use: by this package, by anyio, and by the socket module for host names.
import_before_fork("xai_lowcode.transport.pool", "anyio._backends._asyncio", "encodings.idna")


def create_context(settings: Settings, *, rate_limited_by_framework: bool = False) -> CallContext:
    """Return the call context of a client.

    Args:
        settings: The client's settings.
        rate_limited_by_framework: See ``CallContext``.
    """
    return CallContext(
        RetryPolicy(settings.max_retries, settings.deadline),
        UrlFormatSelector(settings.url_format, settings.parameter_names, settings.base_url),
        settings.known_token(),
        monotonic,
        random.random,
        rate_limited_by_framework,
    )


class Proxy(NamedTuple):
    """A proxy.

    Attributes:
        name: Host and port, for messages.
        httpcore: The ``httpcore.Proxy``, with credentials.
    """

    name: str
    httpcore: Any


class TransportConfig:
    """Configuration of a connection pool.

    Args:
        settings: The client's settings; ``proxy`` and ``verify`` are used.
        max_connections: Maximum number of concurrent connections; further requests wait.
    """

    def __init__(self, settings: Settings, max_connections: int = MAX_CONNECTIONS) -> None:
        self.max_connections = max_connections
        self._settings = settings
        self._proxies: dict[tuple[bytes, bytes, int], Proxy | None] = {}

    @property
    def tls(self) -> ssl.SSLContext:
        """The TLS context, shared by all clients with the same ``verify``."""
        return tls_context(self._settings.verify)

    def proxy_for(self, origin: Any) -> Proxy | None:
        """Return the proxy for an ``httpcore.Origin``; None for a direct connection.

        Raises:
            UsageError: The proxy URL of an environment variable is invalid.
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
        # httpcore is slow to import, and not needed before the first connection.
        import httpcore  # noqa: PLC0415 - see above

        proxy = httpx.Proxy(url.get_secret_value())
        proxy_tls = self.tls if proxy.url.scheme == "https" else None
        return Proxy(
            proxy.url.netloc.decode("ascii"),
            httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth, ssl_context=proxy_tls),
        )


def environment_proxy(scheme: str, host: str, port: int) -> Any:
    """Return the proxy URL from the environment for an origin, as a secret; None for none.

    ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are read with
    ``urllib.request``, which also reads the system settings of macOS and Windows. Beyond it,
    ``NO_PROXY`` may have networks (``10.0.0.0/8``), IPv6 addresses in brackets and ``*.domain``.

    Raises:
        UsageError: The value of the variable is not a proxy URL.
    """
    # The variables of a frame are in error reports, so the password must not be in one.
    proxies = {name: SecretStr(value) for name, value in getproxies().items() if value}
    no_proxy = proxies.pop("no", SecretStr("")).get_secret_value()
    name = scheme if scheme in proxies else "all"
    if (
        name not in proxies
        or proxy_bypass(host)
        or proxy_bypass(f"{host}:{port}")
        or _is_excepted(host, no_proxy)
    ):
        return None
    return check_proxy(_with_scheme(proxies[name]), field=f"{name.upper()}_PROXY")


def _with_scheme(url: SecretStr) -> SecretStr:
    """Return a proxy URL, with the scheme ``http`` if it has none."""
    has_scheme = "://" in url.get_secret_value()
    return url if has_scheme else SecretStr(f"http://{url.get_secret_value()}")


def _is_excepted(host: str, no_proxy: str) -> bool:
    """Return whether ``NO_PROXY`` excepts a host in a form that ``urllib.request`` ignores."""
    for entry in map(str.strip, no_proxy.lower().split(",")):
        if entry.startswith("*.") and host.endswith(entry[1:]):
            return True
        with suppress(ValueError):  # one of both is a name
            if ip_address(host) in ip_network(entry.strip("[]"), strict=False):
                return True
    return False


def tls_context(verify: bool | str | os.PathLike[str] | ssl.SSLContext = True) -> ssl.SSLContext:
    """Return the TLS context for a ``verify`` setting.

    Args:
        verify: True for the default CA certificates or those of ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR``, False for no verification, a file or directory of CA certificates, or
            an ``ssl.SSLContext``, which is returned unchanged.

    Raises:
        UsageError: ``SSL_CERT_FILE`` names no file with certificates, or ``SSLKEYLOGFILE`` no file
            that can be written.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    verify = verify if isinstance(verify, bool) else os.fspath(verify)
    variables = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    try:
        return _tls_context(verify, *(os.environ.get(name) for name in variables))
    except OSError as error:
        # Every new context opens the file that this variable names.
        field = "SSLKEYLOGFILE"
        if error.filename is None or error.filename != os.environ.get(field):
            raise
        raise UsageError(
            f"{field}: the file {error.filename!r} cannot be written ({error.strerror}).",
            field=field,
            hint="Unset the variable, or set it to a file that can be written.",
        ) from None


@lru_cache(maxsize=16)
def _tls_context(
    verify: bool | str, ca_file: str | None, ca_directory: str | None
) -> ssl.SSLContext:
    # Creating a context takes 10 to 20 ms.
    if verify is True and ca_file:
        # Both variables apply, as in OpenSSL; httpx reads one.
        context = _load_certificates(str(check_verify(ca_file, field="SSL_CERT_FILE")))
        if ca_directory:
            context.load_verify_locations(capath=ca_directory)
        return context
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    return _load_certificates(verify)


def _load_certificates(path: str) -> ssl.SSLContext:
    if os.path.isdir(path):  # noqa: PTH112 - the setting is a string
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


class TargetTransport(httpx.BaseTransport):
    """Wraps a transport that builds its request from the string of the URL.

    Puts the request target, with the token, into the URL. Needed for WSGI, mock and other
    transports that are not httpx's own. The wrapped transport, and what it logs, has the token.

    Example:
        >>> http_client = httpx.Client(transport=TargetTransport(httpx.MockTransport(print)))
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the token in its URL."""
        return self._transport.handle_request(_with_target_in_url(request))

    def close(self) -> None:
        """Close the wrapped transport."""
        self._transport.close()


class AsyncTargetTransport(httpx.AsyncBaseTransport):
    """The same for async transports, such as httpx-aiohttp's or ASGI's."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the token in its URL."""
        return await self._transport.handle_async_request(_with_target_in_url(request))

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()


def _with_target_in_url(request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(raw_path=bytes(request.url.raw_path)),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
