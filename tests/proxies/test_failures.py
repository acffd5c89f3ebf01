"""Law: when a proxy is what fails, the error says so, with the status if there is one.

The class is APIConnectionError; neither the proxy's password nor the token is in it.
"""

import socket
from collections.abc import Iterator

import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.hosts import HTTP_URL, HTTPS_URL
from tests.proxies.interfaces import FEW, INTERFACES
from tests.proxies.leaks import (
    CREDENTIALS,
    PASSWORDS,
    TOKENS,
    USER,
    text_of,
    watched,
    with_credentials,
)
from tests.proxies.proxy_settings import FEW_WAYS, HTTP_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, APITimeoutError


def _page(status: str, body: str = "", headers: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


# What the proxy answers to CONNECT before it closes the connection, and the status of that.
FAILURES: dict[str, tuple[bytes, int | None]] = {
    "forbidden": (_page("403 Forbidden"), 403),
    "forbidden with a page": (_page("403 Forbidden", "<h1>Blocked by policy</h1>"), 403),
    "authentication": (
        _page("407 Proxy Authentication Required", headers="Proxy-Authenticate: Basic\r\n"),
        407,
    ),
    "repeats the credentials": (
        _page(f"407 {PASSWORDS[3]} is wrong", f"{CREDENTIALS} is wrong"),
        407,
    ),
    "bad gateway": (_page("502 Bad Gateway", "<h1>No route to host</h1>"), 502),
    "unavailable": (_page("503 Service Unavailable"), 503),
    "without a reason": (b"HTTP/1.1 502\r\nContent-Length: 0\r\n\r\n", 502),
    "garbage": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
    "binary garbage": (b"\x15\x03\x01\x00\x02\x02\x16", None),
    "closes": (b"", None),
    "closes in the middle": (b"HTTP/1.1 200 Connec", None),
}


def assert_blames_the_proxy(error: APIConnectionError, status: int | None) -> None:
    """Check class, text and status of the error, and that it holds no secret."""
    assert "proxy" in str(error).lower()
    if status is not None:
        assert str(status) in str(error)
    whole = text_of(error)
    assert [secret for secret in (*TOKENS, *PASSWORDS) if secret in whole] == []


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and which nobody else gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(("failure", "way", "name"), cells(FAILURES, FEW_WAYS, INTERFACES, every=5))
def test_a_proxy_that_opens_no_tunnel_is_blamed(
    emulator: Emulator, certificates: Certificates, failure: str, way: str, name: str
) -> None:
    """Whatever it answers to CONNECT instead, the error says proxy, and no request is sent."""
    answer, status = FAILURES[failure]
    with RawProxy({}, credentials=CREDENTIALS, answer=answer) as proxy:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert_blames_the_proxy(caught.value, status)
    assert proxy.lines == ["CONNECT gateway.example:443 HTTP/1.1"]
    assert emulator.requests == []


@pytest.mark.parametrize("base_url", [HTTPS_URL, HTTP_URL])
@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_a_proxy_that_refuses_connections_is_blamed(
    certificates: Certificates, closed_port: int, base_url: str, way: str, name: str
) -> None:
    """Where nobody listens at the proxy's port, the error says proxy, not only gateway."""
    ways = HTTPS_WAYS if base_url == HTTPS_URL else HTTP_WAYS
    url = with_credentials(f"http://127.0.0.1:{closed_port}")
    with pytest.raises(APIConnectionError) as caught:
        ways[way].call(
            INTERFACES[name], url, certificates, base_url=base_url, allow_insecure_http=True
        )
    assert_blames_the_proxy(caught.value, None)


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_wrong_credentials_are_a_failure_of_the_proxy(
    gateway_routes: dict[str, Address], certificates: Certificates, way: str, name: str
) -> None:
    """A proxy that asks for others is blamed with its status 407."""
    with RawProxy(gateway_routes, credentials=f"{USER}:another") as proxy:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert_blames_the_proxy(caught.value, 407)


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, FEW, every=2))
def test_a_silent_proxy_is_a_timeout(certificates: Certificates, way: str, name: str) -> None:
    """A proxy that never answers is waited for as long as a connection may take."""
    with (
        RawProxy({}, silent=True) as proxy,
        pytest.raises(APITimeoutError),
    ):
        HTTPS_WAYS[way].call(
            INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL, timeout=0.3
        )
    assert proxy.connections == 1


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("way", ["environment", "setting"])
def test_https_to_a_proxy_without_tls_is_blamed_on_it(
    certificates: Certificates, way: str, name: str
) -> None:
    """An https URL for a proxy that speaks http is a frequent mistake: the error says proxy."""
    with RawProxy({}, answer=_page("400 Bad Request")) as proxy:
        url = proxy.url.replace("http:", "https:")
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert "proxy" in str(caught.value).lower()


@pytest.mark.parametrize(
    ("failure", "way", "name"),
    cells(["forbidden", "authentication", "garbage", "closes"], FEW_WAYS, FEW, every=2),
)
def test_a_failing_proxy_leaves_no_secret_in_logs_and_spans(
    certificates: Certificates, failure: str, way: str, name: str
) -> None:
    """Logs of all loggers at DEBUG and OpenTelemetry spans hold neither password nor token."""
    answer, _ = FAILURES[failure]
    with RawProxy({}, credentials=CREDENTIALS, answer=answer) as proxy, watched() as seen:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError):
            HTTPS_WAYS[way].call(
                INTERFACES[name], url, certificates, base_url=HTTPS_URL, look=seen.look
            )
    assert seen.found(*TOKENS, *PASSWORDS) == []
