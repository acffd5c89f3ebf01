"""Connection pools: the order of writes, reuse, limits and closing."""

import asyncio
import gc
import ssl
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fake_server import TOKEN, FakeServer, Reply, Stall, json_reply, sse_reply
from tests.core.sync_async import CLIENTS, AsyncTestClient, SyncTestClient, open_client
from tests.core.test_stream_reader import STREAM_FORMATS
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import APITimeoutError, CertificateVerificationError
from xai_lowcode.protocol.steps import Call
from xai_lowcode.settings import Settings
from xai_lowcode.transport import pool
from xai_lowcode.transport.config import TransportConfig
from xai_lowcode.transport.request_builder import RequestProgress
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

both_clients = pytest.mark.parametrize("kind", CLIENTS)
BODY = b'{"data":[{"id":"m"}]}'
RAW_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
MODELS = json_reply({"data": [{"id": "m"}]})


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(min_size=1), max_size=3))
def test_writes_are_merged_in_order(before: list[bytes], body: list[bytes]) -> None:
    """No write is lost; the head of a request is written together with its body."""
    origin, config = (
        httpcore.URL("http://host/").origin,
        TransportConfig(create_settings("https://host/xai")),
    )
    connection = pool.SyncConnection(origin, config, 0)
    for head in (b"POST /x HTTP/1.1\r\n\r\n", b"POST /y HTTP/1.1\r\n\r\n"):
        connection.progress = progress = RequestProgress(b"POST ")
        forwarded = [connection.merge_writes(chunk) for chunk in before]
        assert forwarded == before
        assert not progress.sent
        assert connection.merge_writes(head) == b""
        first, *rest = [connection.merge_writes(chunk) for chunk in (*body, b"")]
        assert progress.sent
        assert first == head + (body[0] if body else b"")
        assert b"".join(rest) == b"".join(body[1:])


def create_settings(base_url: str, **options: Any) -> Settings:
    return Settings.create(api_token=TOKEN, base_url=base_url, max_retries=0, **options)


def server_settings(gateway: FakeServer, **options: Any) -> Settings:
    return create_settings(gateway.base_url, **options)


@both_clients
def test_sequential_calls_use_one_connection(gateway: FakeServer, kind: type[Any]) -> None:
    """Calls, errors and streams reuse the connection."""
    gateway.script([MODELS, json_reply({"message": "no"}, 404), sse_reply(b"data: {}\n\n"), MODELS])
    with open_client(kind, server_settings(gateway)) as client:
        client.call(LIST_MODELS)
        with pytest.raises(Exception, match="no"):
            client.call(LIST_MODELS)
        client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        client.call(LIST_MODELS)
        assert gateway.connections_made == 1
    assert gateway.open_connections == 0


@pytest.mark.parametrize(
    ("pause", "stop", "connections"), [(0.002, (), 1), (0.2, (), 3), (0.002, ("üße",), 3)]
)
def test_the_end_of_a_stream_is_awaited_briefly(
    gateway: FakeServer, pause: float, stop: tuple[str, ...], connections: int
) -> None:
    """A connection is reused if the last bytes of a stream arrive soon after the terminal event."""
    chunks = (
        [*STREAM_FORMATS["live"].splitlines(keepends=True), b"\n", b"\n"]
        if stop
        else [STREAM_FORMATS["live"], b"\n", b"\n"]
    )
    gateway.respond = lambda _request: sse_reply(chunks, pause=pause)
    model = ChatModel(server_settings(gateway))
    request = ChatRequest(model="m", messages=(Message("user", (TextPart("x"),)),), stop=stop)
    for _ in range(3):
        assert list(model.stream(request))
    assert gateway.connections_made == connections

    async def stream_three_times() -> None:
        for _ in range(3):
            assert [event async for event in model.astream(request)]
        await model.async_client.aclose()

    asyncio.run(stream_three_times())
    assert gateway.connections_made == 2 * connections
    model.client.close()


