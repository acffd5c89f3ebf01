"""No id, file name or base URL from untrusted input redirects a request."""

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xai_lowcode import Gateway, Settings
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.urls import path_parameters

WITH_ID = [operation for operation in GATEWAY_ENDPOINTS if path_parameters(operation)]
SPECIAL = "/.%2e?&#=:;\\ \r\n\t\x00{}$@+~é\u2028\u202e\ud800\N{FULLWIDTH SOLIDUS}\N{FULL STOP}"
ids = st.text(st.sampled_from(SPECIAL + "ab-"), max_size=12) | st.text(max_size=8)
property_settings = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator that records which endpoint of xAI each request reached."""
    with running(url_forms="both") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(emulator: Emulator) -> Iterator[Gateway]:
    """A client of the emulator."""
    settings_ = Settings.create(
        api_token=emulator.api_token, base_url=emulator.base_url, max_retries=0
    )
    with Gateway(settings_) as client:
        yield client


@pytest.mark.parametrize("operation", WITH_ID, ids=lambda operation: operation.name)
@property_settings
@example("../api-key")
@example("..%2Fapi-key")
@example("x/../../api-key")
@example("a?api_token=b")
@example("a\r\nHost: elsewhere")
@example("..")
@given(value=ids)
def test_an_id_cannot_change_the_endpoint(
    emulator: Emulator, gateway: Gateway, operation: Endpoint[Any], value: str
) -> None:
    """Any id reaches the endpoint of the call, or no request is sent."""
    emulator.requests.clear()
    body = {} if operation.method in {"POST", "PATCH"} else None
    try:
        gateway.call(operation, ids=dict.fromkeys(path_parameters(operation), value), body=body)
    except UsageError:
        assert not emulator.requests
        return
    except XAILowCodeError:
        pass
    for request in emulator.requests:
        assert request.upstream_route in {request.route, None}
        assert request.headers["host"] == urlsplit(emulator.base_url).netloc


@property_settings
@given(name=st.text(st.sampled_from(SPECIAL + 'ab"'), max_size=12).filter(str.strip))
def test_a_file_name_stays_in_the_body(emulator: Emulator, gateway: Gateway, name: str) -> None:
    """A file name is sent in JSON: it is in no path, header or part of a form."""
    emulator.requests.clear()
    gateway.upload_file(b"abc", name=name)
    first, *_ = emulator.requests
    # A lone surrogate is sent as U+FFFD.
    assert first.body["name"] == name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert {request.route for request in emulator.requests} == {
        "/v1/files:initialize",
        "/v1/files:uploadChunks",
    }
    for request in emulator.requests:
        assert request.headers.keys() == first.headers.keys()
        assert name not in request.headers.values()


@property_settings
@given(value=st.text(st.sampled_from(SPECIAL + "ab"), min_size=1, max_size=8))
def test_a_query_parameter_changes_nothing_else(
    emulator: Emulator, gateway: Gateway, value: str
) -> None:
    """A query parameter changes neither the path nor the token."""
    emulator.requests.clear()
    try:
        gateway.list_files(pagination_token=value)
    except UsageError:
        assert not value.isprintable()
    except XAILowCodeError:
        pass
    for request in emulator.requests:
        assert (request.path, request.with_token) == ("/xai/v1/files", True)
        assert request.query["pagination_token"] == value


INSECURE_URLS = [
    "http://example.org/xai",
    "http://10.0.0.1/xai",
    "http://0.0.0.0/xai",
    "http://localhost.example.org/xai",
    "http://127.0.0.1.example.org/xai",
    "http://[::ffff:10.0.0.1]/xai",
    "http://127.0.0.1@example.org/xai",
    "HTTP://EXAMPLE.ORG/xai",
    "ftp://127.0.0.1/xai",
]


@pytest.mark.parametrize("base_url", INSECURE_URLS)
def test_plain_http_is_for_loopback_only(base_url: str) -> None:
    """Plain HTTP to another host is rejected, unless `allow_insecure_http` is set."""
    token = "at_r" + "0" * 32
    with pytest.raises(UsageError, match="base_url"):
        Settings.create(api_token=token, base_url=base_url)
    if re.match("http://[^@]*$", base_url, re.IGNORECASE):
        assert Settings.create(api_token=token, base_url=base_url, allow_insecure_http=True)


def test_the_emulator_listens_on_loopback_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """It binds to 127.0.0.1 with every environment variable; another host is an argument."""
    bound: list[Any] = []
    create_server: Callable[..., Any] = socket.create_server

    def create(base_url: Any, **options: Any) -> Any:
        bound.append(base_url)
        return create_server(base_url, **options)

    monkeypatch.setattr(socket, "create_server", create)
    for name in ("HOST", "UVICORN_HOST"):
        monkeypatch.setenv(name, "0.0.0.0")  # noqa: S104 - must be ignored
    with running() as emulator:
        assert urlsplit(emulator.base_url).hostname == "127.0.0.1"
    with running(host="localhost"):
        pass
    assert [host for host, _ in bound] == ["127.0.0.1", "localhost"]
