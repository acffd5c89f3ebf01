"""The token is only in the request target; timeouts, error mapping and size limits."""

import gzip
import pickle
import ssl
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest
import vcr  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tests.core import leaks
from tests.core.fake_server import (
    TOKEN,
    Action,
    Drop,
    FakeServer,
    Reply,
    Request,
    Stall,
    json_reply,
    sse_reply,
)
from tests.core.sync_async import CLIENTS, SyncTestClient, open_client
from tests.core.wire import refused
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    CertificateVerificationError,
    InvalidResponseError,
)
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.steps import Call, SendRequest
from xai_lowcode.protocol.urls import build_path
from xai_lowcode.settings import Settings
from xai_lowcode.transport import exceptions
from xai_lowcode.transport.config import KEEPALIVE_SECONDS
from xai_lowcode.transport.exceptions import failed_attempt, map_exception, map_stream_exception
from xai_lowcode.transport.request_builder import RequestBuilder, RequestProgress, SecretTarget
from xai_lowcode.transport.response import BodyLimits, decompress, should_stream_body

both_clients = pytest.mark.parametrize("kind", CLIENTS)
# This token has no known format, so that it is redacted only if it is known.
UNUSUAL_TOKEN = "canary+of/odd=form&x%y"
each_token = pytest.mark.parametrize("token", [TOKEN, UNUSUAL_TOKEN, "canary-plain-0001"])


def echo(request: Request) -> dict[str, Any]:
    """Return the parts of a request that the gateway's 401 response repeats."""
    query = dict(parse_qsl(urlsplit(request.target).query))
    return {"path": request.target, "query": query, "headers": request.headers}


# Responses of a gateway that repeat the request.
REPLIES_WITH_TOKEN: dict[str, Any] = {
    "ok": lambda _request: json_reply({"data": [{"id": "m"}], "choices": [], "id": "m"}),
    "401": lambda request: json_reply(
        {
            "message": f"A valid API token is required, not {echo(request)}",
            "provider": "xai",
            "error": {"code": 401, "logging": echo(request)},
        },
        401,
    ),
    "500 quoting": lambda request: json_reply({"message": str(echo(request))}, 500),
    "provider": lambda request: json_reply(
        refused({"error": request.target, "code": request.target}), 400
    ),
    "html": lambda request: Reply(
        f"<html><body>{request.target}</body></html>".encode(), 502, "text/html"
    ),
    "200 html": lambda request: Reply(f"<html>{request.target}</html>".encode(), 200, "text/html"),
    "redirect": lambda request: Reply(b"", 302, headers=(("Location", request.target),)),
    "other shape": lambda _request: json_reply({"wrong": 1, "x-request-id": 2}),
    "request id": lambda request: json_reply(
        {"message": "x"}, 400, headers=(("X-Request-ID", request.target),)
    ),
    "drop": lambda _request: Drop(),
    "stall": lambda _request: Stall(),
    "cut": lambda _request: Reply(b"{", cut=True),
    "gzip": lambda _request: Reply(b"x", headers=(("Content-Encoding", "gzip"),)),
}
# Responses whose headers contain the token: httpcore logs them at DEBUG before the client reads
# them. Only these lines may contain the token.
TOKEN_IN_HEADERS = {"redirect", "request id"}
CALLS: list[tuple[Endpoint[Any], dict[str, Any]]] = [
    (LIST_MODELS, {"query": {"limit": "3"}}),
    (RETRIEVE_MODEL, {"ids": {"model_id": "grok-4.7"}}),
    (CREATE_CHAT_COMPLETION, {"body": {"a": 1}}),
]


def contains_token(text: str, token: str) -> bool:
    return token in text or quote(token, safe="") in text


@both_clients
@each_token
@pytest.mark.usefixtures("delays")
@pytest.mark.parametrize("reply_name", REPLIES_WITH_TOKEN)
def test_nothing_shows_the_token(
    gateway: FakeServer, kind: type[Any], token: str, reply_name: str
) -> None:
    """Logs, errors, tracebacks, reprs and pickles do not contain the token."""
    gateway.respond = REPLIES_WITH_TOKEN[reply_name]
    timeout = 0.08 if reply_name == "stall" else 30
    settings = Settings.create(
        api_token=token, base_url=gateway.base_url, timeout=timeout, max_retries=1
    )
    with leaks.capture_all_logs() as logs, open_client(kind, settings) as client:
        outputs = [repr(settings), repr(client.client), str(client.client)]
        for operation, values in CALLS:
            try:
                outputs.append(repr(client.call(operation, **values)))
            except Exception as error:  # noqa: BLE001 - any exception is checked
                outputs.append(leaks.render_exception(error, skip=(__file__, leaks.__file__)))
                outputs.append(pickle.dumps(error).decode("latin-1"))
        try:
            client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        except Exception as error:  # noqa: BLE001
            outputs.append(leaks.render_exception(error, skip=(__file__, leaks.__file__)))
    assert gateway.requests
    assert "GET /v1/models?limit=3: " in logs.getvalue()
    lines = logs.getvalue().splitlines()
    if reply_name in TOKEN_IN_HEADERS:
        lines = [line for line in lines if "receive_response_headers" not in line]
    for text in (*lines, *outputs):
        assert not contains_token(text, token)