@both_clients
def test_expired_idle_connections_are_closed(
    gateway: FakeServer, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection is not reused after its keep-alive time."""
    monkeypatch.setattr(pool, "KEEPALIVE_SECONDS", -1.0)
    gateway.respond = lambda _request: MODELS
    with open_client(kind, server_settings(gateway)) as client:
        for connections in (1, 2, 3):
            client.call(LIST_MODELS)
            assert gateway.connections_made == connections
    assert gateway.open_connections == 0


@both_clients
@pytest.mark.parametrize("unread", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_a_connection_with_unread_bytes_is_not_reused(kind: type[Any], unread: bytes) -> None:
    """Bytes that arrive after a response would be parsed as the next response."""
    written = threading.Semaphore(0)

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(RAW_RESPONSE)
        await writer.drain()
        # Separately from the response.
        await asyncio.sleep(0.02)
        writer.write(unread)
        writer.close()
        written.release()

    with (
        run_server(handle_connection) as address,
        open_client(kind, create_settings(f"http://{address}/xai")) as client,
    ):
        for _ in range(3):
            assert client.call(LIST_MODELS)[0].id == "m"
            written.acquire()
            if kind is AsyncTestClient:
                client.runner.run(asyncio.sleep(0.02))


ConnectionHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def run_server(
    handle_connection: ConnectionHandler, context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server with the given connection handler; yields its host and port."""
    ready, ended, ports = threading.Event(), threading.Event(), []

    async def serve() -> None:
        # Errors of the server are not reported; the test checks the client.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        server = await asyncio.start_server(handle_connection, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.to_thread(ended.wait)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield f"127.0.0.1:{ports[0]}"
    finally:
        ended.set()
        thread.join()


def test_max_connections(gateway: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls beyond ``max_connections`` wait, and all succeed."""
    monkeypatch.setattr(TransportConfig.__init__, "__defaults__", (2,))
    gateway.respond = lambda _request: Reply(BODY, pause=0.005)
    with (
        open_client(SyncTestClient, server_settings(gateway)) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        ids = list(threads.map(lambda _: client.call(LIST_MODELS)[0].id, range(12)))
    assert ids == ["m"] * 12
    with open_client(AsyncTestClient, server_settings(gateway)) as client:

        async def call_concurrently() -> list[Any]:
            return await asyncio.gather(*(client.client.call(LIST_MODELS) for _ in range(12)))

        assert len(client.runner.run(call_concurrently())) == 12
    assert gateway.connections_made <= 4


@both_clients
def test_the_pool_timeout(
    gateway: FakeServer, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that gets no connection within the pool timeout fails, and nothing is sent."""
    monkeypatch.setattr(TransportConfig.__init__, "__defaults__", (1,))
    gateway.respond = lambda _request: Stall()
    settings = server_settings(gateway, timeout=(1.0, 0.3, 1.0, 0.05))
    with open_client(kind, settings) as client, ThreadPoolExecutor(2) as threads:

        def call_in_threads() -> list[Any]:
            calls = [threads.submit(client.call, LIST_MODELS) for _ in range(2)]
            return [future.exception() for future in calls]

        async def call_in_tasks() -> list[Any]:
            calls = (client.client.call(LIST_MODELS) for _ in range(2))
            return await asyncio.gather(*calls, return_exceptions=True)

        failed = call_in_threads() if kind is SyncTestClient else client.runner.run(call_in_tasks())
    assert all(isinstance(error, APITimeoutError) for error in failed)
    assert sorted("Timed out waiting for a free connection" in str(error) for error in failed) == [
        False,
        True,
    ]
    assert len(gateway.requests) == 1


def test_connections_are_closed_with_the_event_loop(gateway: FakeServer) -> None:
    """Connections of an unreferenced client are closed when the event loop ends."""
    gateway.respond = lambda _request: MODELS

    async def call_concurrently() -> None:
        client = AsyncTestClient(server_settings(gateway)).client
        await asyncio.gather(*(client.call(LIST_MODELS) for _ in range(8)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(call_concurrently())
        gc.collect()
    assert gateway.connections_made == 8
    assert gateway.open_connections == 0


@both_clients
def test_closing_a_client_does_not_interrupt_streams(gateway: FakeServer, kind: type[Any]) -> None:
    """A stream continues after ``close``; its connection is closed at its end."""
    chunks = [b"data: {}\n\n"] * 5
    gateway.respond = lambda _request: sse_reply(chunks, pause=0.01)
    call = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)
    with open_client(kind, server_settings(gateway)) as client:
        if kind is SyncTestClient:
            stream = client.client.stream(call)
            read = [next(stream)]
            client.client.close()
            read += stream
        else:

            async def read_after_close() -> list[bytes]:
                stream = client.client.stream(call)
                read = [await anext(stream)]
                await client.client.aclose()
                return read + [chunk async for chunk in stream]

            read = client.runner.run(read_after_close())
        assert b"".join(read) == b"".join(chunks)
        assert gateway.open_connections == 0
        gateway.respond = lambda _request: MODELS
        for _ in range(2):
            client.call(LIST_MODELS)
        assert gateway.connections_made == 2


@pytest.fixture(scope="module")
def certificate_authority() -> trustme.CA:
    """Return a certificate authority that is not trusted by default."""
    return trustme.CA()


@both_clients
def test_tls(
    certificate_authority: trustme.CA,
    kind: type[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Calls succeed with a trusted certificate and fail with another one."""
    ca_file = tmp_path / "authority.pem"
    certificate_authority.cert_pem.write_to_path(str(ca_file))
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate_authority.issue_cert("127.0.0.1", "localhost").configure_cert(server_context)

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(RAW_RESPONSE)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    with run_server(handle_connection, server_context) as address:
        base_url = f"https://{address}/xai"
        with (
            open_client(kind, create_settings(base_url)) as client,
            pytest.raises(CertificateVerificationError, match="SSL_CERT_FILE"),
        ):
            client.call(LIST_MODELS)
        for verify in (str(ca_file), ssl.create_default_context(cafile=str(ca_file))):
            with open_client(kind, create_settings(base_url, verify=verify)) as client:
                assert [client.call(LIST_MODELS)[0].id for _ in range(3)] == ["m"] * 3
        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
        with open_client(kind, create_settings(base_url)) as client:
            assert client.call(LIST_MODELS)[0].id == "m"


async def test_connections_are_closed_when_the_client_is_collected(gateway: FakeServer) -> None:
    """Connections of a client in a reference cycle are closed when it is garbage collected."""
    gateway.respond = lambda _request: MODELS
    cycle: list[Any] = [AsyncTestClient(server_settings(gateway)).client]
    cycle.append(cycle)
    await asyncio.gather(*(cycle[0].call(LIST_MODELS) for _ in range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del cycle
        gc.collect()
        await asyncio.sleep(0.01)
        gc.collect()
    async with asyncio.timeout(30):
        while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)
    assert await asyncio.to_thread(lambda: gateway.open_connections) == 0
