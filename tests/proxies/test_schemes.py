"""Law: the proxy itself may use TLS, and may be a SOCKS5 proxy."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.proxies.assertions import CONNECT
from tests.proxies.certificates import Certificates
from tests.proxies.hosts import HTTP_URL, HTTPS_URL
from tests.proxies.interfaces import INTERFACES, QUOTED_TOKEN
from tests.proxies.proxy_settings import FEW_WAYS, HTTP_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy, SocksProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.errors import APIConnectionError

needs_socksio = pytest.mark.skipif(
    find_spec("socksio") is None, reason="SOCKS proxies need the package socksio"
)
SOCKS_WAYS = ("ALL_PROXY", "environment", "setting", "httpx client")


@pytest.fixture
def tls_proxy(gateway_routes: dict[str, Address], certificates: Certificates) -> Iterator[RawProxy]:
    """Return a proxy that uses TLS."""
    with RawProxy(gateway_routes, tls=certificates.server("127.0.0.1")) as proxy:
        yield proxy
    assert proxy.violations == []


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_an_https_proxy_opens_tunnels(
    tls_proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates, way: str, name: str
) -> None:
    """There is TLS to the proxy, and TLS to the gateway inside of it."""
    (result,) = HTTPS_WAYS[way].call(
        INTERFACES[name], tls_proxy.url, certificates, base_url=HTTPS_URL
    )
    assert result
    assert tls_proxy.lines == [CONNECT]
    assert QUOTED_TOKEN.encode() not in tls_proxy.clear + tls_proxy.tunnelled
    assert tls_gateway.connections == 1


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_an_https_proxy_forwards(
    tls_proxy: RawProxy, certificates: Certificates, way: str, name: str
) -> None:
    """A gateway without TLS is reached in absolute form, inside the TLS to the proxy."""
    (result,) = HTTP_WAYS[way].call(
        INTERFACES[name],
        tls_proxy.url,
        certificates,
        base_url=HTTP_URL,
        allow_insecure_http=True,
    )
    assert result
    assert all(" http://gateway.example/xai/v1/" in line for line in tls_proxy.lines)


@pytest.mark.parametrize("name", INTERFACES)
def test_the_certificate_of_a_proxy_is_verified(
    gateway_routes: dict[str, Address], certificates: Certificates, name: str
) -> None:
    """A proxy with a certificate for another host gets no CONNECT; the error has the word proxy."""
    with RawProxy(gateway_routes, tls=certificates.server("other.example")) as proxy:
        with pytest.raises(APIConnectionError, match="certificate verify failed") as caught:
            HTTPS_WAYS["setting"].call(
                INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL, max_retries=2
            )
        assert proxy.heads == []
    assert "proxy" in str(caught.value).lower()
    assert proxy.connections == 1


@needs_socksio
@pytest.mark.parametrize(("way", "name"), cells(SOCKS_WAYS, INTERFACES, every=2))
def test_a_socks_proxy_opens_tunnels(
    gateway_routes: dict[str, Address],
    tls_gateway: TLSGateway,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """The SOCKS5 proxy resolves the host name, and receives TLS afterwards."""
    with SocksProxy(gateway_routes) as proxy:
        (result,) = HTTPS_WAYS[way].call(
            INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL
        )
    assert result
    assert proxy.lines == ["SOCKS5 CONNECT gateway.example:443"]
    assert proxy.violations == []
    assert QUOTED_TOKEN.encode() not in proxy.clear + proxy.tunnelled
    assert tls_gateway.connections == 1


@needs_socksio
@pytest.mark.parametrize("name", ["langchain invoke", "llama_index achat"])
@pytest.mark.parametrize("way", SOCKS_WAYS)
def test_a_socks_proxy_may_ask_for_credentials(
    gateway_routes: dict[str, Address], certificates: Certificates, way: str, name: str
) -> None:
    """User and password of the proxy's URL are sent to it."""
    with SocksProxy(gateway_routes, credentials="proxy-user:password-1") as proxy:
        url = proxy.url.replace("://", "://proxy-user:password-1@")
        HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert proxy.lines == ["SOCKS5 CONNECT gateway.example:443"]
