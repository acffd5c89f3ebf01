"""Law: which variables of the environment apply to a base URL, and which hosts NO_PROXY excepts.

The invented host is resolved to this machine here, so that it can be reached without a proxy too.
"""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.environment import environment
from tests.proxies.hosts import HTTP_URL, HTTPS_URL
from tests.proxies.interfaces import FEW, INTERFACES, call
from tests.proxies.proxy_settings import INVENTED_HOST, without_proxy
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.tables import cells
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator
from xai_lowcode.transport.config import environment_proxy

# NO_PROXY, the gateway's host, and whether the proxy is used. PORT is the gateway's.
TABLE: dict[str, tuple[str, str, bool]] = {
    "exact host": ("gateway.example", INVENTED_HOST, False),
    "another host": ("other.example", INVENTED_HOST, True),
    "the end of a word": ("ateway.example", INVENTED_HOST, True),
    "a longer host": ("gateway.example.org", INVENTED_HOST, True),
    "domain with a dot": (".example", INVENTED_HOST, False),
    "another domain": (".example.org", INVENTED_HOST, True),
    "host and port": ("gateway.example:PORT", INVENTED_HOST, False),
    "host and another port": ("gateway.example:1", INVENTED_HOST, True),
    "everything": ("*", INVENTED_HOST, False),
    "a list": ("localhost,other.example,gateway.example", INVENTED_HOST, False),
    "a list with spaces": ("localhost , gateway.example", INVENTED_HOST, False),
    "a list without it": ("localhost, 127.0.0.1, other.example", INVENTED_HOST, True),
    "empty": ("", INVENTED_HOST, True),
    "address": ("127.0.0.1", "127.0.0.1", False),
    "another address": ("127.0.0.2", "127.0.0.1", True),
    "localhost": ("localhost", "localhost", False),
    "network": ("127.0.0.0/8", "127.0.0.1", False),
    "another network": ("10.0.0.0/8", "127.0.0.1", True),
    "a network in a list": ("other.example, 127.0.0.0/8", "127.0.0.1", False),
    "IPv6 networks and brackets": ("[::1],fe80::/10,::1/128", "127.0.0.1", True),
    "no network": ("127.0.0.0/99", "127.0.0.1", True),
    "a network for a name": ("127.0.0.0/8", INVENTED_HOST, True),
    "domain with a star": ("*.example", INVENTED_HOST, False),
    "another domain with a star": ("*.example.org", INVENTED_HOST, True),
    "a star in a word": ("*example", INVENTED_HOST, True),
}

VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def _resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if name == INVENTED_HOST else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def reached(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates
) -> Callable[..., bool]:
    """Calls with an environment, and returns whether the proxy was used."""

    def reach(name: str, base_url: str, variables: dict[str, str], **options: Any) -> bool:
        proxy.heads.clear()
        tls_gateway.heads.clear()
        with environment(variables):
            trust = {} if "client" in options else {"verify": str(certificates.ca_file)}
            (answer,) = call(INTERFACES[name], base_url=base_url, **trust, **options)
        assert answer
        if base_url.startswith("https"):
            assert len(tls_gateway.heads) == 1
        return bool(proxy.heads)

    return reach


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("row", TABLE)
def test_no_proxy_names_what_is_reached_directly(
    proxy: RawProxy, tls_gateway: TLSGateway, reached: Callable[..., bool], row: str, name: str
) -> None:
    """An exact host, a domain with a dot, a host with its port, and ``*`` except the gateway."""
    excepted, host, proxied = TABLE[row]
    for real in ("127.0.0.1", "localhost"):
        proxy.routes[f"{real}:{tls_gateway.port}"] = tls_gateway.address
    variables = {
        "HTTPS_PROXY": proxy.url,
        "NO_PROXY": excepted.replace("PORT", str(tls_gateway.port)),
    }
    assert reached(name, tls_gateway.base_url(host), variables) == proxied