def test_the_leak_detection_detects_leaks(gateway: FakeServer) -> None:
    """A token that is leaked on purpose in a URL, frame, cause or log is detected."""
    gateway.respond = lambda _request: json_reply({}, 401)
    with leaks.capture_all_logs() as logs, httpx.Client() as client:
        response = client.get(f"{gateway.base_url}/v1/models?api_token={TOKEN}")
    assert contains_token(logs.getvalue(), TOKEN)
    with pytest.raises(httpx.HTTPStatusError) as raised:
        response.raise_for_status()
    assert contains_token(leaks.render_exception(raised.value), TOKEN)

    def raise_with_secret() -> None:
        secret = f"Bearer {TOKEN}"
        if secret:
            raise ValueError

    for skip, expected in (((), True), ((__file__,), False)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            raise_with_secret()
        assert contains_token(leaks.render_exception(caught.value, skip=skip), TOKEN) == expected


def httpx_client(kind: type[Any], hook: Any) -> Any:
    if kind is SyncTestClient:
        return httpx.Client(event_hooks={"request": [hook], "response": [hook]})

    async def ahook(value: Any) -> None:
        hook(value)

    return httpx.AsyncClient(event_hooks={"request": [ahook], "response": [ahook]})


@both_clients
@each_token
def test_requests_and_responses_show_no_token(
    gateway: FakeServer, kind: type[Any], token: str
) -> None:
    """Event hooks of a custom client receive no URL or extension with the token."""
    gateway.respond = REPLIES_WITH_TOKEN["ok"]
    values: list[Any] = []
    custom_client = httpx_client(kind, values.append)
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    with open_client(kind, settings, http_client=custom_client) as client:
        client.call(LIST_MODELS)
        custom_client.close() if kind is SyncTestClient else client.runner.run(
            custom_client.aclose()
        )
    request, response = values
    for value in (
        request,
        response,
        request.url,
        response.url,
        response.request.url,
        request.headers,
        request.extensions,
        response.extensions,
        response.headers,
        vars(request),
    ):
        assert not contains_token(f"{value!r} {value}", token)
    assert token.encode() not in pickle.dumps(request)


@both_clients
@each_token
def test_a_cassette_shows_no_token(
    gateway: FakeServer, kind: type[Any], token: str, tmp_path: Path
) -> None:
    """A VCR cassette does not contain the token, and can be replayed."""
    gateway.respond = REPLIES_WITH_TOKEN["ok"]
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    cassette = tmp_path / "cassette.yaml"
    for _ in range(2):
        with (
            vcr.use_cassette(str(cassette), record_mode="once"),
            open_client(kind, settings) as client,
        ):
            assert [model.id for model in client.call(LIST_MODELS)] == ["m"]
    assert len(gateway.requests) == 1
    assert "/xai/v1/models" in cassette.read_text()
    assert not contains_token(cassette.read_text(), token)


@both_clients
@each_token
@pytest.mark.parametrize(("operation", "values"), CALLS)
def test_the_token_is_sent_once_and_percent_encoded(
    gateway: FakeServer,
    kind: type[Any],
    token: str,
    operation: Endpoint[Any],
    values: dict[str, Any],
) -> None:
    """The request line contains the token once, percent-encoded; no header contains it."""
    gateway.respond = REPLIES_WITH_TOKEN["ok"]
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    with open_client(kind, settings) as client:
        client.call(operation, **values)
        client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
    for request in gateway.requests:
        pairs = parse_qsl(urlsplit(request.target).query)
        assert [value for name, value in pairs if name == "api_token"] == [token]
        assert request.head.count(quote(token, safe="").encode()) == 1
        assert not contains_token(str(request.headers) + str(request.body), token)
        assert urlsplit(request.target).path.startswith("/xai/v1/")


def build_requests(settings: Settings, step: SendRequest) -> tuple[httpx.Request, httpx.Request]:
    """Return the request for ``PooledTransport`` and the one that an httpx client builds."""
    builder = RequestBuilder(settings)
    with httpx.Client() as client:
        return builder.build(step, step.timeout), builder.build_with_client(
            client, step, step.timeout
        )


@pytest.mark.slow
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1)
)
def test_any_token_is_percent_encoded(token: str) -> None:
    """The target is ASCII and decodes to the token."""
    if token.startswith("xai-") or token.split() != [token]:
        return
    settings = Settings.create(api_token=token, base_url="https://host/xai/")
    call = Call(LIST_MODELS, query={"limit": "é &="})
    path = build_path(LIST_MODELS, "new", call.ids, call.query)
    for request in build_requests(settings, SendRequest(call, "new", path, None)):
        target = bytes(request.url.raw_path).decode("ascii")
        assert dict(parse_qsl(urlsplit(target).query)) == {"limit": "é &=", "api_token": token}
        assert urlsplit(target).path == "/xai/v1/models"
        assert str(request.url) == "https://host/xai/v1/models?limit=%C3%A9+%26%3D"
        assert request.url.raw_path.decode("ascii") == "/xai/v1/models?limit=%C3%A9+%26%3D"


