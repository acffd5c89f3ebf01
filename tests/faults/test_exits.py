"""Early exits: abandoned streams, cancelled tasks, closed clients.

Whenever it happens, the connection is given back or closed, and nothing is left behind: no task, no
thread, no descriptor, no complaint. The same component answers afterwards.
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

Make = Callable[..., Any]
# A slow stream, and one with more bytes received than a connection drains before its reuse.
COMING, LONG = SlowDrip(0.003), Heartbeats(600)
PIECES = (1, 2, 7)
everything = pytest.mark.parametrize("component", COMPONENTS)


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator of the test's own: a cancelled request may reach it after the test."""
    with running(deferred_polls=0) as emulator:
        yield emulator


@pytest.fixture
def make(gateway: Emulator) -> Make:
    """Makes components for the gateway, at which faults wait."""

    def made(component: Any, *faults: Fault) -> Any:
        gateway.reset()
        gateway.inject(*faults)
        return component(
            api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0, deadline=20.0
        )

    return made


async def _alone() -> None:
    """Waits until no other task is there; frameworks leave the end of a generator to the loop."""
    for _ in range(1000):
        if asyncio.all_tasks() == {asyncio.current_task()}:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(asyncio.all_tasks())


def _read(stream: Any, pieces: int) -> None:
    for _ in range(pieces):
        next(stream)


def _drop(stream: Any, pieces: int) -> None:
    """Nobody holds it any more when this returns."""
    _read(stream, pieces)


def _close(stream: Any, pieces: int) -> None:
    _read(stream, pieces)
    stream.close()


def _break(stream: Any, pieces: int) -> None:
    for number, _ in enumerate(stream, 1):
        if number == pieces:
            break


def _interrupt(stream: Any, pieces: int) -> None:
    with suppress(KeyboardInterrupt):
        for number, _ in enumerate(stream, 1):
            if number == pieces:
                raise KeyboardInterrupt


@everything
@pytest.mark.parametrize("leave", [_drop, _close, _break, _interrupt])
@pytest.mark.parametrize("fault", [COMING, LONG], ids=["coming", "long"])
def test_a_stream_may_be_left(make: Make, component: Any, leave: Any, fault: Fault) -> None:
    """By forgetting it, by closing it, by leaving the loop, by ctrl-C."""
    for pieces in PIECES:
        with no_resource_leaks():
            model = make(component, fault)
            leave(model.stream(), pieces)
            assert model.answer()
            del model


async def _aread(stream: Any, pieces: int) -> None:
    for _ in range(pieces):
        await anext(stream)


async def _adrop(stream: Any, pieces: int) -> None:
    await _aread(stream, pieces)


async def _aclose(stream: Any, pieces: int) -> None:
    await _aread(stream, pieces)
    await stream.aclose()


async def _abreak(stream: Any, pieces: int) -> None:
    seen = 0
    async for _ in stream:
        seen += 1
        if seen == pieces:
            break


async def _ainterrupt(stream: Any, pieces: int) -> None:
    seen = 0
    with suppress(ZeroDivisionError):
        async for _ in stream:
            seen += 1
            1 / (pieces - seen)


@everything
@pytest.mark.parametrize("leave", [_adrop, _aclose, _abreak, _ainterrupt])
@pytest.mark.parametrize("fault", [COMING, LONG], ids=["coming", "long"])
def test_an_async_stream_may_be_left(make: Make, component: Any, leave: Any, fault: Fault) -> None:
    """The same; one that is forgotten is closed by its loop, at the latest when that ends."""

    async def left(pieces: int) -> None:
        model = make(component, fault)
        await leave(model.astream(), pieces)
        assert await model.aanswer()
        if leave is _aclose:
            await _alone()

    for pieces in PIECES:
        with no_resource_leaks():
            asyncio.run(left(pieces))


async def _collected(model: Any) -> list[Any]:
    return [piece async for piece in model.astream()]


@everything
@pytest.mark.parametrize("ask", ["answer", "stream"])
@pytest.mark.parametrize("twice", [False, True])
def test_a_task_may_be_cancelled_at_any_moment(
    make: Make, component: Any, ask: str, twice: bool
) -> None:
    """After every number of the loop's steps, and after every half of a millisecond."""

    async def cancelled(steps: int, seconds: float) -> None:
        model = make(component, SlowDrip(0.002))
        asking = model.aanswer() if ask == "answer" else _collected(model)
        task = asyncio.create_task(asking)
        for _ in range(steps):
            await asyncio.sleep(seconds)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _alone()
        assert await model.aanswer()

    with no_resource_leaks():
        for steps in range(12):
            asyncio.run(cancelled(steps, 0))
            asyncio.run(cancelled(steps, 0.0005))


@everything
@pytest.mark.parametrize("ask", ["answer", "stream"])
def test_a_timeout_from_outside(make: Make, component: Any, ask: str) -> None:
    """Ends a call that nothing else would end soon."""

    async def late() -> None:
        model = make(component, Stall(10.0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await (model.aanswer() if ask == "answer" else _collected(model))
        await _alone()
        assert await model.aanswer()

    with no_resource_leaks():
        asyncio.run(late())


class Interrupting(BaseCallbackHandler):
    """Somebody presses ctrl-C while a callback runs."""

    def on_llm_new_token(self, *_args: Any, **_kwargs: Any) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_in_a_callback(make: Make) -> None:
    """Comes out as it is, and the stream is left."""
    with no_resource_leaks():
        model = make(LangChain, COMING)
        with pytest.raises(KeyboardInterrupt):
            list(model.model.stream(PROMPT, {"callbacks": [Interrupting()]}))
        assert model.answer()
        del model


@everything
def test_closing_leaves_a_stream_to_its_end(make: Make, component: Any) -> None:
    """A stream whose component is closed is read to its end; the component can be used again."""

    async def closed() -> None:
        model = make(component, COMING)
        stream = model.astream()
        await anext(stream)
        await model.aclose()
        assert len([piece async for piece in stream]) > 3
        assert await model.aanswer()

    with no_resource_leaks():
        asyncio.run(closed())
        model = make(component, COMING)
        stream = model.stream()
        next(stream)
        model.close()
        assert len(list(stream)) > 3
        assert model.answer()
        del model, stream


@everything
def test_closing_leaves_a_call_that_waits_to_its_end(make: Make, component: Any) -> None:
    """Closed from another thread, or from another task, it gets its answer."""

    async def closed() -> None:
        model = make(component, Stall(0.3))
        task = asyncio.create_task(model.aanswer())
        await asyncio.sleep(0.1)
        await model.aclose()
        assert await task

    with no_resource_leaks():
        asyncio.run(closed())
        model, came = make(component, Stall(0.3)), []
        thread = threading.Thread(target=lambda m: came.append(m.answer()), args=(model,))
        thread.start()
        time.sleep(0.1)
        model.close()
        thread.join()
        assert came.pop()
        del model, thread
