"""Law: an https gateway is reached through CONNECT, which has its host and port only.

The proxy receives nothing else: no token, no path, no header of the package.
"""

import base64
from urllib.parse import quote

import pytest

from tests.proxies.assertions import CONNECT, assert_origin_form
from tests.proxies.certificates import Certificates
from tests.proxies.environment import environment
from tests.proxies.hosts import HTTPS_URL, OTHER_PORT_URL
from tests.proxies.interfaces import CONTENT, FEW, INTERFACES, OTHER_MODELS, call
from tests.proxies.proxy_settings import FEW_WAYS, HTTPS_WAYS, with_proxy
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator


@pytest.mark.parametrize(("way", "name"), cells(HTTPS_WAYS, INTERFACES, every=4))
def test_the_proxy_receives_host_and_port_only(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """However the proxy is configured, each interface opens a tunnel and sends all data inside."""
    interface = INTERFACES[name]
    (result,) = HTTPS_WAYS[way].call(interface, proxy.url, certificates, base_url=HTTPS_URL)
    assert result == CONTENT if not interface.path else result
    assert proxy.lines == [CONNECT]
    assert proxy.violations == []
    for head in tls_gateway.heads:
        assert_origin_form(head, interface.path)
        assert head.all("host") == ["gateway.example"]
    assert set(tls_gateway.server_names) == {"gateway.example"}
    assert len(tls_gateway.heads) == len(emulator.requests) > 0
    assert all(request.with_token for request in emulator.requests)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_the_port_of_the_base_url_is_named(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates, way: str, name: str
) -> None:
    """CONNECT has the port of the base URL, and so has the Host header of the request inside."""
    HTTPS_WAYS[way].call(INTERFACES[name], proxy.url, certificates, base_url=OTHER_PORT_URL)
    assert proxy.lines == ["CONNECT gateway.example:8443 HTTP/1.1"]
    assert tls_gateway.heads[0].all("host") == ["gateway.example:8443"]


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_credentials_of_the_proxy_are_for_the_proxy(
    gateway_routes: dict[str, Address],
    tls_gateway: TLSGateway,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """User and password of the proxy's URL are sent with CONNECT, decoded, not in the tunnel."""
    user, password = "proxy-user", "pass@word/1"
    with RawProxy(gateway_routes, credentials=f"{user}:{password}") as proxy:
        url = proxy.url.replace("://", f"://{user}:{quote(password, safe='')}@")
        HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert proxy.lines == [CONNECT]
    assert proxy.violations == []
    expected = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert proxy.heads[0].all("proxy-authorization") == [f"Basic {expected}"]
    assert_origin_form(tls_gateway.heads[0], INTERFACES[name].path)


@pytest.mark.parametrize("name", FEW)
def test_the_setting_overrides_the_environment(
    proxy: RawProxy, gateway_routes: dict[str, Address], certificates: Certificates, name: str
) -> None:
    """The option ``proxy`` overrides the environment."""
    with RawProxy(gateway_routes) as other:
        HTTPS_WAYS["environment"].call(
            INTERFACES[name], other.url, certificates, base_url=HTTPS_URL, proxy=proxy.url
        )
    assert (proxy.lines, other.lines) == ([CONNECT], [])


@pytest.mark.parametrize("name", FEW)
def test_an_injected_client_overrides_the_environment(
    proxy: RawProxy, gateway_routes: dict[str, Address], certificates: Certificates, name: str
) -> None:
    """The proxy of an injected client overrides the environment."""
    with RawProxy(gateway_routes) as other, environment({"HTTPS_PROXY": other.url}):
        client = with_proxy(proxy.url, certificates)
        call(INTERFACES[name], client=client, base_url=HTTPS_URL)
    assert (proxy.lines, other.lines) == ([CONNECT], [])


@pytest.mark.parametrize("name", OTHER_MODELS)
@pytest.mark.parametrize("way", ["environment", "setting"])
def test_each_other_model_uses_the_proxy(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, way: str, name: str
) -> None:
    """Embeddings and the image tool use the environment's proxy, and accept the option."""
    (result,) = HTTPS_WAYS[way].call(
        OTHER_MODELS[name], proxy.url, certificates, base_url=HTTPS_URL
    )
    assert result
    assert proxy.lines == [CONNECT]
    assert len(emulator.requests) == 1
