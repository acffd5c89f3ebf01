"""Law: behind a proxy a gateway without TLS is reached by requests in absolute form.

There the proxy reads the token, which is why http to another machine has to be allowed.
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
    """Every way to name the proxy makes every interface send whole URLs to it, token included."""
    interface = INTERFACES[name]
    (answer,) = HTTP_WAYS[way].call(
        interface, proxy.url, certificates, base_url=HTTP_URL, allow_insecure_http=True
    )
    assert answer == CONTENT if not interface.path else answer
    for head in proxy.heads:
        assert head.all("host") == ["gateway.example"]
        if interface.path:
            url = f"http://gateway.example{interface.path}?api_token={QUOTED_TOKEN}"
            assert head.line == f"POST {url} HTTP/1.1"
        else:
            assert httpx.URL(head.target).path.startswith("/xai/v1/files")
            assert head.target.count(f"api_token={QUOTED_TOKEN}") == 1
    assert proxy.odd == []
    assert len(proxy.heads) == len(emulator.requests) > 0
    assert all(request.with_token for request in emulator.requests)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_credentials_of_the_proxy_go_with_each_request(
    gateway_routes: dict[str, Address], certificates: Certificates, way: str, name: str
) -> None:
    """User and password of the proxy's URL are in the header that proxies keep for themselves."""
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
    assert proxy.odd == []


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_http_is_refused_unless_it_is_allowed(
    proxy: RawProxy, certificates: Certificates, way: str, name: str
) -> None:
    """A proxy in between changes nothing about plain http: nothing is sent."""
    with pytest.raises(UsageError, match="allow_insecure_http"):
        HTTP_WAYS[way].call(INTERFACES[name], proxy.url, certificates, base_url=HTTP_URL)
    assert proxy.connections == 0


@pytest.mark.parametrize("name", FEW)
def test_a_forwarding_connection_is_kept(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, name: str
) -> None:
    """Two calls, one after the other, get two answers through one forwarding connection."""
    with HTTP_WAYS["setting"].options(proxy.url, certificates) as options:
        answers = call(
            INTERFACES[name], **options, base_url=HTTP_URL, allow_insecure_http=True, times=2
        )
    assert len(answers) == len(emulator.requests) == 2
    assert proxy.connections == 1
