"""Law: what holds for the proxies of these tests holds for ``proxy.py``, an independent one.

It is in front of an https gateway whose certificate is for ``localhost``.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.proxies.assertions import assert_origin_form
from tests.proxies.certificates import Certificates
from tests.proxies.interfaces import CONTENT, FEW, INTERFACES
from tests.proxies.leaks import (
    CREDENTIALS,
    PASSWORDS,
    TOKENS,
    render_error,
    with_credentials,
)
from tests.proxies.proxy_settings import FEW_WAYS, HTTP_WAYS, HTTPS_WAYS
from tests.proxies.real_proxy import RealProxy, real_proxy
from tests.proxies.tables import cells, keeps_connections
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("proxy") is None, reason="proxy.py is not installed"),
]


@pytest.fixture(scope="module")
def open_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProxy]:
    """Return the proxy without credentials."""
    with real_proxy(tmp_path_factory.mktemp("open_proxy")) as server:
        yield server


@pytest.fixture(scope="module")
def strict_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProxy]:
    """Return the proxy with user and password."""
    with real_proxy(tmp_path_factory.mktemp("strict_proxy"), CREDENTIALS) as server:
        yield server


@pytest.mark.parametrize(
    ("way", "name"), cells([*FEW_WAYS, "httpx client with mounts"], INTERFACES, every=2)
)
def test_the_proxy_opens_one_tunnel_for_two_calls(
    open_proxy: RealProxy,
    tls_gateway: TLSGateway,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """Each interface gets its responses through one CONNECT; the proxy's log has no token."""
    open_proxy.clear()
    interface, base_url = INTERFACES[name], tls_gateway.base_url("localhost")
    results = HTTPS_WAYS[way].call(
        interface, open_proxy.url, certificates, base_url=base_url, times=2
    )
    assert results[0] == CONTENT if not interface.path else all(results)
    # The proxy writes a line when a tunnel is closed.
    lines = open_proxy.access_lines(tls_gateway.connections)
    assert len(lines) == tls_gateway.connections
    assert len(lines) in ({1} if keeps_connections(way, name) else {1, 2})
    assert all(f" - CONNECT localhost:{tls_gateway.port} - " in line for line in lines)
    assert [secret for secret in TOKENS if secret in open_proxy.log] == []
    for head in tls_gateway.heads:
        assert_origin_form(head, interface.path)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_the_proxy_takes_credentials(
    strict_proxy: RealProxy,
    tls_gateway: TLSGateway,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """The proxy accepts user and password in its URL, special characters included."""
    url, base_url = with_credentials(strict_proxy.url), tls_gateway.base_url("localhost")
    HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=base_url)
    assert len(tls_gateway.heads) == 1


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_the_proxy_refuses_without_credentials(
    strict_proxy: RealProxy,
    tls_gateway: TLSGateway,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """The proxy's 407 is an error with the word proxy and the status."""
    base_url = tls_gateway.base_url("localhost")
    with pytest.raises(APIConnectionError, match="407") as caught:
        HTTPS_WAYS[way].call(INTERFACES[name], strict_proxy.url, certificates, base_url=base_url)
    assert "proxy" in str(caught.value).lower()
    assert [
        secret for secret in (*TOKENS, *PASSWORDS) if secret in render_error(caught.value)
    ] == []
    assert tls_gateway.connections == 0


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_the_proxy_does_not_find_the_gateway(
    open_proxy: RealProxy, certificates: Certificates, way: str, name: str
) -> None:
    """The proxy's 502 for a gateway that refuses connections is an error with the word proxy."""
    with pytest.raises(APIConnectionError, match="502") as caught:
        HTTPS_WAYS[way].call(
            INTERFACES[name], open_proxy.url, certificates, base_url="https://127.0.0.1:9/xai"
        )
    assert "proxy" in str(caught.value).lower()


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", FEW_WAYS)
def test_the_proxy_forwards(
    open_proxy: RealProxy, emulator: Emulator, certificates: Certificates, way: str, name: str
) -> None:
    """A gateway without TLS is reached through the proxy in absolute form."""
    open_proxy.clear()
    HTTP_WAYS[way].call(INTERFACES[name], open_proxy.url, certificates, base_url=emulator.base_url)
    (line,) = open_proxy.access_lines()
    assert " - POST 127.0.0.1:" in line
    assert len(emulator.requests) == 1