def test_the_repr_of_a_target() -> None:
    """Printing, formatting and decoding a target do not show the token."""
    target = SecretTarget(b"/?api_token=x")
    printed = f"{target} {target!r} {target!s} {[target]} {target!s} {target.decode()}"
    assert "api_token" not in printed
    assert bytes(target) == target == b"/?api_token=x"


def test_copies_of_a_secret_url() -> None:
    """Copies, joined and pickled URLs do not contain the token."""
    settings = Settings.create(api_token=TOKEN, base_url="https://host/xai/")
    for request in build_requests(
        settings, SendRequest(Call(LIST_MODELS), "new", "/v1/models", None)
    ):
        url = request.url
        assert TOKEN.encode() in bytes(url.raw_path)
        for copied in (
            url.copy_with(host="other"),
            url.copy_merge_params({"a": "b"}),
            url.join("/elsewhere"),
            pickle.loads(pickle.dumps(url)),  # noqa: S301 - just written
            httpx.URL(url),
        ):
            assert TOKEN.encode() not in bytes(copied.raw_path)
        assert TOKEN not in f"{url!r} {url} {vars(url)} {url.query!r} {url.params}"


@pytest.mark.parametrize("remaining", [None, 0.5, 1e6])
def test_timeouts_are_capped_by_the_remaining_time(remaining: float | None) -> None:
    """No timeout is longer than the remaining time of the call."""
    settings = Settings.create(api_token=TOKEN, timeout=(1.0, 2.0, None, 4.0))
    configured = {"connect": 1.0, "read": 2.0, "write": None, "pool": 4.0}
    expected = {
        phase: seconds
        if remaining is None
        else remaining
        if seconds is None
        else min(seconds, remaining)
        for phase, seconds in configured.items()
    }
    for request in build_requests(
        settings, SendRequest(Call(LIST_MODELS), "new", "/v1/models", remaining)
    ):
        assert request.extensions["timeout"] == expected


FAILURES: list[tuple[Exception, Any, bool]] = [
    (httpx.ConnectTimeout("x"), APITimeoutError, False),
    (httpx.PoolTimeout("x"), APITimeoutError, False),
    (httpx.ReadTimeout("x"), APITimeoutError, True),
    (httpx.WriteTimeout("x"), APITimeoutError, True),
    (TimeoutError(), APITimeoutError, True),
    (httpx.ConnectError("x"), APIConnectionError, False),
    (httpx.ProxyError("x"), APIConnectionError, False),
    (httpx.UnsupportedProtocol("x"), APIConnectionError, False),
    (httpx.ReadError("x"), APIConnectionError, True),
    (httpx.WriteError("x"), APIConnectionError, True),
    (httpx.CloseError("x"), APIConnectionError, True),
    (httpx.RemoteProtocolError("x"), APIConnectionError, True),
    (httpx.LocalProtocolError("x"), APIConnectionError, True),
    (ssl.SSLError("x"), APIConnectionError, True),
    (ExceptionGroup("x", [httpx.ReadError("y"), OSError("z")]), APIConnectionError, True),
    (ssl.SSLCertVerificationError("x"), CertificateVerificationError, False),
    (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), CertificateVerificationError, False),
]