@pytest.mark.parametrize("excepted", ["::1", "[::1]", "::/64", "a.example,[::1]"])
def test_no_proxy_may_have_ipv6_addresses_and_networks(excepted: str) -> None:
    """With and without brackets; other addresses use the proxy."""
    with environment({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": excepted}):
        assert environment_proxy("https", "::1", 443) is None
        assert environment_proxy("https", "2001:db8::1", 443) is not None


@pytest.mark.parametrize("name", FEW)
def test_no_proxy_may_be_in_lower_case(
    proxy: RawProxy, tls_gateway: TLSGateway, reached: Callable[..., bool], name: str
) -> None:
    """``no_proxy`` does what ``NO_PROXY`` does."""
    variables = {"https_proxy": proxy.url, "no_proxy": INVENTED_HOST}
    assert not reached(name, tls_gateway.base_url(INVENTED_HOST), variables)


@pytest.mark.parametrize("excepted", ["gateway.example", "other.example", "*", ""])
@pytest.mark.parametrize("name", FEW)
def test_no_proxy_alone_changes_nothing(
    tls_gateway: TLSGateway, certificates: Certificates, name: str, excepted: str
) -> None:
    """Without a proxy calls go directly, and keep their connection, whatever NO_PROXY says."""
    with environment({"NO_PROXY": excepted}):
        url = tls_gateway.base_url(INVENTED_HOST)
        call(INTERFACES[name], base_url=url, verify=str(certificates.ca_file), times=2)
    assert len(tls_gateway.heads) == 2
    assert tls_gateway.connections == 1


@pytest.mark.parametrize(("variable", "name"), cells(VARIABLES, INTERFACES, every=2))
def test_an_empty_setting_means_no_proxy(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates, variable: str, name: str
) -> None:
    """With ``proxy=""`` every interface goes directly, whatever the environment says."""
    with environment({variable: proxy.url}):
        url, verify = tls_gateway.base_url(INVENTED_HOST), str(certificates.ca_file)
        (answer,) = call(INTERFACES[name], base_url=url, verify=verify, proxy="")
    assert answer
    assert (proxy.connections, tls_gateway.connections) == (0, 1)


@pytest.mark.parametrize("name", FEW)
def test_an_empty_setting_means_no_proxy_for_http_too(
    proxy: RawProxy, emulator: Emulator, name: str
) -> None:
    """With ``proxy=""`` a gateway without TLS is reached directly as well."""
    with environment({"HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url}):
        call(INTERFACES[name], base_url=emulator.base_url, proxy="")
    assert (proxy.connections, len(emulator.requests)) == (0, 1)


@pytest.mark.parametrize("name", FEW)
def test_http_proxy_is_not_for_https(
    proxy: RawProxy, tls_gateway: TLSGateway, reached: Callable[..., bool], name: str
) -> None:
    """HTTP_PROXY is about base URLs with http."""
    url = tls_gateway.base_url(INVENTED_HOST)
    assert not reached(name, url, {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url})


@pytest.mark.parametrize("name", FEW)
def test_https_proxy_is_not_for_http(
    proxy: RawProxy, emulator: Emulator, reached: Callable[..., bool], name: str
) -> None:
    """HTTPS_PROXY is about base URLs with https."""
    assert not reached(
        name, emulator.base_url, {"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url}
    )


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("base_url", [HTTPS_URL, HTTP_URL])
def test_the_scheme_s_own_variable_comes_before_all_proxy(
    proxy: RawProxy, reached: Callable[..., bool], base_url: str, name: str
) -> None:
    """ALL_PROXY is for what has no variable of its own."""
    own = "HTTPS_PROXY" if base_url == HTTPS_URL else "HTTP_PROXY"
    variables = {own: proxy.url, "ALL_PROXY": "http://127.0.0.1:1"}
    assert reached(name, base_url, variables, allow_insecure_http=True)


@pytest.mark.parametrize("name", FEW)
def test_an_injected_client_may_ignore_the_environment(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    certificates: Certificates,
    reached: Callable[..., bool],
    name: str,
) -> None:
    """A client that was made with ``trust_env=False`` goes directly."""
    client = without_proxy("httpx", certificates)
    url = tls_gateway.base_url(INVENTED_HOST)
    assert not reached(name, url, {"HTTPS_PROXY": proxy.url}, client=client)
