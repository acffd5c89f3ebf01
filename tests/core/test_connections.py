"""Laws of the connections: bytes leave in order, a free connection is used again, none is left."""

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

from tests.core.loopback import TOKEN, Loopback, Reply, Stall, json_reply, sse_reply
from tests.core.test_streams import FORMS
from tests.core.twins import BOTH, AsyncHands, SyncHands, hands
from xai_lowcode import async_connections, connections, idle, transport
from xai_lowcode.chats import CREATE_CHAT_COMPLETION
from xai_lowcode.conversation import ChatRequest, Message, TextPart
from xai_lowcode.due import SharedDue
from xai_lowcode.errors import APIConnectionError, APITimeoutError, StreamInterruptedError
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.operations import LIST_MODELS
from xai_lowcode.settings import Settings
from xai_lowcode.sockets import OnePacket
from xai_lowcode.steps import Call

both = pytest.mark.parametrize("kind", BOTH)
BODY = b'{"data":[{"id":"m"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
MODELS = json_reply({"data": [{"id": "m"}]})


class Recorder(httpcore.NetworkStream):
    """A stream that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's signature
        return b"x"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        self.written.append(buffer)


@given(st.lists(st.one_of(st.none(), st.binary(max_size=3)), max_size=12))
def test_all_that_was_written_is_out_when_something_is_read(script: list[bytes | None]) -> None:
    """Whatever is written and read in turns, nothing is lost, doubled or out of order."""
    below = Recorder()
    stream, said = OnePacket(below, SharedDue()), b""
    for step in script:
        if step is None:
            stream.read(1)
            assert b"".join(below.written) == said
        else:
            stream.write(step)
            said += step
    stream.read(1)
    assert b"".join(below.written) == said
    assert b"" not in below.written


@given(st.binary(min_size=1, max_size=5), st.binary(min_size=1, max_size=5))
def test_head_and_body_are_one_packet(head: bytes, body: bytes) -> None:
    """As httpcore writes a request: the head, the body, and nothing at its end."""
    below = Recorder()
    stream = OnePacket(below, SharedDue())
    for _ in range(2):
        for piece in (head, body, b""):
            stream.write(piece)
        stream.read(1)
    assert below.written == [head + body] * 2


def local(base_url: str, **more: Any) -> Settings:
    return Settings.create(api_token=TOKEN, base_url=base_url, max_retries=0, **more)


def settings_of(gateway: Loopback, **more: Any) -> Settings:
    return local(gateway.base_url, **more)


@both
def test_one_after_the_other_needs_one_connection(gateway: Loopback, kind: type[Any]) -> None:
    """Calls and streams take the same connection, errors too."""
    gateway.script([MODELS, json_reply({"message": "no"}, 404), sse_reply(b"data: {}\n\n"), MODELS])
    with hands(kind, settings_of(gateway)) as client:
        client.call(LIST_MODELS)
        with pytest.raises(Exception, match="no"):
            client.call(LIST_MODELS)
        client.stream(Call(CREATE_CHAT_COMPLETION, b"{}", stream=True))
        client.call(LIST_MODELS)
        assert gateway.connections_made == 1
    assert gateway.open_connections == 0


@pytest.mark.parametrize(
    ("pause", "stop", "made"), [(0.002, (), 1), (0.2, (), 3), (0.002, ("üße",), 3)]
)
def test_the_end_of_an_answer_is_waited_for_a_moment(
    gateway: Loopback, pause: float, stop: tuple[str, ...], made: int
) -> None:
    """A stream is complete before its connection is free; one that dawdles is given up.

    So is one that was cut at a stop string: the rest of it is not read.
    """
    pieces = (
        [*FORMS["live"].splitlines(keepends=True), b"\n", b"\n"]
        if stop
        else [FORMS["live"], b"\n", b"\n"]
    )
    gateway.play = lambda _request: sse_reply(pieces, pause=pause)
    model = GatewayModel(settings_of(gateway))
    request = ChatRequest(model="m", messages=(Message("user", (TextPart("x"),)),), stop=stop)
    for _ in range(3):
        assert list(model.stream(request))
    assert gateway.connections_made == made

    async def three() -> None:
        for _ in range(3):
            assert [event async for event in model.astream(request)]
        await model.async_client.aclose()

    asyncio.run(three())
    assert gateway.connections_made == 2 * made
    model.client.close()


@both
def test_what_lay_too_long_is_closed(
    gateway: Loopback, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection past its time is not used; the ones below go with the next return."""
    monkeypatch.setattr(idle, "KEEPALIVE_SECONDS", -1.0)
    gateway.play = lambda _request: MODELS
    with hands(kind, settings_of(gateway)) as client:
        for made in (1, 2, 3):
            client.call(LIST_MODELS)
            assert gateway.connections_made == made
    assert gateway.open_connections == 0


