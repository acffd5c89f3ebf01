"""Law: the token is on the wire, once, quoted, and nowhere else that anybody could look.

A canary token goes through calls that succeed and calls that fail in every way, while everything
is watched that logs, prints, records or reports. One leak made on purpose proves that the watch
sees.
"""

import asyncio
import pickle
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest
import vcr  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tests.core import watching
from tests.core.loopback import (
    TOKEN,
    Drop,
    Loopback,
    Move,
    Reply,
    Request,
    Stall,
    json_reply,
    sse_reply,
)
from tests.core.twins import BOTH, SyncHands, hands
from tests.core.wire import refused
from xai_lowcode.addresses import address
from xai_lowcode.chats import CREATE_CHAT_COMPLETION
from xai_lowcode.errors import APIConnectionError, APITimeoutError, UnreadableAnswerError
from xai_lowcode.failures import broken_off, dropped, failure
from xai_lowcode.idle import KEEPALIVE_SECONDS
from xai_lowcode.mailer import Mailer, Target
from xai_lowcode.operation import Operation
from xai_lowcode.operations import LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.settings import Settings
from xai_lowcode.steps import Call, Send
from xai_lowcode.transport import (
    AsyncProbe,
    Deadline,
    Probe,
    arrives_in_pieces,
    client_options,
    tls_context,
)

both = pytest.mark.parametrize("kind", BOTH)
# The canary looks like no token, so that nothing but knowing it can blank it.
ODD_TOKEN = "canary+of/odd=form&x%y"
tokens = pytest.mark.parametrize("token", [TOKEN, ODD_TOKEN, "canary-plain-0001"])


def echo(request: Request) -> dict[str, Any]:
    """What the gateway's 401 repeats of a request."""
    query = dict(parse_qsl(urlsplit(request.target).query))
    return {"path": request.target, "query": query, "headers": request.headers}


