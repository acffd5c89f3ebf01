"""The ways to name a proxy, as tables: environment variables, the setting, injected clients.

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

# Takes the library, the proxy's URL, the TLS context, and whether the client is an async one.
_ClientFactory = Callable[[Any, str, ssl.SSLContext, bool], Any]


@dataclass(frozen=True)
class Way:
    """One way to name a proxy.

    Attributes:
        variable: The environment variable that holds its URL.
        setting: Whether the URL is given as the option ``proxy``.
        client: Makes the client to inject.
        library: What the client is made of.
        with_scheme: Whether the environment variable holds the scheme too.
    """

    variable: str = ""
    setting: bool = False
    client: _ClientFactory | None = None
    library: str = "httpx"
    with_scheme: bool = True

    @contextmanager
    def options(self, proxy: str, certificates: Certificates) -> Iterator[dict[str, Any]]:
        """The arguments of ``call``, while the environment is set."""
        url = proxy if self.with_scheme else proxy.partition("://")[2]
        with environment({self.variable: url} if self.variable else {}):
            options: dict[str, Any] = {"proxy": proxy} if self.setting else {}
            if self.client:
                make, library = self.client, LIBRARIES[self.library]
                options["client"] = lambda is_async: make(
                    library, proxy, certificates.trusting, is_async
                )
            else:
                options["verify"] = str(certificates.ca_file)
            yield options

    def call(
        self, interface: Interface, proxy: str, certificates: Certificates, /, **options: Any
    ) -> list[Any]:
        """Calls the gateway with the proxy named in this way."""
        with self.options(proxy, certificates) as chosen:
            return call(interface, **{**chosen, **options})


def _kind(library: Any, is_async: bool) -> Any:
    return library.AsyncClient if is_async else library.Client


def _with_proxy(library: Any, proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    if proxy.startswith("https:"):
        proxy = library.Proxy(proxy, ssl_context=context)
    return _kind(library, is_async)(proxy=proxy, verify=context)


def _with_mounts(library: Any, proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    kind = library.AsyncHTTPTransport if is_async else library.HTTPTransport
    transport = kind(proxy=library.Proxy(proxy), verify=context)
    return _kind(library, is_async)(mounts={"all://": transport}, verify=context)


def _from_environment(library: Any, _proxy: str, context: ssl.SSLContext, is_async: bool) -> Any:
    return _kind(library, is_async)(verify=context)


def with_proxy(proxy: str, certificates: Certificates) -> Callable[[bool], Any]:
    """Makes clients of httpx to inject that have a proxy."""
    return lambda is_async: _with_proxy(httpx, proxy, certificates.trusting, is_async)


def without_proxy(library: str, certificates: Certificates) -> Callable[[bool], Any]:
    """Makes clients to inject that know of no proxy."""

    def make(is_async: bool) -> Any:
        kind = _kind(LIBRARIES[library], is_async)
        return kind(verify=certificates.trusting, trust_env=False)

    return make


def _ways(scheme: str) -> dict[str, Way]:
    own, every = f"{scheme.upper()}_PROXY", "ALL_PROXY"
    ways = {
        "environment": Way(own),
        "lower case": Way(own.lower()),
        "ALL_PROXY": Way(every),
        "all_proxy": Way(every.lower()),
        "without a scheme": Way(own, with_scheme=False),
    }
    ways["setting"] = Way(setting=True)
    for library in LIBRARIES:
        ways[f"{library} client"] = Way(client=_with_proxy, library=library)
        ways[f"{library} client with mounts"] = Way(client=_with_mounts, library=library)
        ways[f"{library} client and environment"] = Way(
            own, client=_from_environment, library=library
        )
    return ways


HTTPS_WAYS = _ways("https")
HTTP_WAYS = _ways("http")
# One of each kind, where all of them would add nothing.
FEW_WAYS = ("environment", "setting", "httpx client")
