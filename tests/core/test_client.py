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
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS, RETRIEVE_MODEL
from xai_lowcode.chat.model import ChatModel
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
REPLIES: dict[str, Action] = {
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
both_clients = pytest.mark.parametrize("kind", CLIENTS)


def create_settings(gateway: FakeServer, **options: Any) -> Settings:
    return Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)


def always_reply(reply: Action) -> Responder:
    return lambda _request: reply


def get_head_and_body(request: Request) -> tuple[bytes, bytes]:
    return request.head, request.body


def get_outcome(call: Any) -> tuple[Any, ...]:
    try:
        return ("ok", call())
    except XAILowCodeError as error:
        return type(error), str(error), str(error.body), getattr(error, "__notes__", [])


@pytest.mark.parametrize(("operation", "values"), OPERATIONS, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("first", REPLIES)
def test_both_clients_take_the_same_steps(
    gateway: FakeServer,
    delays: Delays,
    first: str,
    operation: Endpoint[Any],
    values: dict[str, Any],
) -> None:
    """Requests, delays, results and errors are the same for every script of responses."""
    ended: set[tuple[str, ...]] = set()
    for script in product([first], REPLIES, ["ok", "drop", "5xx"]):
        if script[:1] in ended or script[:2] in ended:
            # The replies that follow would not be sent.
            continue
        runs = []
        for kind in CLIENTS:
            gateway.script([REPLIES[name] for name in script])
            delays.clear()
            forget_url_formats()
            with open_client(kind, create_settings(gateway, max_retries=2)) as client:
                outcome = get_outcome(lambda client=client: client.call(operation, **values))
            runs.append(
                (
                    outcome,
                    list(delays),
                    [get_head_and_body(request) for request in gateway.requests],
                )
            )
        assert runs[0] == runs[1], script
        ended.add(script[: len(runs[0][2])])
        # Three attempts, one more in each URL format, one more after a stale connection.
        assert 1 <= len(runs[0][2]) <= 3 + 2 * ("{" in operation.path) + 1


def test_signatures_of_both_clients() -> None:
    """Both clients have the same public methods with the same parameters."""
    for name in ("__init__", "call", "execute", "stream"):
        sync_signature, async_signature = (
            inspect.signature(getattr(cls, name)) for cls in (SyncAPIClient, AsyncAPIClient)
        )
        comparable = str(async_signature).replace("httpx.AsyncClient", "httpx.Client")
        assert str(sync_signature).split(" -> ")[0] == comparable.split(" -> ")[0]


@both_clients
def test_a_post_is_not_retried_after_part_of_a_response(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """A POST is sent once if part of a response was received."""
    with open_client(kind, create_settings(gateway, max_retries=2)) as client:
        for earlier in ([], [REPLIES["ok"]]):
            gateway.script([*earlier, REPLIES["cut"], REPLIES["ok"]])
            for _ in earlier:
                client.call(CREATE_CHAT_COMPLETION, body={})
            with pytest.raises(APIConnectionError):
                client.call(CREATE_CHAT_COMPLETION, body={})
            assert len(gateway.requests) == len(earlier) + 1
    assert delays == []


@both_clients
def test_a_stale_connection_is_replaced(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """A kept-alive connection that the server has closed is replaced without a retry."""
    with open_client(kind, create_settings(gateway, max_retries=0)) as client:
        gateway.script([REPLIES["ok"], Drop(), REPLIES["ok"], Drop(), Drop()])
        for _ in range(2):
            client.call(CREATE_CHAT_COMPLETION, body={})
        assert [request.connection for request in gateway.requests] == [1, 1, 2]
        with pytest.raises(APIConnectionError):
            client.call(CREATE_CHAT_COMPLETION, body={})
    assert [request.connection for request in gateway.requests] == [1, 1, 2, 2, 3]
    assert delays == []


@both_clients
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


@both_clients
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


@both_clients
@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_response_ends_with_the_deadline(
    gateway: FakeServer, kind: type[Any], stream: bool
) -> None:
    """A response that never ends times out at the deadline, and its connection is closed."""
    gateway.respond = lambda _request: sse_reply([b":\n"] * 500, pause=0.02)
    with open_client(kind, create_settings(gateway, deadline=0.1, max_retries=0)) as client:
        stream_call = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)
        send = partial(client.stream, stream_call) if stream else partial(client.call, LIST_MODELS)
        with pytest.raises(APITimeoutError):
            send()
        assert gateway.open_connections == 0


@both_clients
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_custom", [False, True])
def test_redirects_are_errors(
    gateway: FakeServer, kind: type[Any], status: int, is_custom: bool
) -> None:
    """Redirects are not followed, not even by a custom client, and the error has no token."""
    location = f"{gateway.base_url}/elsewhere?api_token={TOKEN}"
    gateway.respond = lambda _request: Reply(b"", status, headers=(("Location", location),))
    with httpx.Client(follow_redirects=True) as sync_client:
        custom_client: Any = (
            sync_client if kind is SyncTestClient else httpx.AsyncClient(follow_redirects=True)
        )
        with open_client(
            kind, create_settings(gateway), http_client=custom_client if is_custom else None
        ) as client:
            with pytest.raises(BadRequestError) as raised:
                client.call(LIST_MODELS)
            with pytest.raises(BadRequestError):
                client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
            if is_custom and kind is AsyncTestClient:
                client.runner.run(custom_client.aclose())
    assert len(gateway.requests) == 2
    assert TOKEN not in f"{raised.value} {vars(raised.value)}"


@both_clients
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


@both_clients
def test_streams_yield_bytes_unchanged(gateway: FakeServer, kind: type[Any]) -> None:
    """A stream yields the bytes that were sent, and does not request compression."""
    chunks = [b"data: {}\n\n", "data: é\n".encode()[:7], "data: é\n\n".encode()[7:]]
    gateway.respond = lambda _request: sse_reply(chunks)
    with open_client(kind, create_settings(gateway)) as client:
        received = client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
    assert b"".join(received) == b"".join(chunks)
    assert gateway.requests[0].headers["accept-encoding"] == "identity"
    assert gateway.requests[0].headers["accept"] == "text/event-stream"


@both_clients
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


@both_clients
def test_an_unexpected_response_does_not_quote_the_token(
    gateway: FakeServer, kind: type[Any]
) -> None:
    """The error for a response of another shape has the token redacted."""
    secret = "canary-without-the-usual-form"
    settings = Settings.create(api_token=secret, base_url=gateway.base_url)
    for reply in (json_reply({"wrong": secret}), Reply(secret.encode()), json_reply([secret])):
        gateway.respond = always_reply(reply)
        with open_client(kind, settings) as client, pytest.raises(InvalidResponseError) as raised:
            client.call(LIST_MODELS)
        assert secret not in f"{raised.value} {vars(raised.value)}"


def respond(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": str(request.url)}]})


@both_clients
def test_custom_clients(kind: type[Any]) -> None:
    """A custom client with ``TargetTransport`` works, and is not closed."""
    settings = Settings.create(api_token=TOKEN, base_url="https://host/xai")
    mock = httpx.MockTransport(respond)
    custom_client: Any = (
        httpx.Client(transport=TargetTransport(mock))
        if kind is SyncTestClient
        else httpx.AsyncClient(transport=AsyncTargetTransport(mock))
    )
    with open_client(kind, settings, http_client=custom_client) as client:
        (model,) = client.call(LIST_MODELS, query={"limit": "3"})
    assert model.id == f"https://host/xai/v1/models?limit=3&api_token={TOKEN}"
    assert not custom_client.is_closed


def test_one_pool_per_event_loop(gateway: FakeServer) -> None:
    """A client works in several ``asyncio.run`` calls, with one pool for each."""
    gateway.respond = lambda _request: json_reply(OK)
    client = AsyncAPIClient(create_settings(gateway))

    async def call_four_times() -> None:
        await asyncio.gather(*(client.call(LIST_MODELS) for _ in range(3)))
        await client.call(LIST_MODELS)

    for _ in range(4):
        asyncio.run(call_four_times())
        assert gateway.open_connections == 0
    gc.collect()
    assert len(gateway.requests) == 16
    # Event loops that ended are not referenced by their pools.
    assert len(client._transports) <= 1


async def test_a_closed_client_can_be_used_again(gateway: FakeServer) -> None:
    """A closed client opens new connections when it is used again."""
    gateway.respond = lambda _request: json_reply(OK)
    async with AsyncAPIClient(create_settings(gateway)) as async_client:
        await async_client.call(LIST_MODELS)
        await async_client.aclose()
        await async_client.aclose()
        await async_client.call(LIST_MODELS)
    with SyncAPIClient(create_settings(gateway)) as client:
        await asyncio.to_thread(client.call, LIST_MODELS)
        client.close()
        client.close()
        await asyncio.to_thread(client.call, LIST_MODELS)
    assert gateway.open_connections == 0


async def test_a_cancelled_call_closes_its_connection(gateway: FakeServer) -> None:
    """Cancelling a call before or during its response closes the connection."""
    async with AsyncAPIClient(create_settings(gateway)) as client:
        for reply in (Stall(), Reply(b"{", stall=True)):
            gateway.respond = always_reply(reply)
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
    "copy_client",
    [copy.copy, copy.deepcopy, lambda client: pickle.loads(pickle.dumps(client))],  # noqa: S301 - just written
)
@pytest.mark.parametrize("cls", [SyncAPIClient, AsyncAPIClient])
def test_copies_and_pickles_of_clients(
    gateway: FakeServer, cls: type[Any], copy_client: Any
) -> None:
    """A copied or pickled client has the same settings and a pool of its own."""
    gateway.respond = lambda _request: json_reply(OK)
    client = cls(create_settings(gateway))
    copied = copy_client(client)
    assert copied.settings == client.settings
    if cls is SyncAPIClient:
        with client, copied:
            client.call(LIST_MODELS)
            copied.call(LIST_MODELS)
            assert client._transport() is not copied._transport()


@pytest.mark.parametrize("copy_client", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("cls", [SyncAPIClient, Gateway, ChatModel])
async def test_copies_use_the_http_client_of_the_caller(
    gateway: FakeServer, cls: type[Any], copy_client: Any
) -> None:
    """Copies send with the same httpx client, which may have certificates; pickles do not."""
    gateway.respond = lambda _request: json_reply(OK)
    urls: list[str] = []

    async def record(request: httpx.Request) -> None:
        urls.append(str(request.url))

    hooks = {"request": [lambda request: urls.append(str(request.url))]}
    settings = create_settings(gateway)
    with httpx.Client(event_hooks=hooks) as http_client:
        client = cls(settings, http_client=http_client)
        copied = copy_client(client)
        getattr(copied, "client", copied).call(LIST_MODELS)
        assert len(urls) == 1
        pickled = pickle.loads(pickle.dumps(client))  # noqa: S301 - just written
        getattr(pickled, "client", pickled).call(LIST_MODELS)
        assert len(urls) == 1
    async_class: Any = {SyncAPIClient: AsyncAPIClient, Gateway: AsyncGateway}.get(cls, cls)
    name = "http_async_client" if async_class is ChatModel else "http_client"
    async with httpx.AsyncClient(event_hooks={"request": [record]}) as http_async_client:
        copied = copy_client(async_class(settings, **{name: http_async_client}))
        await getattr(copied, "async_client", copied).call(LIST_MODELS)
    assert len(urls) == 2


def test_an_unreferenced_client_closes_its_pool(gateway: FakeServer) -> None:
    """The sockets of a client are closed with its last reference."""
    gateway.respond = lambda _request: json_reply(OK)
    client = SyncAPIClient(create_settings(gateway))
    client.call(LIST_MODELS)
    assert gateway.current_connections == 1
    del client
    gc.collect()
    assert gateway.open_connections == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
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
    results: list[Any] = []
    with SyncAPIClient(create_settings(gateway)) as client:
        threads = [
            threading.Thread(target=lambda: results.append(client.call(LIST_MODELS)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [[model.id for model in models] for models in results] == [["m"]] * 8
    assert gateway.open_connections == 0