@pytest.mark.parametrize(("exception", "kind", "request_sent"), FAILURES, ids=str)
@pytest.mark.parametrize("response_started", [False, True])
@pytest.mark.parametrize("idempotent", [False, True])
def test_failures_of_a_custom_client(
    exception: Exception, kind: Any, request_sent: bool, response_started: bool, idempotent: bool
) -> None:
    """A POST that may have been sent counts as processed, since its progress is unknown."""
    outcome = failed_attempt(
        exception, None, object() if response_started else None, idempotent=idempotent, host=""
    )
    assert outcome is not None
    assert type(outcome.error) is kind
    assert outcome.error.request_sent is request_sent
    assert outcome.error.__cause__ is outcome.error.__context__ is None
    may_be_processed = request_sent and kind is not APITimeoutError and not idempotent
    assert outcome.response_started == (response_started or may_be_processed)
    assert not outcome.connection_was_stale


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("received", [0, 1])
@pytest.mark.parametrize("seconds", [0.0, 10.0])
@pytest.mark.parametrize("exception", [httpx.ReadError("x"), httpx.ReadTimeout("x")])
def test_stale_connections(
    reused: bool, sent: bool, received: int, seconds: float, exception: Exception
) -> None:
    """A connection was stale if nothing was received and it was closed at once."""
    progress = RequestProgress(b"POST ", connection_reused=reused, sent=sent)
    # Bytes that are received before the request was sent are those of a proxy.
    progress.received(b"x" * received)
    progress.last_write = exceptions.monotonic() - seconds
    outcome = failed_attempt(exception, progress, None, idempotent=False, host="")
    assert outcome is not None
    assert isinstance(outcome.error, APIConnectionError)
    assert outcome.error.request_sent == sent
    assert outcome.response_started == outcome.error.response_started == (sent and received > 0)
    late = isinstance(exception, httpx.TimeoutException)
    assert outcome.connection_was_stale == (
        reused and sent and not received and not seconds and not late
    )


@pytest.mark.parametrize("exception", [ValueError("x"), RuntimeError("x"), MemoryError()])
def test_other_exceptions_are_not_mapped(exception: Exception) -> None:
    """Exceptions that are not network failures are raised unchanged."""
    assert failed_attempt(exception, None, None, idempotent=False, host="") is None
    assert (
        failed_attempt(exception, RequestProgress(b"POST "), None, idempotent=False, host="")
        is None
    )
    assert map_exception(exception) is None
    assert map_stream_exception(exception) is None


def test_a_decoding_error_is_an_invalid_response() -> None:
    """A custom client may decompress the response and fail."""
    outcome = failed_attempt(httpx.DecodingError("x"), None, object(), idempotent=False, host="")
    assert outcome is not None
    assert type(outcome.error) is InvalidResponseError
    assert outcome.response_started


@pytest.mark.parametrize(
    "content_type",
    [
        "text/event-stream; charset=utf-8",
        "text/plain",
        "",
        "application/json",
        "application/json; charset=utf-8",
        "text/html",
    ],
)
@pytest.mark.parametrize("status", [200, 201, 301, 400, 500])
@pytest.mark.parametrize("stream", [False, True])
def test_which_bodies_are_streamed(content_type: str, status: int, stream: bool) -> None:
    """Successful responses to streaming requests are streamed unless they are JSON or HTML."""
    response = httpx.Response(status, headers={"content-type": content_type})
    expected = (
        stream and status < 300 and not content_type.startswith(("application/json", "text/html"))
    )
    assert should_stream_body(Call(LIST_MODELS, stream=stream), response) == expected


def test_the_keep_alive_time() -> None:
    """Idle connections are closed before the gateway closes them, after five seconds."""
    assert KEEPALIVE_SECONDS < 5


def test_the_deadline_of_a_body() -> None:
    """A body that is not complete at the deadline raises APITimeoutError."""
    for unlimited in (BodyLimits(9, None), BodyLimits(9, 60)):
        for _ in range(3):
            unlimited.check(b"xyz")
    expired = BodyLimits(9, -1)
    # A late chunk may have been the last one.
    expired.check(b"")
    with pytest.raises(APITimeoutError):
        expired.check(b"")


def test_a_body_that_is_too_large() -> None:
    """The chunk that exceeds the limit raises an error that names the setting."""
    limits = BodyLimits(5, None)
    limits.check(b"12345")
    with pytest.raises(InvalidResponseError, match="max_response_bytes"):
        limits.check(b"6")


RAW_DEFLATE = zlib.compressobj(wbits=-15)
COMPRESSED = {
    "gzip": gzip.compress(b"x" * 1000),
    "deflate": zlib.compress(b"x" * 1000),
    "raw": RAW_DEFLATE.compress(b"x" * 1000) + RAW_DEFLATE.flush(),
}


