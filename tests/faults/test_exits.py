"""Early exits: abandoned streams, cancelled tasks, closed clients.

The connection is returned to the pool or closed, and nothing is leaked: no task, no thread, no
descriptor, no warning. The same component can be used afterwards.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from tests.faults.components import COMPONENTS
from tests.faults.langchain_component import LangChain
from tests.faults.prompt import PROMPT
from tests.faults.resource_leaks import no_resource_leaks
from xai_lowcode.emulator import Emulator, Fault, Heartbeats, SlowDrip, Stall, running

pytestmark = pytest.mark.slow

Create = Callable[..., Any]
# A slow stream, and one with more received bytes than a connection reads before its reuse.
SLOW, LARGE = SlowDrip(0.003), Heartbeats(600)
CHUNK_COUNTS = (1, 2, 7)
all_components = pytest.mark.parametrize("component", COMPONENTS)


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator of the test's own: a cancelled request may reach it after the test."""
    with running(deferred_polls=0) as emulator:
        yield emulator


@pytest.fixture
def create(gateway: Emulator) -> Create:
    """Return a function that creates components for the gateway, with the next faults."""

    def create_component(component: Any, *faults: Fault) -> Any:
        gateway.reset()
        gateway.inject(*faults)
        return component(
            api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0, deadline=20.0
        )

    return create_component


async def _wait_for_other_tasks() -> None:
    """Wait until no other task runs; frameworks leave closing a generator to the event loop."""
    for _ in range(1000):
        if asyncio.all_tasks() == {asyncio.current_task()}:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(asyncio.all_tasks())


def _read(stream: Any, chunks: int) -> None:
    for _ in range(chunks):
        next(stream)


def _drop(stream: Any, chunks: int) -> None:
    """Read some chunks; no reference to the stream is left when this returns."""
    _read(stream, chunks)


def _close(stream: Any, chunks: int) -> None:
    _read(stream, chunks)
    stream.close()


def _break(stream: Any, chunks: int) -> None:
    for number, _ in enumerate(stream, 1):
        if number == chunks:
            break


def _interrupt(stream: Any, chunks: int) -> None:
    with suppress(KeyboardInterrupt):
        for number, _ in enumerate(stream, 1):
            if number == chunks:
                raise KeyboardInterrupt


@all_components
@pytest.mark.parametrize("leave", [_drop, _close, _break, _interrupt])
@pytest.mark.parametrize("fault", [SLOW, LARGE], ids=["slow", "large"])
def test_a_stream_may_be_abandoned(
    create: Create, component: Any, leave: Any, fault: Fault
) -> None:
    """A stream may be dropped, closed, left by ``break``, or interrupted by ctrl-C."""
    for chunks in CHUNK_COUNTS:
        with no_resource_leaks():
            model = create(component, fault)
            leave(model.stream(), chunks)
            assert model.answer()
            del model


async def _aread(stream: Any, chunks: int) -> None:
    for _ in range(chunks):
        await anext(stream)


async def _adrop(stream: Any, chunks: int) -> None:
    await _aread(stream, chunks)


async def _aclose(stream: Any, chunks: int) -> None:
    await _aread(stream, chunks)
    await stream.aclose()


async def _abreak(stream: Any, chunks: int) -> None:
    count = 0
    async for _ in stream:
        count += 1
        if count == chunks:
            break


async def _ainterrupt(stream: Any, chunks: int) -> None:
    count = 0
    with suppress(ZeroDivisionError):
        async for _ in stream:
            count += 1
            1 / (chunks - count)


@all_components
@pytest.mark.parametrize("leave", [_adrop, _aclose, _abreak, _ainterrupt])
@pytest.mark.parametrize("fault", [SLOW, LARGE], ids=["slow", "large"])
def test_an_async_stream_may_be_abandoned(
    create: Create, component: Any, leave: Any, fault: Fault
) -> None:
    """So may async streams; a dropped one is closed by its loop, at the latest when that ends."""

    async def leave_stream(chunks: int) -> None:
        model = create(component, fault)
        await leave(model.astream(), chunks)
        assert await model.aanswer()
        if leave is _aclose:
            await _wait_for_other_tasks()

    for chunks in CHUNK_COUNTS:
        with no_resource_leaks():
            asyncio.run(leave_stream(chunks))


async def _read_all(model: Any) -> list[Any]:
    return [chunk async for chunk in model.astream()]


@all_components
@pytest.mark.parametrize("method", ["answer", "stream"])
@pytest.mark.parametrize("twice", [False, True])
def test_a_task_may_be_cancelled_at_any_moment(
    create: Create, component: Any, method: str, twice: bool
) -> None:
    """A task may be cancelled after any number of steps of the loop, or of half milliseconds."""

    async def run_and_cancel(steps: int, seconds: float) -> None:
        model = create(component, SlowDrip(0.002))
        coroutine = model.aanswer() if method == "answer" else _read_all(model)
        task = asyncio.create_task(coroutine)
        for _ in range(steps):
            await asyncio.sleep(seconds)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _wait_for_other_tasks()
        assert await model.aanswer()

    with no_resource_leaks():
        for steps in range(12):
            asyncio.run(run_and_cancel(steps, 0))
            asyncio.run(run_and_cancel(steps, 0.0005))


@all_components
@pytest.mark.parametrize("method", ["answer", "stream"])
def test_an_external_timeout(create: Create, component: Any, method: str) -> None:
    """`asyncio.timeout` ends a call that waits for a response."""

    async def run() -> None:
        model = create(component, Stall(10.0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await (model.aanswer() if method == "answer" else _read_all(model))
        await _wait_for_other_tasks()
        assert await model.aanswer()

    with no_resource_leaks():
        asyncio.run(run())


class Interrupting(BaseCallbackHandler):
    """A callback in which ctrl-C is pressed."""

    def on_llm_new_token(self, *_args: Any, **_kwargs: Any) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_in_a_callback(create: Create) -> None:
    """`KeyboardInterrupt` in a callback is raised unchanged, and the stream is closed."""
    with no_resource_leaks():
        model = create(LangChain, SLOW)
        with pytest.raises(KeyboardInterrupt):
            list(model.model.stream(PROMPT, {"callbacks": [Interrupting()]}))
        assert model.answer()
        del model


@all_components
def test_a_stream_continues_after_close(create: Create, component: Any) -> None:
    """A stream whose component is closed is read to its end; the component can be used again."""

    async def close_and_continue() -> None:
        model = create(component, SLOW)
        stream = model.astream()
        await anext(stream)
        await model.aclose()
        assert len([chunk async for chunk in stream]) > 3
        assert await model.aanswer()

    with no_resource_leaks():
        asyncio.run(close_and_continue())
        model = create(component, SLOW)
        stream = model.stream()
        next(stream)
        model.close()
        assert len(list(stream)) > 3
        assert model.answer()
        del model, stream


@all_components
def test_a_waiting_call_completes_after_close(create: Create, component: Any) -> None:
    """A call that waits for its response gets it, if another thread or task closes the client."""

    async def close_and_continue() -> None:
        model = create(component, Stall(0.3))
        task = asyncio.create_task(model.aanswer())
        await asyncio.sleep(0.1)
        await model.aclose()
        assert await task

    with no_resource_leaks():
        asyncio.run(close_and_continue())
        model, results = create(component, Stall(0.3)), []
        thread = threading.Thread(target=lambda m: results.append(m.answer()), args=(model,))
        thread.start()
        time.sleep(0.1)
        model.close()
        thread.join()
        assert results.pop()
        del model, thread
