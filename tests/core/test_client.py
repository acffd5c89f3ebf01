"""Both clients take the same steps for the same responses, and leave no connection open."""

import asyncio
import copy
import gc
import inspect
import os
import pickle
import threading
from functools import partial
from itertools import product
from typing import Any

import httpx
import pytest

from tests.core.fake_server import (
    TOKEN,
    Action,
    Drop,
    FakeServer,
    Reply,
    Request,
    Responder,
    Stall,
    json_reply,
    sse_reply,
)
from tests.core.sync_async import CLIENTS, AsyncTestClient, Delays, SyncTestClient, open_client
from tests.core.wire import refused
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    InvalidResponseError,
    XAILowCodeError,
)
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.steps import Call
from xai_lowcode.protocol.urls import forget_url_formats
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.config import AsyncTargetTransport, TargetTransport
from xai_lowcode.transport.sync_client import SyncAPIClient

OK = {"id": "m", "choices": [], "data": [{"id": "m"}], "object": "list"}
MOVES: dict[str, Action] = {
    "ok": json_reply(OK),
    "route 404": json_reply({"message": "Not Found"}, 404),
    "rate 7": json_reply(refused({"error": "slow"}, {"retry-after": "7"}), 429),
    "5xx": Reply(b"<html>502</html>", 502, "text/html"),
    "drop": Drop(),
    "cut": Reply(b'{"id": "m"', cut=True),
    "no json": Reply(b"nonsense"),
    "gzip": Reply(b"no gzip", headers=(("Content-Encoding", "gzip"),)),
}
OPERATIONS: list[tuple[Endpoint[Any], dict[str, Any]]] = [
    (CREATE_CHAT_COMPLETION, {"body": {"a": "é"}}),
    (RETRIEVE_MODEL, {"ids": {"model_id": "grok-4.7"}}),
    (LIST_MODELS, {"query": {"limit": "3"}}),
]
both = pytest.mark.parametrize("kind", CLIENTS)


def create_settings(gateway: FakeServer, **options: Any) -> Settings:
    return Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)


def always_reply(move: Action) -> Responder:
    return lambda _request: move


def get_head_and_body(request: Request) -> tuple[bytes, bytes]:
    return request.head, request.body


def get_outcome(call: Any) -> tuple[Any, ...]:
    try:
        return ("ok", call())
    except XAILowCodeError as error:
        return type(error), str(error), str(error.body), getattr(error, "__notes__", [])


