"""Law: an abandoned stream leaves no socket open at the server, and no task in the event loop.

The same model works afterwards, and no later call gets data of the abandoned stream.
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
from tests.transport.raw_server import TIMEOUT, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient

_LATER = "later"
# A slot that a stream did not release would block the next call.
_OPTIONS: dict[str, Any] = {"max_retries": 0, "max_concurrency": 1, "deadline": 2 * TIMEOUT}


def _endless(connection: Connection, request: Request) -> None:
    """Send chunks without an end until the client closes; echo other calls."""
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
def test_an_abandoned_sync_stream(framework: str, end: str) -> None:
    """The connection is closed at once, and the model's next calls and streams are complete."""
    create, open_stream = SYNC[framework]
    with _server() as server:
        model = create(server.base_url, **_OPTIONS)
        for number in range(3):
            SYNC_ENDS[end](iter(open_stream(model, f"endless-{number}")))
            (abandoned,) = server.connections_of(f"endless-{number}")
            assert server.wait_until_closed(abandoned), "the connection is still open"
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
    """Cancel the reading task while it waits for the next chunk."""
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
    """Stop reading after some time, in which the first chunk was received."""
    await anext(stream)

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
    """Let the loop run until the condition holds; return False at the timeout."""
    end = asyncio.get_running_loop().time() + TIMEOUT
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
async def test_an_abandoned_async_stream(framework: str, end: str, prompt: str) -> None:
    """While the loop runs: the connection is closed, no task remains, the model works."""
    create, open_stream = ASYNC[framework]
    with _server() as server:
        model = create(server.base_url, **_OPTIONS)
        # The server sends one chunk and then nothing, or chunk after chunk.
        sent = [f"{prompt}-{number}" for number in range(2)] if prompt == "endless" else [prompt]
        for current in sent:
            await ASYNC_ENDS[end](await open_stream(model, current))
            (abandoned,) = server.connections_of(current)
            assert await _wait_until(lambda: abandoned not in server.open_connections), "still open"  # noqa: B023 - called at once
            assert await _wait_until(lambda: not _other_tasks()), _other_tasks()
            assert await _acall(model) == wire.ECHO + _LATER
        stream = await open_stream(model, _LATER)
        assert len([chunk async for chunk in stream]) > 2
        await model.aclose()
        assert await _wait_until(lambda: not server.open_connections)
        assert not _other_tasks()
        assert server.counts() == {**dict.fromkeys(sent, 1), _LATER: len(sent) + 1}


@pytest.mark.parametrize("framework", ASYNC)
async def test_a_cancelled_async_call(framework: str) -> None:
    """A call cancelled before the head, in it or in the body leaves nothing; the model works."""

    def handler(connection: Connection, request: Request) -> None:
        if request.prompt == _LATER:
            connection.respond(request)
            return
        message = wire.echo_message(request)
        connection.send(message[: int(request.prompt.partition("-")[2])])
        connection.set(f"sent-{request.prompt}")
        connection.wait_closed()

    create, open_stream = ASYNC[framework]
    with RawServer(handler) as server:
        model = create(server.base_url, **_OPTIONS)

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
            abandoned = server.connections_of(prompt)
            assert await _wait_until(lambda: not server.open_connections & set(abandoned))  # noqa: B023 - called at once
            assert await _wait_until(lambda: not _other_tasks()), _other_tasks()
            assert await _acall(model) == wire.ECHO + _LATER
        await model.aclose()
        assert await _wait_until(lambda: not server.open_connections)
        assert server.counts() == {**dict.fromkeys(prompts, 2), _LATER: 2 * len(prompts)}


@pytest.mark.parametrize("framework", ASYNC)
async def test_an_async_call_cancelled_while_it_connects(framework: str) -> None:
    """A call is cancelled after the server accepts, or in the middle of the TLS handshake."""
    create, _ = ASYNC[framework]
    accepted = threading.Event()

    def accept(connection: Connection) -> None:
        accepted.set()
        connection.wait_closed()

    for scheme in ("http", "https"):
        accepted.clear()
        with RawServer(on_connect=accept) as server:
            model = create(f"{scheme}{server.base_url.removeprefix('http')}", max_retries=0)
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
    """A model without a reference leaves no socket open, in any state, sync and async."""
    create, open_stream = SYNC[framework]
    with _server() as server:
        model = create(server.base_url, max_retries=0)
        assert _call(model) == wire.ECHO + _LATER
        stream = iter(open_stream(model, "endless"))
        next(stream)
        assert asyncio.run(_acall(model)) == wire.ECHO + _LATER
        del model, stream
        gc.collect()
        assert server.wait_until_closed()


@pytest.mark.parametrize("way", ["LangChain stream", "LangChain astream"])
def test_an_abandoned_stream_over_tls(way: str, remote: RemoteClient, tls: ssl.SSLContext) -> None:
    """A stream that is left at a client-side stop sequence closes its TLS connection."""
    with RawServer(_endless, tls=tls) as server:
        options = {"max_retries": 0, "stop": ["on, and"]}
        with remote.session(way, server.base_url, **options) as session:
            assert session.call("endless").text == "and so "
            (abandoned,) = server.connections_of("endless")
            assert server.wait_until_closed(abandoned)
            assert session.call(_LATER).text == _LATER


@pytest.mark.parametrize("way", ["LangChain invoke", "LlamaIndex stream_chat"])
def test_streams_abandoned_by_many_threads(way: str) -> None:
    """Threads that abandon streams of one model do not affect other calls."""
    with _server() as server, Session(way, server.base_url, max_retries=0) as session:
        create, open_stream = SYNC[way.partition(" ")[0]]
        model = create(server.base_url, max_retries=0)
        outcomes: list[str] = []

        def abandon_streams(number: int) -> None:
            for turn in range(5):
                _break(iter(open_stream(model, f"endless-{number}-{turn}")))
                outcomes.append(_call(model))

        threads = [threading.Thread(target=abandon_streams, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [wire.ECHO + _LATER] * 30
        assert session.call(_LATER).text == _LATER
        model.close()
    assert max(server.counts().values()) == 31
