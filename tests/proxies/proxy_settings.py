"""The ways to configure a proxy, as tables: environment variables, the option, injected clients.

Clients of httpx2 are in the tables if it is installed.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx

from tests.proxies.certificates import Certificates
from tests.proxies.environment import environment
from tests.proxies.interfaces import Interface, call

INVENTED_HOST = "gateway.example"
LIBRARIES: dict[str, Any] = {"httpx": httpx}
if find_spec("httpx2"):
    LIBRARIES["httpx2"] = import_module("httpx2")

# Arguments: the library, the proxy's URL, the TLS context, and whether the client is async.
_ClientFactory = Callable[[Any, str, ssl.SSLContext, bool], Any]


@dataclass(frozen=True)
class Way:
    """One way to configure a proxy.

    Attributes:
        variable: The environment variable with its URL.
        setting: Whether the URL is the option ``proxy``.
        client: Creates an injected client.
        library: The library of that client.
        with_scheme: Whether the URL in the environment variable has a scheme.
    """

    variable: str = ""
    setting: bool = False
    client: _ClientFactory | None = None
    library: str = "httpx"
    with_scheme: bool = True

    @contextmanager
    def options(self, proxy: str, certificates: Certificates) -> Iterator[dict[str, Any]]:
        """Set the environment for the block, and yield the arguments of ``call``."""
        url = proxy if self.with_scheme else proxy.partition("://")[2]
        with environment({self.variable: url} if self.variable else {}):
            options: dict[str, Any] = {"proxy": proxy} if self.setting else {}
            if self.client:
                create, library = self.client, LIBRARIES[self.library]
                options["client"] = lambda is_async: create(
                    library, proxy, certificates.client_context, is_async
                )
            else:
                options["verify"] = str(certificates.ca_file)
            yield options

    def call(
        self, interface: Interface, proxy: str, certificates: Certificates, /, **options: Any
    ) -> list[Any]:
        """Call the gateway with the proxy."""
        with self.options(proxy, certificates) as arguments:
            return call(interface, **{**arguments, **options})


def _client_class(library: Any, is_async: bool) -> Any:
    return library.AsyncClient if is_async else library.Client


def _with_proxy(library: Any, proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    if proxy.startswith("https:"):
        proxy = library.Proxy(proxy, ssl_context=context)
    return _client_class(library, is_async)(proxy=proxy, verify=context)


def _with_mounts(library: Any, proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    kind = library.AsyncHTTPTransport if is_async else library.HTTPTransport
    transport = kind(proxy=library.Proxy(proxy), verify=context)
    return _client_class(library, is_async)(mounts={"all://": transport}, verify=context)


def _from_environment(library: Any, _proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    return _client_class(library, is_async)(verify=context)


def with_proxy(proxy: str, certificates: Certificates) -> Callable[[bool], Any]:
    """Return a function that creates httpx clients with a proxy."""
    return lambda is_async: _with_proxy(httpx, proxy, certificates.client_context, is_async)


def without_proxy(library: str, certificates: Certificates) -> Callable[[bool], Any]:
    """Return a function that creates clients that ignore proxies of the environment."""

    def create(is_async: bool) -> Any:
        kind = _client_class(LIBRARIES[library], is_async)
        return kind(verify=certificates.client_context, trust_env=False)

    return create


def _ways(scheme: str) -> dict[str, Way]:
    variable, all_proxy = f"{scheme.upper()}_PROXY", "ALL_PROXY"
    ways = {
        "environment": Way(variable),
        "lower case": Way(variable.lower()),
        "ALL_PROXY": Way(all_proxy),
        "all_proxy": Way(all_proxy.lower()),
        "without a scheme": Way(variable, with_scheme=False),
    }
    ways["setting"] = Way(setting=True)
    for library in LIBRARIES:
        ways[f"{library} client"] = Way(client=_with_proxy, library=library)
        ways[f"{library} client with mounts"] = Way(client=_with_mounts, library=library)
        ways[f"{library} client and environment"] = Way(
            variable, client=_from_environment, library=library
        )
    return ways


HTTPS_WAYS = _ways("https")
HTTP_WAYS = _ways("http")
# A selection with one of each kind, where all of them would test nothing more.
FEW_WAYS = ("environment", "setting", "httpx client")
