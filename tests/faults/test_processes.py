"""Processes: how they end, how they are forked, and several event loops in one."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.child import work
from tests.faults.components import COMPONENTS
from tests.faults.core_component import Core
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.scripts import AREADS, ENDINGS, READS, process
from tests.programs import FORKS
from xai_lowcode.emulator import Emulator, SlowDrip

pytestmark = pytest.mark.slow

everything = pytest.mark.parametrize("component", COMPONENTS)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
# Python warns of forks beside threads; the emulator is one.
threaded = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture
def model(gateway: Emulator, component: Any) -> Any:
    """A component for the gateway."""
    gateway.reset()
    return component(
        api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0, deadline=20.0
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_without_a_word(gateway: Emulator, ending: str) -> None:
    """Whatever is open when the interpreter ends: nothing on standard error, exit code 0."""
    _check_ending(gateway, Core, ENDINGS[ending])


@pytest.mark.parametrize("component", COMPONENTS[1:])
def test_a_process_of_a_framework_ends_without_a_word(gateway: Emulator, component: Any) -> None:
    """The same in a new interpreter, with all of it open at once."""
    _check_ending(gateway, component, "".join(ENDINGS.values()), fork=False)


def _check_ending(gateway: Emulator, component: Any, program: str, *, fork: bool = FORKS) -> None:
    gateway.reset()
    gateway.inject(*[SlowDrip(0.02)] * 10)
    with process(component, program, gateway, fork=fork) as running:
        _, err = running.communicate(timeout=60)
    assert (err, running.returncode) == ("", 0)


@everything
@pytest.mark.parametrize("program", [READS, AREADS], ids=["sync", "async"])
def test_ctrl_c_in_a_stream(gateway: Emulator, component: Any, program: str) -> None:
    """One traceback that ends with KeyboardInterrupt and shows no token, and nothing else."""
    gateway.reset()
    gateway.inject(SlowDrip(0.1))
    with process(component, program, gateway) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert not [line for line in ("ignored", "destroyed", "retrieved", "Warning") if line in err]
    assert gateway.api_token not in err


def _told_by_child(work: Callable[[], set[str]]) -> set[str]:
    """What a forked child finds out, and parent and child go on."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.write(writer, "\n".join(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        told = set(pipe.read().splitlines())
    assert os.waitpid(child, 0)[1] == 0
    return told


@forks
@threaded
@everything
def test_a_fork_within_a_loop_that_is_connected(model: Any) -> None:
    """The child makes a loop and a pool of its own; the parent's connections are untouched."""

    def ask() -> set[str]:
        return {model.answer(), *(asyncio.run(model.aanswer()) for _ in range(2))}

    async def fork() -> None:
        expected = await model.aanswer()
        stream = model.astream()
        await anext(stream)
        assert await asyncio.to_thread(model.answer) == expected
        assert _told_by_child(ask) == {expected}
        assert len([piece async for piece in stream]) > 3
        assert {await model.aanswer() for _ in range(3)} == {expected}
        assert await asyncio.to_thread(model.answer) == expected
        assert _told_by_child(ask) == {expected}
        assert await model.aanswer() == expected

    asyncio.run(fork())


@forks
@threaded
@everything
def test_a_fork_with_a_half_read_stream(gateway: Emulator, model: Any) -> None:
    """The child throws the stream away and asks; the parent reads it to its end."""
    expected = model.answer()
    gateway.inject(SlowDrip(0.01))
    streams = [model.stream()]
    next(streams[0])

    def ask() -> set[str]:
        streams.clear()
        return {model.answer()}

    assert _told_by_child(ask) == {expected}
    assert len(list(streams[0])) > 3
    assert model.answer() == expected


@forks
@threaded
@pytest.mark.parametrize("component", [Core])
def test_a_fork_while_another_thread_counts_tokens(model: Any) -> None:
    """The child counts on, though nobody there will open the lock that was held."""
    counter = model.model.tokens
    expected = counter.count("one two three", model="grok-4.7").tokens

    def ask() -> set[str]:
        signal.alarm(20)
        texts = ("one two three", "four five")
        return {str(counter.count(text, model="grok-4.7").tokens) for text in texts}

    with counter._cache._lock:
        told = _told_by_child(ask)
    assert str(expected) in told
    assert len(told) == 2


@threaded
@everything
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing(model: Any, method: str) -> None:
    """A used model is inherited or pickled; the child answers, and ends well."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork on this system")
    context: Any = multiprocessing.get_context(method)
    expected, results = model.answer(), context.Queue()
    child = context.Process(target=work, args=(model, results))
    child.start()
    assert results.get(timeout=60) == (expected, expected)
    child.join(60)
    assert child.exitcode == 0
    results.close()
    results.join_thread()
    assert model.answer() == expected


@everything
def test_loops_in_a_row_and_side_by_side(model: Any) -> None:
    """One component serves them all, streams too, and leaves nothing of any."""

    async def ask() -> set[str]:
        async def read() -> int:
            return len([piece async for piece in model.astream()])

        *answers, pieces = await asyncio.gather(model.aanswer(), model.aanswer(), read())
        assert pieces > 3
        return set(answers)

    with no_resource_leaks():
        found = [asyncio.run(ask()) for _ in range(3)]
        with ThreadPoolExecutor(4) as pool:
            found += pool.map(lambda _: asyncio.run(ask()), range(8))
        model.close()
    assert len(set.union(*found)) == 1
