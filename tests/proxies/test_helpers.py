"""The servers and the recording of these tests report violations, checked with httpx and sockets.

These tests do not depend on the package; if one fails, the tests are wrong.
"""

import socket
from contextlib import closing
from importlib.util import find_spec

import httpx
import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.interfaces import QUOTED_TOKEN, TOKEN
from tests.proxies.leaks import CREDENTIALS, TOKENS, recording, render_error, with_credentials
from tests.proxies.raw_proxy import RawProxy, SocksProxy
from tests.proxies.servers import Address
from tests.proxies.tls_gateway import TLSGateway
from tests.proxies.transcript import mask_token
from xai_lowcode.emulator import Emulator

PATH = f"/xai/v1/models?api_token={QUOTED_TOKEN}"
INVALID_HEADS: dict[str, str] = {
    "a path": f"CONNECT gateway.example:443{PATH} HTTP/1.1\r\nHost: gateway.example:443\r\n",
    "no port": "CONNECT gateway.example HTTP/1.1\r\nHost: gateway.example\r\n",
    "a target alone": f"CONNECT {PATH} HTTP/1.1\r\nHost: gateway.example:443\r\n",
    "no host": "CONNECT gateway.example:443 HTTP/1.1\r\n",
    "another host": "CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example\r\n",
    "the version": "CONNECT gateway.example:443 HTTP/1.0\r\nHost: gateway.example:443\r\n",
    "a user agent": (
        "CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\nUser-Agent: x\r\n"
    ),
    "credentials": (
        "CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\n"
        "Proxy-Authorization: Basic eA==\r\n"
    ),
    "a header twice": (
        "CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\nAccept: */*\r\n"
        "Accept: */*\r\n"
    ),
    "no header": "CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\nodd\r\n",
    "origin form": f"GET {PATH} HTTP/1.1\r\nHost: gateway.example\r\n",
    "another host in a URL": "GET http://gateway.example/ HTTP/1.1\r\nHost: other.example\r\n",
}


@pytest.mark.parametrize("head", INVALID_HEADS)
def test_the_proxy_reports_invalid_requests(gateway_routes: dict[str, Address], head: str) -> None:
    """Each invalid request is reported."""
    with RawProxy(gateway_routes) as proxy:
        with closing(socket.create_connection(proxy.address)) as client:
            client.sendall(f"{INVALID_HEADS[head]}\r\n".encode())
            client.recv(1000)
        assert proxy.open_connections == 0
    assert len(proxy.lines) == 1
    assert proxy.violations


def test_the_proxy_reports_data_that_is_not_tls(gateway_routes: dict[str, Address]) -> None:
    """Data other than TLS in a tunnel is reported, and recorded."""
    with RawProxy(gateway_routes) as proxy:
        with closing(socket.create_connection(proxy.address)) as client:
            client.sendall(b"CONNECT gateway.example:443 HTTP/1.1\r\n")
            client.sendall(b"Host: gateway.example:443\r\n\r\n")
            client.recv(1000)
            client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
            client.recv(1000)
        assert proxy.open_connections == 0
    assert proxy.violations
    assert QUOTED_TOKEN.encode() in proxy.tunnelled


def test_a_tunnel_of_httpx_is_valid(
    proxy: RawProxy, tls_gateway: TLSGateway, emulator: Emulator, certificates: Certificates
) -> None:
    """Requests of httpx are valid: two requests through one tunnel."""
    with httpx.Client(proxy=proxy.url, verify=certificates.client_context) as client:
        for _ in range(2):
            assert client.get(f"https://gateway.example{PATH}").is_success
    assert proxy.lines == ["CONNECT gateway.example:443 HTTP/1.1"]
    assert tls_gateway.lines == [f"GET {PATH} HTTP/1.1"] * 2
    assert tls_gateway.server_names == ["gateway.example"]
    assert (proxy.connections, tls_gateway.connections) == (1, 1)
    assert proxy.open_connections == tls_gateway.open_connections == 0
    assert len(emulator.requests) == 2


async def test_a_tunnel_of_async_httpx_is_valid(
    proxy: RawProxy, certificates: Certificates
) -> None:
    """Requests of the async client are valid."""
    async with httpx.AsyncClient(proxy=proxy.url, verify=certificates.client_context) as client:
        assert (await client.get(f"https://gateway.example{PATH}")).is_success
    assert proxy.lines == ["CONNECT gateway.example:443 HTTP/1.1"]


def test_absolute_form_of_httpx_is_valid(proxy: RawProxy, emulator: Emulator) -> None:
    """Requests of httpx to a proxy for http are valid, and reach the gateway."""
    with httpx.Client(proxy=proxy.url) as client:
        for _ in range(2):
            assert client.get(f"http://gateway.example{PATH}").is_success
    assert proxy.lines == [f"GET http://gateway.example{PATH} HTTP/1.1"] * 2
    assert len(emulator.requests) == 2


def test_an_https_proxy_with_credentials_serves_httpx(
    gateway_routes: dict[str, Address], certificates: Certificates
) -> None:
    """The proxy uses TLS, and requires user and password."""
    context = certificates.server("127.0.0.1")
    with RawProxy(gateway_routes, credentials=CREDENTIALS, tls=context) as proxy:
        given = httpx.Proxy(with_credentials(proxy.url), ssl_context=certificates.client_context)
        with httpx.Client(proxy=given, verify=certificates.client_context) as client:
            assert client.get(f"https://gateway.example{PATH}").is_success
        given = httpx.Proxy(proxy.url, ssl_context=certificates.client_context)
        with (
            httpx.Client(proxy=given, verify=certificates.client_context) as client,
            pytest.raises(httpx.ProxyError, match="407"),
        ):
            client.get(f"https://gateway.example{PATH}")
    assert proxy.lines == ["CONNECT gateway.example:443 HTTP/1.1"] * 2
    assert len(proxy.violations) == 0


@pytest.mark.skipif(find_spec("socksio") is None, reason="httpx needs socksio for SOCKS")
def test_a_socks_proxy_serves_httpx(
    gateway_routes: dict[str, Address], certificates: Certificates
) -> None:
    """The SOCKS5 proxy supports httpx, also with user and password."""
    with SocksProxy(gateway_routes, credentials=CREDENTIALS) as proxy:
        url = with_credentials(proxy.url)
        with httpx.Client(proxy=url, verify=certificates.client_context) as client:
            assert client.get(f"https://gateway.example{PATH}").is_success
    assert proxy.lines == ["SOCKS5 CONNECT gateway.example:443"]
    assert proxy.violations == []


def test_the_recording_finds_a_token(emulator: Emulator) -> None:
    """A token in a URL is found in logs and spans, and one in an exception in its rendering."""
    with recording() as recorded, httpx.Client() as client:
        client.get(f"{emulator.origin}{PATH}")
        recorded.add_object([TOKEN])
    assert {"logs", "http otel", "reprs"} <= set(recorded.places_with(*TOKENS))
    assert TOKEN in render_error(ValueError(TOKEN))


def test_the_transcript_masks_the_token() -> None:
    """The transcript for the documentation has no token."""
    assert mask_token(f"GET {PATH} HTTP/1.1") == "GET /xai/v1/models?api_token=at_*** HTTP/1.1"
