"""Law: the error about a failing proxy has the word proxy, and the status if there is one.

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
    recording,
    render_error,
    with_credentials,
)
from tests.proxies.proxy_settings import FEW_WAYS, HTTP_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, APITimeoutError


def _html_response(status: str, body: str = "", headers: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


# The proxy's response to CONNECT, after which it closes the connection, and its status.
FAILURES: dict[str, tuple[bytes, int | None]] = {
    "forbidden": (_html_response("403 Forbidden"), 403),
    "forbidden with a page": (_html_response("403 Forbidden", "<h1>Blocked by policy</h1>"), 403),
    "authentication": (
        _html_response(
            "407 Proxy Authentication Required", headers="Proxy-Authenticate: Basic\r\n"
        ),
        407,
    ),
    "repeats the credentials": (
        _html_response(f"407 {PASSWORDS[3]} is wrong", f"{CREDENTIALS} is wrong"),
        407,
    ),
    "bad gateway": (_html_response("502 Bad Gateway", "<h1>No route to host</h1>"), 502),
    "unavailable": (_html_response("503 Service Unavailable"), 503),
    "without a reason": (b"HTTP/1.1 502\r\nContent-Length: 0\r\n\r\n", 502),
    "garbage": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
    "binary garbage": (b"\x15\x03\x01\x00\x02\x02\x16", None),
    "closes": (b"", None),
    "closes in the middle": (b"HTTP/1.1 200 Connec", None),
}


def assert_error_of_the_proxy(error: APIConnectionError, status: int | None) -> None:
    """Check class, message and status of the error, and that it has no secret."""
    assert "proxy" in str(error).lower()
    if status is not None:
        assert str(status) in str(error)
    rendered = render_error(error)
    assert [secret for secret in (*TOKENS, *PASSWORDS) if secret in rendered] == []


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses connections and that no other process gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(("failure", "way", "name"), cells(FAILURES, FEW_WAYS, INTERFACES, every=5))
def test_a_failed_connect_is_an_error_of_the_proxy(
    emulator: Emulator, certificates: Certificates, failure: str, way: str, name: str
) -> None:
    """Whatever the response to CONNECT is, the error has the word proxy, and no request is sent."""
    response, status = FAILURES[failure]
    with RawProxy({}, credentials=CREDENTIALS, response=response) as proxy:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert_error_of_the_proxy(caught.value, status)
    assert proxy.lines == ["CONNECT gateway.example:443 HTTP/1.1"]
    assert emulator.requests == []


@pytest.mark.parametrize("base_url", [HTTPS_URL, HTTP_URL])
@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_a_refused_connection_is_an_error_of_the_proxy(
    certificates: Certificates, closed_port: int, base_url: str, way: str, name: str
) -> None:
    """If the proxy's port refuses connections, the error has the word proxy, not only gateway."""
    ways = HTTPS_WAYS if base_url == HTTPS_URL else HTTP_WAYS
    url = with_credentials(f"http://127.0.0.1:{closed_port}")
    with pytest.raises(APIConnectionError) as caught:
        ways[way].call(
            INTERFACES[name], url, certificates, base_url=base_url, allow_insecure_http=True
        )
    assert_error_of_the_proxy(caught.value, None)


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_wrong_credentials_are_an_error_of_the_proxy(
    gateway_routes: dict[str, Address], certificates: Certificates, way: str, name: str
) -> None:
    """The error has the status 407 of a proxy that requires other credentials, and what to do."""
    with RawProxy(gateway_routes, credentials=f"{USER}:another") as proxy:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert_error_of_the_proxy(caught.value, 407)
    assert "http://user:password@host:port" in str(caught.value)


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, FEW, every=2))
def test_a_silent_proxy_is_a_timeout(certificates: Certificates, way: str, name: str) -> None:
    """The connect timeout applies to a proxy that never responds."""
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
def test_https_to_a_proxy_without_tls_is_an_error_of_the_proxy(
    certificates: Certificates, way: str, name: str
) -> None:
    """An https URL of a proxy without TLS is a frequent mistake: the error has the word proxy."""
    with RawProxy({}, response=_html_response("400 Bad Request")) as proxy:
        url = proxy.url.replace("http:", "https:")
        with pytest.raises(APIConnectionError) as caught:
            HTTPS_WAYS[way].call(INTERFACES[name], url, certificates, base_url=HTTPS_URL)
    assert "proxy" in str(caught.value).lower()


@pytest.mark.parametrize(
    ("failure", "way", "name"),
    cells(["forbidden", "authentication", "garbage", "closes"], FEW_WAYS, FEW, every=2),
)
def test_logs_and_spans_of_a_failing_proxy_have_no_secret(
    certificates: Certificates, failure: str, way: str, name: str
) -> None:
    """Logs of all loggers at DEBUG and OpenTelemetry spans have neither password nor token."""
    response, _ = FAILURES[failure]
    with RawProxy({}, credentials=CREDENTIALS, response=response) as proxy, recording() as recorded:
        url = with_credentials(proxy.url)
        with pytest.raises(APIConnectionError):
            HTTPS_WAYS[way].call(
                INTERFACES[name], url, certificates, base_url=HTTPS_URL, inspect=recorded.add_object
            )
    assert recorded.places_with(*TOKENS, *PASSWORDS) == []
