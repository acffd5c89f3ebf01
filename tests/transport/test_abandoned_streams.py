"""Law: a stream that is left leaves nothing: no socket at the server, no task in the loop.

However it is left, the same model works afterwards, and no later call gets what was left.
"""

import asyncio
import gc
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

from tests.transport import wire
from tests.transport.clients import Session, langchain, llama_index
from tests.transport.raw_server import PATIENCE, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient

_LATER = "later"
# A slot that a stream has not given back would be missed at once.
_OPTIONS: dict[str, Any] = {"max_retries": 0, "max_concurrency": 1, "deadline": 2 * PATIENCE}


def _endless(connection: Connection, request: Request) -> None:
    """Stream without an end, a chunk at a time, until the client goes; other calls are echoed."""
    if not request.is_stream or request.prompt == _LATER:
        connection.respond(request)
        return
    connection.send(wire.head("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
    event = wire.chunked([wire.chunk({"content": "and so on, "})], end=False)
    connection.send(event)
    while request.prompt != "silent" and not connection.wait_closed(0.002):
        connection.send(event)
    connection.wait_closed()


@contextmanager
def _server() -> Iterator[RawServer]:
    with RawServer(_endless) as server:
        yield server


def _llama_index_stream(model: Any, prompt: str) -> Any:
    from llama_index.core.llms import ChatMessage  # noqa: PLC0415 - one of two frameworks

    return model.stream_chat([ChatMessage(prompt)])


async def _llama_index_astream(model: Any, prompt: str) -> AsyncIterator[Any]:
    from llama_index.core.llms import ChatMessage  # noqa: PLC0415 - as above

    return await model.astream_chat([ChatMessage(prompt)])


async def _langchain_astream(model: Any, prompt: str) -> AsyncIterator[Any]:
    return model.astream(prompt)


def _call(model: Any) -> str:
    if hasattr(model, "invoke"):
        return str(model.invoke(_LATER).text)
    return str(model.complete(_LATER).text)


async def _acall(model: Any) -> str:
    if hasattr(model, "ainvoke"):
        return str((await model.ainvoke(_LATER)).text)
    return str((await model.acomplete(_LATER)).text)


SYNC: dict[str, tuple[Callable[..., Any], Callable[[Any, str], Any]]] = {
    "LangChain": (langchain, lambda model, prompt: model.stream(prompt)),
    "LlamaIndex": (llama_index, _llama_index_stream),
}
ASYNC: dict[str, tuple[Callable[..., Any], Callable[[Any, str], Awaitable[AsyncIterator[Any]]]]] = {
    "LangChain": (langchain, _langchain_astream),
    "LlamaIndex": (llama_index, _llama_index_astream),
}


def _break(stream: Any) -> None:
    for _ in stream:
        break


def _close(stream: Any) -> None:
    next(stream)
    stream.close()


def _collect(stream: Any) -> None:
    next(stream)
    del stream
    gc.collect()


def _raise(stream: Any) -> None:
    def fail() -> None:
        for _ in stream:
            raise LookupError

    with pytest.raises(LookupError):
        fail()


SYNC_ENDS = {"break": _break, "close": _close, "collected": _collect, "exception": _raise}


@pytest.mark.parametrize("framework", SYNC)
@pytest.mark.parametrize("end", SYNC_ENDS)
def test_a_sync_stream_that_is_left(framework: str, end: str) -> None:
    """Its connection is closed at once, and the next calls and streams of the model are whole."""
    make, open_stream = SYNC[framework]
    with _server() as server:
        model = make(server.base_url, **_OPTIONS)
        for number in range(3):
            SYNC_ENDS[end](iter(open_stream(model, f"endless-{number}")))
            (left,) = server.connections_of(f"endless-{number}")
            assert server.wait_until_closed(left), "the connection is still open"
            assert _call(model) == wire.ECHO + _LATER
        assert len(list(open_stream(model, _LATER))) > 2
        model.close()
        assert server.wait_until_closed()
        assert server.counts() == {
            **{f"endless-{number}": 1 for number in range(3)},
            _LATER: 4,
        }


async def _abreak(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        break


async def _aclose(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()


async def _aclosing(stream: Any) -> None:
    async with aclosing(stream):
        async for _ in stream:
            return


async def _acollect(stream: AsyncIterator[Any]) -> None:
    await anext(stream)
    del stream
    gc.collect()


async def _araise(stream: AsyncIterator[Any]) -> None:
    async def fail() -> None:
        async for _ in stream:
            raise LookupError

    with pytest.raises(LookupError):
        await fail()


async def _cancel(stream: AsyncIterator[Any]) -> None:
    """Cancel the task that reads, while it waits for the next chunk."""
    first = asyncio.Event()

    async def read() -> None:
        async for _ in stream:
            first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _time_out(stream: AsyncIterator[Any]) -> None:
    async def read() -> None:
        async for _ in stream:
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.05)


ASYNC_ENDS = {
    "break": _abreak,
    "aclose": _aclose,
    "aclosing": _aclosing,
    "collected": _acollect,
    "exception": _araise,
    "cancelled": _cancel,
    "wait_for": _time_out,
}


async def _wait_until(condition: Callable[[], bool]) -> bool:
    """Let the loop run until the condition holds; False if it does not in time."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.001)
    return True


def _other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


@pytest.mark.parametrize("framework", ASYNC)
@pytest.mark.parametrize("end", ASYNC_ENDS)
@pytest.mark.parametrize("prompt", ["endless", "silent"])
async def test_an_async_stream_that_is_left(framework: str, end: str, prompt: str) -> None:
    """While the loop runs on: its connection is closed, no task remains, the model works."""
    make, open_stream = ASYNC[framework]
    with _server() as server:
        model = make(server.base_url, **_OPTIONS)
        # The server sends one chunk and then nothing, or chunk after chunk.
        sent = [f"{prompt}-{number}" for number in range(2)] if prompt == "endless" else [prompt]
        for each in sent:
            await ASYNC_ENDS[end](await open_stream(model, each))
            (left,) = server.connections_of(each)
            assert await _wait_until(lambda: left not in server.open_connections), "still open"  # noqa: B023 - called at once
            assert await _wait_until(lambda: not _other_tasks()), _other_tasks()
            assert await _acall(model) == wire.ECHO + _LATER
        stream = await open_stream(model, _LATER)
        assert len([chunk async for chunk in stream]) > 2
        await model.aclose()
        assert await _wait_until(lambda: not server.open_connections)
        assert not _other_tasks()
        assert server.counts() == {**dict.fromkeys(sent, 1), _LATER: len(sent) + 1}


@pytest.mark.parametrize("framework", ASYNC)
async def test_an_async_call_that_is_cancelled(framework: str) -> None:
    """Before the head, inside it and inside the body: nothing stays, and the model works."""

    def handler(connection: Connection, request: Request) -> None:
        if request.prompt == _LATER:
            connection.respond(request)
            return
        message = wire.echo_message(request)
        connection.send(message[: int(request.prompt.partition("-")[2])])
        connection.set(f"sent-{request.prompt}")
        connection.wait_closed()

    make, open_stream = ASYNC[framework]
    with RawServer(handler) as server:
        model = make(server.base_url, **_OPTIONS)

        async def call(prompt: str, *, stream: bool) -> None:
            if stream:
                async for _ in await open_stream(model, prompt):
                    pass
            elif hasattr(model, "ainvoke"):
                await model.ainvoke(prompt)
            else:
                await model.acomplete(prompt)

        prompts = [f"cut-{position}" for position in (0, 20, 130)]
        for number, prompt in enumerate(prompts * 2):
            task = asyncio.create_task(call(prompt, stream=number >= len(prompts)))
            assert await _wait_until(server.event(f"sent-{prompt}").is_set)
            server.event(f"sent-{prompt}").clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            left = server.connections_of(prompt)
            assert await _wait_until(lambda: not server.open_connections & set(left))  # noqa: B023 - called at once
            assert await _wait_until(lambda: not _other_tasks()), _other_tasks()
            assert await _acall(model) == wire.ECHO + _LATER
        await model.aclose()
        assert await _wait_until(lambda: not server.open_connections)
        assert server.counts() == {**dict.fromkeys(prompts, 2), _LATER: 2 * len(prompts)}


@pytest.mark.parametrize("framework", ASYNC)
async def test_an_async_call_that_is_cancelled_while_it_connects(framework: str) -> None:
    """The server accepts, but has not seen a byte, or is in the middle of the TLS handshake."""
    make, _ = ASYNC[framework]
    accepted = threading.Event()

    def hold(connection: Connection) -> None:
        accepted.set()
        connection.wait_closed()

    for scheme in ("http", "https"):
        accepted.clear()
        with RawServer(on_connect=hold) as server:
            model = make(f"{scheme}{server.base_url.removeprefix('http')}", max_retries=0)
            task = asyncio.create_task(_acall(model))
            assert await _wait_until(accepted.is_set)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await _wait_until(lambda: not server.open_connections)
            assert await _wait_until(lambda: not _other_tasks()), _other_tasks()
            await model.aclose()


@pytest.mark.parametrize("framework", SYNC)
def test_a_model_that_is_dropped_closes_its_connections(framework: str) -> None:
    """A model without a reference leaves no socket, in whatever state it was, sync and async."""
    make, open_stream = SYNC[framework]
    with _server() as server:
        model = make(server.base_url, max_retries=0)
        assert _call(model) == wire.ECHO + _LATER
        stream = iter(open_stream(model, "endless"))
        next(stream)
        assert asyncio.run(_acall(model)) == wire.ECHO + _LATER
        del model, stream
        gc.collect()
        assert server.wait_until_closed()


@pytest.mark.parametrize("way", ["LangChain stream", "LangChain astream"])
def test_a_stream_that_is_left_over_tls(
    way: str, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """A client-side stop sequence is a way to leave a stream, and TLS one to do it slowly."""
    with RawServer(_endless, tls=tls) as server:
        options = {"max_retries": 0, "stop": ["on, and"]}
        with remote.session(way, server.base_url, **options) as session:
            assert session.call("endless").text == "and so "
            (left,) = server.connections_of("endless")
            assert server.wait_until_closed(left)
            assert session.call(_LATER).text == _LATER


@pytest.mark.parametrize("way", ["LangChain invoke", "LlamaIndex stream_chat"])
def test_streams_left_by_many_threads(way: str) -> None:
    """Threads that leave streams of one model do not disturb the calls of the others."""
    with _server() as server, Session(way, server.base_url, max_retries=0) as session:
        make, open_stream = SYNC[way.partition(" ")[0]]
        model = make(server.base_url, max_retries=0)
        outcomes: list[str] = []

        def work(number: int) -> None:
            for turn in range(5):
                _break(iter(open_stream(model, f"endless-{number}-{turn}")))
                outcomes.append(_call(model))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [wire.ECHO + _LATER] * 30
        assert session.call(_LATER).text == _LATER
        model.close()
    assert max(server.counts().values()) == 31