@both
@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_a_connection_that_spoke_while_idle_is_not_used(kind: type[Any], words: bytes) -> None:
    """The other side said goodbye, or anything: it would be taken for the next answer."""
    said = threading.Semaphore(0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        # Apart from the answer, as a goodbye comes.
        await asyncio.sleep(0.02)
        writer.write(words)
        writer.close()
        said.release()

    with serving(talk) as place, hands(kind, local(f"http://{place}/xai")) as client:
        for _ in range(3):
            assert client.call(LIST_MODELS)[0].id == "m"
            said.acquire()
            if kind is AsyncHands:
                client.runner.run(asyncio.sleep(0.02))


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def serving(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server whose every word the test writes; gives its host and port."""
    ready, ended, place = threading.Event(), threading.Event(), []

    async def serve() -> None:
        # What goes wrong here is looked at from the other side.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        place.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.to_thread(ended.wait)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield f"127.0.0.1:{place[0]}"
    finally:
        ended.set()
        thread.join()


def test_more_calls_than_connections_wait_for_one(
    gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are never more connections than allowed, and every call is answered."""
    monkeypatch.setattr(connections.DirectClient.__init__, "__defaults__", (2,))
    monkeypatch.setattr(async_connections.AsyncDirectClient.__init__, "__defaults__", (2,))
    gateway.play = lambda _request: Reply(BODY, pause=0.005)
    with hands(SyncHands, settings_of(gateway)) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.call(LIST_MODELS)[0].id, range(12)))
    assert answers == ["m"] * 12
    with hands(AsyncHands, settings_of(gateway)) as client:

        async def many() -> list[Any]:
            return await asyncio.gather(*(client.client.call(LIST_MODELS) for _ in range(12)))

        assert len(client.runner.run(many())) == 12
    assert gateway.connections_made <= 4


@both
def test_waiting_for_a_connection_ends_with_its_time(
    gateway: Loopback, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that gets no connection in time says so, and was not sent."""
    monkeypatch.setattr(connections.DirectClient.__init__, "__defaults__", (1,))
    monkeypatch.setattr(async_connections.AsyncDirectClient.__init__, "__defaults__", (1,))
    gateway.play = lambda _request: Stall()
    settings = settings_of(gateway, timeout=(1.0, 0.3, 1.0, 0.05))
    with hands(kind, settings) as client, ThreadPoolExecutor(2) as threads:

        def two() -> list[Any]:
            asked = [threads.submit(client.call, LIST_MODELS) for _ in range(2)]
            return [future.exception() for future in asked]

        async def both_at_once() -> list[Any]:
            asked = (client.client.call(LIST_MODELS) for _ in range(2))
            return await asyncio.gather(*asked, return_exceptions=True)

        failed = two() if kind is SyncHands else client.runner.run(both_at_once())
    assert all(isinstance(error, APITimeoutError) for error in failed)
    assert sorted("free in time" in str(error) for error in failed) == [False, True]
    assert len(gateway.requests) == 1


def test_a_loop_that_ends_leaves_no_socket(gateway: Loopback) -> None:
    """Many connections of a client that nobody holds any more are closed with its loop."""
    gateway.play = lambda _request: MODELS

    async def many() -> None:
        client = AsyncHands(settings_of(gateway)).client
        await asyncio.gather(*(client.call(LIST_MODELS) for _ in range(8)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(many())
        gc.collect()
    assert gateway.connections_made == 8
    assert gateway.open_connections == 0


@both
def test_closing_ends_what_is_in_use(gateway: Loopback, kind: type[Any]) -> None:
    """A stream whose client is closed in the middle ends, and leaves nothing open."""
    gateway.play = lambda _request: sse_reply(b"data: {}\n\n", stall=True)
    call = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)
    with hands(kind, settings_of(gateway)) as client:
        if kind is SyncHands:
            pieces = client.client.stream(call)
            next(pieces)
            client.client.close()
            with pytest.raises(StreamInterruptedError):
                next(pieces)
        else:

            async def broken() -> None:
                pieces = client.client.stream(call)
                await anext(pieces)
                await client.client.aclose()
                with pytest.raises(StreamInterruptedError):
                    await anext(pieces)

            client.runner.run(broken())
        assert gateway.open_connections == 0


@both
def test_proxies_of_the_environment_are_used(
    gateway: Loopback, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes to the proxy, which is told the whole address."""
    gateway.play = lambda _request: MODELS
    monkeypatch.setenv("HTTP_PROXY", gateway.base_url.removesuffix("/xai"))
    settings = Settings.create(
        api_token=TOKEN, base_url="http://gateway.invalid/xai", allow_insecure_http=True
    )
    with hands(kind, settings) as client:
        client.call(LIST_MODELS)
    assert gateway.requests[0].headers["host"] == "gateway.invalid"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority for certificates that nobody trusts unless told to."""
    return trustme.CA()


@both
def test_tls(
    authority: trustme.CA, kind: type[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate that is trusted is enough for many calls; another one is refused, in words."""
    known = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(known))
    certified = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(certified)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    with serving(talk, certified) as place:
        settings = local(f"https://{place}/xai")
        with hands(kind, settings) as client, pytest.raises(APIConnectionError, match="CERTIFI"):
            client.call(LIST_MODELS)
        context = ssl.create_default_context(cafile=str(known))
        monkeypatch.setattr(transport, "tls_context", lambda: context)
        with hands(kind, settings) as client:
            assert [client.call(LIST_MODELS)[0].id for _ in range(3)] == ["m"] * 3
