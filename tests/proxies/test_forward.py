"""Law: requests through a proxy to a gateway without TLS are in absolute form.

The proxy receives the token there, which is why http to another machine has to be allowed.
"""

import base64

import httpx
import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.hosts import HTTP_URL
from tests.proxies.interfaces import CONTENT, FEW, INTERFACES, QUOTED_TOKEN, call
from tests.proxies.proxy_settings import FEW_WAYS, HTTP_WAYS
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import UsageError


@pytest.mark.parametrize(("way", "name"), cells(HTTP_WAYS, INTERFACES, every=4))
def test_requests_are_in_absolute_form(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, way: str, name: str
) -> None:
    """However the proxy is configured, each interface sends it whole URLs, with the token."""
    interface = INTERFACES[name]
    (result,) = HTTP_WAYS[way].call(
        interface, proxy.url, certificates, base_url=HTTP_URL, allow_insecure_http=True
    )
    assert result == CONTENT if not interface.path else result
    for head in proxy.heads:
        assert head.all("host") == ["gateway.example"]
        if interface.path:
            url = f"http://gateway.example{interface.path}?api_token={QUOTED_TOKEN}"
            assert head.line == f"POST {url} HTTP/1.1"
        else:
            assert httpx.URL(head.target).path.startswith("/xai/v1/files")
            assert head.target.count(f"api_token={QUOTED_TOKEN}") == 1
    assert proxy.violations == []
    assert len(proxy.heads) == len(emulator.requests) > 0
    assert all(request.with_token for request in emulator.requests)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_credentials_of_the_proxy_go_with_each_request(
    gateway_routes: dict[str, Address], certificates: Certificates, way: str, name: str
) -> None:
    """User and password of the proxy's URL are in the header ``Proxy-Authorization``."""
    with RawProxy(gateway_routes, credentials="proxy-user:password-1") as proxy:
        url = proxy.url.replace("://", "://proxy-user:password-1@")
        HTTP_WAYS[way].call(
            INTERFACES[name],
            url,
            certificates,
            base_url=HTTP_URL,
            allow_insecure_http=True,
            times=2,
        )
    expected = f"Basic {base64.b64encode(b'proxy-user:password-1').decode()}"
    assert [head.all("proxy-authorization") for head in proxy.heads] == [[expected]] * 2
    assert proxy.violations == []


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_http_is_refused_unless_it_is_allowed(
    proxy: RawProxy, certificates: Certificates, way: str, name: str
) -> None:
    """Plain http is refused with a proxy as without one: nothing is sent."""
    with pytest.raises(UsageError, match="allow_insecure_http"):
        HTTP_WAYS[way].call(INTERFACES[name], proxy.url, certificates, base_url=HTTP_URL)
    assert proxy.connections == 0


@pytest.mark.parametrize("name", FEW)
def test_a_forwarding_connection_is_kept(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, name: str
) -> None:
    """Two successive calls use one connection to the proxy."""
    with HTTP_WAYS["setting"].options(proxy.url, certificates) as options:
        results = call(
            INTERFACES[name], **options, base_url=HTTP_URL, allow_insecure_http=True, times=2
        )
    assert len(results) == len(emulator.requests) == 2
    assert proxy.connections == 1