@pytest.mark.parametrize("compression", COMPRESSED)
def test_the_limit_of_decompression(compression: str) -> None:
    """A larger, truncated or corrupted body raises an error."""
    encoding, content = compression.replace("raw", "deflate"), COMPRESSED[compression]
    for limit in (1000, 1001, 10**9):
        assert decompress(content, encoding, limit) == b"x" * 1000
    for limit in (1, 999):
        with pytest.raises(InvalidResponseError, match="max_response_bytes"):
            decompress(content, encoding, limit)
    for size in range(1, len(content) - (4 if compression == "deflate" else 0)):
        with pytest.raises(InvalidResponseError):
            decompress(content[:size], encoding, 1000)
    assert decompress(b"", encoding, 1000) == b""


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.integers(0, 3))
def test_gzip_bodies_with_several_members(parts: list[bytes], padding: int) -> None:
    """The content is that of all members; a body that is too large or truncated raises."""
    members, content = [gzip.compress(part) for part in parts], b"".join(parts)
    compressed = b"".join(members)
    for encoding in ("gzip", "x-gzip"):
        assert decompress(compressed + bytes(padding), encoding, len(content)) == content
    if content:
        with pytest.raises(InvalidResponseError, match="max_response_bytes"):
            decompress(compressed, "gzip", len(content) - 1)
    for end in range(2, len(members[-1])):
        with pytest.raises(InvalidResponseError, match="decompressed"):
            decompress(b"".join(members[:-1]) + members[-1][:end], "gzip", len(content))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress", "x" * 500, "gzip,"])
def test_other_content_encodings_are_rejected(encoding: str) -> None:
    """The error names the encoding."""
    with pytest.raises(InvalidResponseError, match="not requested") as raised:
        decompress(COMPRESSED["gzip"], encoding, 10**9)
    assert len(str(raised.value)) < 300


STREAMS: list[Action] = [sse_reply(b"data: {}\n\n"), Reply(b"data: {}\n\n", content_type=None)]


@both_clients
@pytest.mark.parametrize("stream_reply", STREAMS)
def test_a_stream_releases_its_connection(
    gateway: FakeServer, kind: type[Any], stream_reply: Action
) -> None:
    """The connection of a stream that was read is free for the next call."""
    gateway.respond = lambda _request: stream_reply
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url)
    with open_client(kind, settings) as client:
        for _ in range(3):
            client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        assert gateway.connections_made == 1
    assert gateway.open_connections == 0


UNREACHABLE_URLS = [
    "http://127.0.0.1:9/xai",
    "http://[::1]:9/xai",
    "https://no-such-host.invalid/xai",
    "https://no-such-host.invalid:8443/xai",
]


@both_clients
@pytest.mark.parametrize("base_url", UNREACHABLE_URLS)
@pytest.mark.parametrize("is_custom", [False, True])
def test_connection_failures_name_the_host(kind: type[Any], base_url: str, is_custom: bool) -> None:
    """The message has host and port, and the hint what to check; neither has the token."""
    settings = Settings.create(api_token=TOKEN, base_url=base_url, max_retries=0, proxy="")
    client_class = httpx.Client if kind is SyncTestClient else httpx.AsyncClient
    http_client = client_class(trust_env=False) if is_custom else None
    with (
        open_client(kind, settings, http_client=http_client) as client,
        pytest.raises(APIConnectionError) as raised,
    ):
        client.call(LIST_MODELS)
    error = raised.value
    assert f"the gateway at {httpx.URL(base_url).netloc.decode()} (" in error.message
    hint = "The cause may be the http_client or its proxy."
    assert error.hint == (hint if is_custom else "Check base_url, the network and proxies.")
    assert TOKEN not in f"{error} {error!r}"


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("exception", [exception for exception, _, _ in FAILURES], ids=str)
def test_the_hint_depends_on_whether_the_request_was_sent(exception: Exception, sent: bool) -> None:
    """The hint is about certificates, or about the network if the request was not sent."""
    progress = RequestProgress(b"POST ", sent=sent)
    error = map_exception(exception, progress, "api.example.com:8443")
    assert error is not None
    if isinstance(error, CertificateVerificationError):
        assert "the server api.example.com:8443 is not trusted" in error.message
        assert "SSL_CERT_FILE" in str(error.hint)
    else:
        assert error.hint == (None if sent else "Check base_url, the network and proxies.")
        names_host = "api.example.com:8443" in error.message
        is_proxy_error = isinstance(exception, httpx.ProxyError)
        assert names_host == (
            not is_proxy_error and (not sent or type(error) is not APITimeoutError)
        )