@pytest.mark.parametrize(("operation", "values"), OPERATIONS, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("first", MOVES)
def test_both_clients_take_the_same_steps(
    gateway: FakeServer,
    delays: Delays,
    first: str,
    operation: Endpoint[Any],
    values: dict[str, Any],
) -> None:
    """Requests, delays, results and errors are the same for every script of responses."""
    for rest in product(MOVES, ["ok", "drop", "5xx"]):
        seen = []
        for kind in CLIENTS:
            gateway.script([MOVES[first], *(MOVES[name] for name in rest)])
            delays.clear()
            forget_url_formats()
            with open_client(kind, create_settings(gateway, max_retries=2)) as client:
                ended = get_outcome(lambda c=client: c.call(operation, **values))
            seen.append(
                (ended, list(delays), [get_head_and_body(request) for request in gateway.requests])
            )
        assert seen[0] == seen[1]
        # Three attempts, one more in each URL format, one more after a stale connection.
        assert 1 <= len(seen[0][2]) <= 3 + 2 * ("{" in operation.path) + 1


def test_signatures_of_both_clients() -> None:
    """Both clients have the same public methods with the same parameters."""
    for name in ("__init__", "call", "execute", "stream"):
        sync, twin = (
            inspect.signature(getattr(cls, name)) for cls in (SyncAPIClient, AsyncAPIClient)
        )
        described = str(twin).replace("httpx.AsyncClient", "httpx.Client")
        assert str(sync).split(" -> ")[0] == described.split(" -> ")[0]


@both
def test_a_post_is_not_retried_after_part_of_a_response(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """A POST is sent once if part of a response was received."""
    with open_client(kind, create_settings(gateway, max_retries=2)) as client:
        for warm in ([], [MOVES["ok"]]):
            gateway.script([*warm, MOVES["cut"], MOVES["ok"]])
            for _ in warm:
                client.call(CREATE_CHAT_COMPLETION, body={})
            with pytest.raises(APIConnectionError):
                client.call(CREATE_CHAT_COMPLETION, body={})
            assert len(gateway.requests) == len(warm) + 1
    assert delays == []


@both
def test_a_stale_connection_is_replaced(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """A kept-alive connection that the server has closed is replaced without a retry."""
    with open_client(kind, create_settings(gateway, max_retries=0)) as client:
        gateway.script([MOVES["ok"], Drop(), MOVES["ok"], Drop(), Drop()])
        for _ in range(2):
            client.call(CREATE_CHAT_COMPLETION, body={})
        assert [request.connection for request in gateway.requests] == [1, 1, 2]
        with pytest.raises(APIConnectionError):
            client.call(CREATE_CHAT_COMPLETION, body={})
    assert [request.connection for request in gateway.requests] == [1, 1, 2, 2, 3]
    assert delays == []


@both
def test_the_read_timeout(gateway: FakeServer, kind: type[Any]) -> None:
    """A missing or partial response times out; a POST is not retried."""
    gateway.respond = lambda _request: Stall()
    with open_client(kind, create_settings(gateway, timeout=0.2)) as client:
        with pytest.raises(APITimeoutError) as raised:
            client.call(CREATE_CHAT_COMPLETION, body={})
        assert raised.value.request_sent
        assert gateway.open_connections == 0
        assert len(gateway.requests) == 1
        gateway.respond = lambda _request: Reply(b"{", stall=True)
        with pytest.raises(APITimeoutError):
            client.call(CREATE_CHAT_COMPLETION, body={})
    assert gateway.open_connections == 0


@both
def test_the_deadline(gateway: FakeServer, kind: type[Any]) -> None:
    """The deadline limits attempts and delays together."""
    gateway.respond = lambda _request: Stall()
    with (
        open_client(
            kind, create_settings(gateway, timeout=30, deadline=0.1, max_retries=5)
        ) as client,
        pytest.raises(APITimeoutError),
    ):
        client.call(LIST_MODELS)
    gateway.respond = lambda _request: json_reply(
        refused({"error": "x"}, {"retry-after": "99"}), 429
    )
    with (
        open_client(kind, create_settings(gateway, deadline=30, max_retries=5)) as client,
        pytest.raises(APIStatusError) as raised,
    ):
        client.call(LIST_MODELS)
    assert "Not retried" in raised.value.__notes__[0]


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_response_ends_with_the_deadline(
    gateway: FakeServer, kind: type[Any], stream: bool
) -> None:
    """A response that never ends times out at the deadline, and its connection is closed."""
    gateway.respond = lambda _request: sse_reply([b":\n"] * 500, pause=0.02)
    with open_client(kind, create_settings(gateway, deadline=0.1, max_retries=0)) as client:
        streamed = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)
        ask = partial(client.stream, streamed) if stream else partial(client.call, LIST_MODELS)
        with pytest.raises(APITimeoutError):
            ask()
        assert gateway.open_connections == 0


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("injected", [False, True])
def test_redirects_are_errors(
    gateway: FakeServer, kind: type[Any], status: int, injected: bool
) -> None:
    """Redirects are not followed, not even by a custom client, and the error has no token."""
    place = f"{gateway.base_url}/elsewhere?api_token={TOKEN}"
    gateway.respond = lambda _request: Reply(b"", status, headers=(("Location", place),))
    with httpx.Client(follow_redirects=True) as one:
        own: Any = one if kind is SyncTestClient else httpx.AsyncClient(follow_redirects=True)
        with open_client(
            kind, create_settings(gateway), http_client=own if injected else None
        ) as client:
            with pytest.raises(BadRequestError) as raised:
                client.call(LIST_MODELS)
            with pytest.raises(BadRequestError):
                client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
            if injected and kind is AsyncTestClient:
                client.runner.run(own.aclose())
    assert len(gateway.requests) == 2
    assert TOKEN not in f"{raised.value} {vars(raised.value)}"


@both
def test_cookies_are_not_sent_back(gateway: FakeServer, kind: type[Any]) -> None:
    """The session cookie of the gateway is ignored."""
    gateway.respond = lambda _request: json_reply(
        OK, headers=(("Set-Cookie", "connect.sid=s; Path=/"),)
    )
    with open_client(kind, create_settings(gateway)) as client:
        for _ in range(3):
            client.call(LIST_MODELS)
    assert all("cookie" not in request.headers for request in gateway.requests)
    assert gateway.connections_made == 1


@both
def test_streams_yield_bytes_unchanged(gateway: FakeServer, kind: type[Any]) -> None:
    """A stream yields the bytes that were sent, and does not request compression."""
    pieces = [b"data: {}\n\n", "data: é\n".encode()[:7], "data: é\n\n".encode()[7:]]
    gateway.respond = lambda _request: sse_reply(pieces)
    with open_client(kind, create_settings(gateway)) as client:
        got = client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
    assert b"".join(got) == b"".join(pieces)
    assert gateway.requests[0].headers["accept-encoding"] == "identity"
    assert gateway.requests[0].headers["accept"] == "text/event-stream"


@both
@pytest.mark.parametrize(
    "content_type", ["text/event-stream", "application/json", "text/plain", None]
)
def test_an_interrupted_stream_is_an_error(
    gateway: FakeServer, delays: Delays, kind: type[Any], content_type: str | None
) -> None:
    """A body that ends before its length raises an error of this package."""
    gateway.respond = lambda _request: Reply(b"data: {}\n\n", content_type=content_type, cut=True)
    with open_client(kind, create_settings(gateway)) as client, pytest.raises(XAILowCodeError):
        client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
    assert len(gateway.requests) == 1
    assert delays == []


@both
def test_an_unexpected_response_does_not_quote_the_token(
    gateway: FakeServer, kind: type[Any]
) -> None:
    """The error for a response of another shape has the token redacted."""
    secret = "canary-without-the-usual-form"
    settings = Settings.create(api_token=secret, base_url=gateway.base_url)
    for move in (json_reply({"wrong": secret}), Reply(secret.encode()), json_reply([secret])):
        gateway.respond = always_reply(move)
        with open_client(kind, settings) as client, pytest.raises(InvalidResponseError) as raised:
            client.call(LIST_MODELS)
        assert secret not in f"{raised.value} {vars(raised.value)}"


def play(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": str(request.url)}]})


@both
def test_custom_clients(kind: type[Any]) -> None:
    """A custom client with ``TargetTransport`` works, and is not closed."""
    settings = Settings.create(api_token=TOKEN, base_url="https://host/xai")
    mock = httpx.MockTransport(play)
    own: Any = (
        httpx.Client(transport=TargetTransport(mock))
        if kind is SyncTestClient
        else httpx.AsyncClient(transport=AsyncTargetTransport(mock))
    )
    with open_client(kind, settings, http_client=own) as client:
        (model,) = client.call(LIST_MODELS, query={"limit": "3"})
    assert model.id == f"https://host/xai/v1/models?limit=3&api_token={TOKEN}"
    assert not own.is_closed


def test_one_pool_per_event_loop(gateway: FakeServer) -> None:
    """A client works in several ``asyncio.run`` calls, with one pool for each."""
    gateway.respond = lambda _request: json_reply(OK)
    client = AsyncAPIClient(create_settings(gateway))

    async def three() -> None:
        await asyncio.gather(*(client.call(LIST_MODELS) for _ in range(3)))
        await client.call(LIST_MODELS)

    for _ in range(4):
        asyncio.run(three())
        assert gateway.open_connections == 0
    gc.collect()
    assert len(gateway.requests) == 16
    # Loops that ended are not kept alive by what was made for them.
    assert len(client._transports) <= 1


async def test_a_closed_client_can_be_used_again(gateway: FakeServer) -> None:
    """A closed client opens new connections when it is used again."""
    gateway.respond = lambda _request: json_reply(OK)
    async with AsyncAPIClient(create_settings(gateway)) as twin:
        await twin.call(LIST_MODELS)
        await twin.aclose()
        await twin.aclose()
        await twin.call(LIST_MODELS)
    with SyncAPIClient(create_settings(gateway)) as client:
        await asyncio.to_thread(client.call, LIST_MODELS)
        client.close()
        client.close()
        await asyncio.to_thread(client.call, LIST_MODELS)
    assert gateway.open_connections == 0


async def test_a_cancelled_call_closes_its_connection(gateway: FakeServer) -> None:
    """Cancelling a call before or during its response closes the connection."""
    async with AsyncAPIClient(create_settings(gateway)) as client:
        for move in (Stall(), Reply(b"{", stall=True)):
            gateway.respond = always_reply(move)
            task = asyncio.create_task(client.call(LIST_MODELS))
            while not gateway.requests:  # noqa: ASYNC110 - another thread fills it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert gateway.open_connections == 0
            gateway.requests.clear()


@pytest.mark.parametrize(
    "travel",
    [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))],  # noqa: S301 - just written
)
@pytest.mark.parametrize("cls", [SyncAPIClient, AsyncAPIClient])
def test_copies_and_pickles_of_clients(gateway: FakeServer, cls: type[Any], travel: Any) -> None:
    """A copied or pickled client has the same settings and a pool of its own."""
    gateway.respond = lambda _request: json_reply(OK)
    client = cls(create_settings(gateway))
    other = travel(client)
    assert other.settings == client.settings
    if cls is SyncAPIClient:
        with client, other:
            client.call(LIST_MODELS)
            other.call(LIST_MODELS)
            assert client._transport() is not other._transport()


def test_an_unreferenced_client_closes_its_pool(gateway: FakeServer) -> None:
    """The sockets of a client are closed with its last reference."""
    gateway.respond = lambda _request: json_reply(OK)
    client = SyncAPIClient(create_settings(gateway))
    client.call(LIST_MODELS)
    assert gateway.current_connections == 1
    del client
    gc.collect()
    assert gateway.open_connections == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(gateway: FakeServer) -> None:
    """Parent and child continue after a fork on different connections."""
    gateway.respond = lambda _request: json_reply(OK)
    with SyncAPIClient(create_settings(gateway)) as client:
        client.call(LIST_MODELS)
        child = os.fork()
        if not child:
            status = 1
            try:
                client.call(LIST_MODELS)
                client.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        client.call(LIST_MODELS)
    assert [request.connection for request in gateway.requests] == [1, 2, 1]


def test_threads_share_a_client(gateway: FakeServer) -> None:
    """Threads that start at once create one pool, and all calls succeed."""
    gateway.respond = lambda _request: json_reply(OK)
    answers: list[Any] = []
    with SyncAPIClient(create_settings(gateway)) as client:
        threads = [
            threading.Thread(target=lambda: answers.append(client.call(LIST_MODELS)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [[model.id for model in models] for models in answers] == [["m"]] * 8
    assert gateway.open_connections == 0