# How a gateway may answer, quoting all it was told.
PLAYS: dict[str, Any] = {
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
# Here the answer's own headers quote it, and httpcore logs them at DEBUG before anybody else reads
# them. No client can help that; everything but httpcore's own lines must be silent all the same.
IN_HEADERS = {"redirect", "request id"}
CALLS: list[tuple[Operation[Any], dict[str, Any]]] = [
    (LIST_MODELS, {"query": {"limit": "3"}}),
    (RETRIEVE_MODEL, {"ids": {"model_id": "grok-4.7"}}),
    (CREATE_CHAT_COMPLETION, {"body": {"a": 1}}),
]


def quotes(text: str, token: str) -> bool:
    return token in text or quote(token, safe="") in text


@both
@tokens
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("play", PLAYS)
def test_nothing_shows_the_token(gateway: Loopback, kind: type[Any], token: str, play: str) -> None:
    """Logs, errors with causes and variables, reprs and pickles are free of it, whatever comes."""
    gateway.play = PLAYS[play]
    settings = Settings.create(
        api_token=token, base_url=gateway.base_url, timeout=0.08, max_retries=1
    )
    with watching.all_logs() as logs, hands(kind, settings) as client:
        seen = [repr(settings), repr(client.client), str(client.client)]
        for operation, values in CALLS:
            try:
                seen.append(repr(client.call(operation, **values)))
            except Exception as error:  # noqa: BLE001 - whatever is raised is looked at
                seen.append(watching.all_of(error, skip=(__file__, watching.__file__)))
                seen.append(pickle.dumps(error).decode("latin-1"))
        try:
            client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        except Exception as error:  # noqa: BLE001
            seen.append(watching.all_of(error, skip=(__file__, watching.__file__)))
    assert gateway.requests
    assert "GET /v1/models?limit=3: " in logs.getvalue()
    lines = logs.getvalue().splitlines()
    if play in IN_HEADERS:
        lines = [line for line in lines if "receive_response_headers" not in line]
    for text in (*lines, *seen):
        assert not quotes(text, token)


def test_the_watch_sees_a_leak(gateway: Loopback) -> None:
    """The same watch finds a token that is put into a URL, a frame, a cause or a log on purpose."""
    gateway.play = lambda _request: json_reply({}, 401)
    with watching.all_logs() as logs, httpx.Client() as client:
        response = client.get(f"{gateway.base_url}/v1/models?api_token={TOKEN}")
    assert quotes(logs.getvalue(), TOKEN)
    with pytest.raises(httpx.HTTPStatusError) as raised:
        response.raise_for_status()
    assert quotes(watching.all_of(raised.value), TOKEN)

    def careless() -> None:
        secret = f"Bearer {TOKEN}"
        if secret:
            raise ValueError

    for skip, found in (((), True), ((__file__,), False)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            careless()
        assert quotes(watching.all_of(caught.value, skip=skip), TOKEN) == found


def httpx_client(kind: type[Any], hook: Any) -> Any:
    if kind is SyncHands:
        return httpx.Client(event_hooks={"request": [hook], "response": [hook]})

    async def ahook(value: Any) -> None:
        hook(value)

    return httpx.AsyncClient(event_hooks={"request": [ahook], "response": [ahook]})


@both
@tokens
def test_request_and_response_objects_show_no_token(
    gateway: Loopback, kind: type[Any], token: str
) -> None:
    """What hooks of an injected client see, URL and extensions included, is free of it."""
    gateway.play = PLAYS["ok"]
    seen: list[Any] = []
    own = httpx_client(kind, seen.append)
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    with hands(kind, settings, http_client=own) as client:
        client.call(LIST_MODELS)
        own.close() if kind is SyncHands else client.runner.run(own.aclose())
    request, response = seen
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
        assert not quotes(f"{value!r} {value}", token)
    assert token.encode() not in pickle.dumps(request)


@both
@tokens
def test_a_cassette_shows_no_token(
    gateway: Loopback, kind: type[Any], token: str, tmp_path: Path
) -> None:
    """A recording made with vcrpy does not hold it, and can be replayed."""
    gateway.play = PLAYS["ok"]
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    cassette = tmp_path / "cassette.yaml"
    for _ in range(2):
        with vcr.use_cassette(str(cassette), record_mode="once"), hands(kind, settings) as client:
            assert [model.id for model in client.call(LIST_MODELS)] == ["m"]
    assert len(gateway.requests) == 1
    assert "/xai/v1/models" in cassette.read_text()
    assert not quotes(cassette.read_text(), token)


@both
@tokens
@pytest.mark.parametrize(("operation", "values"), CALLS)
def test_the_wire_carries_it_once_and_quoted(
    gateway: Loopback,
    kind: type[Any],
    token: str,
    operation: Operation[Any],
    values: dict[str, Any],
) -> None:
    """In the query of the request line, once, so that decoding gives the token; in no header."""
    gateway.play = PLAYS["ok"]
    settings = Settings.create(api_token=token, base_url=gateway.base_url)
    with hands(kind, settings) as client:
        client.call(operation, **values)
        client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
    for request in gateway.requests:
        pairs = parse_qsl(urlsplit(request.target).query)
        assert [value for name, value in pairs if name == "api_token"] == [token]
        assert request.head.count(quote(token, safe="").encode()) == 1
        assert not quotes(str(request.headers) + str(request.body), token)
        assert urlsplit(request.target).path.startswith("/xai/v1/")


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1)
)
def test_any_token_is_quoted_so_that_it_comes_back(token: str) -> None:
    """Whatever signs a token is made of, the target is ASCII and decodes to it."""
    if token.startswith("xai-") or token.split() != [token]:
        return
    mailer = Mailer(Settings.create(api_token=token, base_url="https://host/xai/"))
    call = Call(LIST_MODELS, query={"limit": "é &="})
    path = address(LIST_MODELS, "new", call.ids, call.query)
    with httpx.Client() as client:
        request = mailer.request(client, Send(call, "new", path, None), Probe())
    target = bytes(request.extensions["target"]).decode("ascii")
    assert dict(parse_qsl(urlsplit(target).query)) == {"limit": "é &=", "api_token": token}
    assert urlsplit(target).path == "/xai/v1/models"
    assert request.url == httpx.URL("https://host/xai/v1/models?limit=%C3%A9+%26%3D")


def test_a_target_prints_blank() -> None:
    """Neither printing nor formatting shows it; the bytes themselves are the target."""
    target = Target(b"/?api_token=x")
    assert "api_token" not in f"{target} {target!r} {target!s} {[target]} {target!s}"
    assert bytes(target) == target == b"/?api_token=x"


@pytest.mark.parametrize("within", [None, 0.5, 1e6])
def test_time_outs_are_capped_by_what_is_left(within: float | None) -> None:
    """No phase may take longer than the call has left; without a deadline they stay."""
    settings = Settings.create(api_token=TOKEN, timeout=(1.0, 2.0, None, 4.0))
    with httpx.Client() as client:
        request = Mailer(settings).request(
            client, Send(Call(LIST_MODELS), "new", "/v1/models", within), Probe()
        )
    asked = {"connect": 1.0, "read": 2.0, "write": None, "pool": 4.0}
    expected = {
        phase: seconds if within is None else within if seconds is None else min(seconds, within)
        for phase, seconds in asked.items()
    }
    assert request.extensions["timeout"] == expected


FAILURES: list[tuple[Exception, Any, bool | None]] = [
    (httpx.ConnectTimeout("x"), APITimeoutError, False),
    (httpx.PoolTimeout("x"), APITimeoutError, False),
    (httpx.ReadTimeout("x"), APITimeoutError, True),
    (httpx.WriteTimeout("x"), APITimeoutError, True),
    (httpx.ConnectError("x"), APIConnectionError, False),
    (httpx.ProxyError("x"), APIConnectionError, False),
    (httpx.UnsupportedProtocol("x"), APIConnectionError, False),
    (httpx.ReadError("x"), APIConnectionError, True),
    (httpx.WriteError("x"), APIConnectionError, True),
    (httpx.CloseError("x"), APIConnectionError, True),
    (httpx.RemoteProtocolError("x"), APIConnectionError, True),
    (httpx.LocalProtocolError("x"), APIConnectionError, True),
    (ssl.SSLError("x"), APIConnectionError, True),
    (httpx.DecodingError("x"), UnreadableAnswerError, None),
    (ValueError("x"), None, None),
    (RuntimeError("x"), None, None),
]


@pytest.mark.parametrize(
    ("exception", "kind", "reached"), FAILURES, ids=lambda value: repr(value)[:30]
)
@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_what_failures_mean(
    exception: Exception, kind: Any, reached: bool | None, stale: bool, begun: bool
) -> None:
    """Each failure of httpx has one meaning; what is no failure of the network has none."""
    probe = Probe()
    probe("http11.send_request_headers.started" if stale else "connection.connect_tcp.started", {})
    outcome = dropped(exception, probe, object() if begun else None)
    if kind is None:
        assert outcome is None
        assert failure(exception) is None
        assert broken_off(exception) is None
        return
    assert outcome is not None
    assert type(outcome.error) is kind
    assert getattr(outcome.error, "reached", None) is reached
    assert outcome.error.__cause__ is None
    assert outcome.error.__context__ is None
    assert outcome.begun == begun
    assert outcome.stale == (stale and reached is True and kind is APIConnectionError and not begun)


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
def test_what_arrives_in_pieces(content_type: str, status: int, stream: bool) -> None:
    """Only a stream that was asked for, succeeded, and is neither JSON nor a page."""
    response = httpx.Response(status, headers={"content-type": content_type})
    expected = (
        stream and status < 300 and not content_type.startswith(("application/json", "text/html"))
    )
    assert arrives_in_pieces(Call(LIST_MODELS, stream=stream), response) == expected


def test_connections_are_dropped_before_the_gateway_does() -> None:
    """Idle connections are kept for less than the gateway's five seconds."""
    assert KEEPALIVE_SECONDS < 5
    options = client_options(Settings.create(api_token=TOKEN))
    assert options["limits"].keepalive_expiry == KEEPALIVE_SECONDS
    assert options["verify"] is tls_context()


def test_a_deadline_raises_when_it_has_passed() -> None:
    """Without a limit nothing is checked; with one, going on too late is an error of ours."""
    for unlimited in (Deadline(None), Deadline(60)):
        for _ in range(3):
            unlimited.check()
    passed = Deadline(-1)
    # A late piece may have been the last one.
    passed.check()
    with pytest.raises(APITimeoutError):
        passed.check()


def test_the_async_probe_is_the_sync_one() -> None:
    """Both ways of telling a probe have the same effect."""
    events = ("http11.send_request_headers.started", "connection.connect_tcp.started")
    for probe in (Probe(), AsyncProbe()):
        seen = [probe.reused]
        for event in events:
            told = probe(event, {})
            if isinstance(probe, AsyncProbe):
                asyncio.run(told)
            seen.append(probe.reused)
        assert seen == [False, True, False]


MOVES: list[Move] = [sse_reply(b"data: {}\n\n"), Reply(b"data: {}\n\n", content_type=None)]


@both
@pytest.mark.parametrize("move", MOVES)
def test_no_socket_is_left_by_a_stream(gateway: Loopback, kind: type[Any], move: Move) -> None:
    """After a stream was read its connection is free for the next call."""
    gateway.play = lambda _request: move
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url)
    with hands(kind, settings) as client:
        for _ in range(3):
            client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        assert gateway.connections_made == 1
    assert gateway.open_connections == 0
