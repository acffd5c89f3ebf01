"""Processes: how they end, how they are forked, and several event loops in one."""

import asyncio
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.child import work
from tests.faults.components import COMPONENTS
from tests.faults.core_component import Core
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.scripts import AREADS, ENDINGS, READS, UNPICKLES, process
from tests.programs import FORKS
from xai_lowcode.emulator import Emulator, SlowDrip

pytestmark = pytest.mark.slow

all_components = pytest.mark.parametrize("component", COMPONENTS)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
# Python warns of a fork in a process with threads; the emulator runs in one.
ignore_fork_warnings = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture
def model(gateway: Emulator, component: Any) -> Any:
    """Return a component for the gateway."""
    gateway.reset()
    return component(
        api_token=gateway.api_token, base_url=gateway.base_url, max_retries=0, deadline=20.0
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_without_errors(gateway: Emulator, ending: str) -> None:
    """Whatever is open when the interpreter ends: no output on standard error, exit code 0."""
    _check_ending(gateway, Core, ENDINGS[ending])


@pytest.mark.parametrize("component", COMPONENTS[1:])
def test_a_process_of_a_framework_ends_without_errors(gateway: Emulator, component: Any) -> None:
    """The same holds for a framework in a new interpreter, with everything open at once."""
    _check_ending(gateway, component, "".join(ENDINGS.values()), fork=False)


def _check_ending(gateway: Emulator, component: Any, program: str, *, fork: bool = FORKS) -> None:
    gateway.reset()
    gateway.inject(*[SlowDrip(0.02)] * 10)
    with process(component, program, gateway, fork=fork) as running:
        _, err = running.communicate(timeout=60)
    assert (err, running.returncode) == ("", 0)


@all_components
@pytest.mark.parametrize("program", [READS, AREADS], ids=["sync", "async"])
def test_ctrl_c_in_a_stream(gateway: Emulator, component: Any, program: str) -> None:
    """There is one traceback, which ends with KeyboardInterrupt and shows no token."""
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


def _result_of_child(function: Callable[[], set[str]]) -> set[str]:
    """Fork, and return the result of a function in the child; check that the child exits with 0."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            os.write(write_end, "\n".join(function()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        result = set(pipe.read().splitlines())
    assert os.waitpid(child, 0)[1] == 0
    return result


@forks
@ignore_fork_warnings
@all_components
def test_a_fork_in_a_running_event_loop(model: Any) -> None:
    """The child creates its own loop and pool; the parent's connections are unaffected."""

    def call() -> set[str]:
        return {model.answer(), *(asyncio.run(model.aanswer()) for _ in range(2))}

    async def fork() -> None:
        expected = await model.aanswer()
        stream = model.astream()
        await anext(stream)
        assert await asyncio.to_thread(model.answer) == expected
        assert _result_of_child(call) == {expected}
        assert len([chunk async for chunk in stream]) > 3
        assert {await model.aanswer() for _ in range(3)} == {expected}
        assert await asyncio.to_thread(model.answer) == expected
        assert _result_of_child(call) == {expected}
        assert await model.aanswer() == expected

    asyncio.run(fork())


@forks
@ignore_fork_warnings
@all_components
def test_a_fork_with_a_half_read_stream(gateway: Emulator, model: Any) -> None:
    """The child drops the stream and sends a request; the parent reads the stream to its end."""
    expected = model.answer()
    gateway.inject(SlowDrip(0.01))
    streams = [model.stream()]
    next(streams[0])

    def call() -> set[str]:
        streams.clear()
        return {model.answer()}

    assert _result_of_child(call) == {expected}
    assert len(list(streams[0])) > 3
    assert model.answer() == expected


@forks
@ignore_fork_warnings
@pytest.mark.parametrize("component", [Core])
def test_a_fork_while_another_thread_counts_tokens(model: Any) -> None:
    """The child counts tokens, though the lock that another thread held is never released there."""
    counter = model.model.tokens
    expected = counter.count("one two three", model="grok-4.7").tokens

    def call() -> set[str]:
        signal.alarm(20)
        texts = ("one two three", "four five")
        return {str(counter.count(text, model="grok-4.7").tokens) for text in texts}

    with counter._cache._lock:
        result = _result_of_child(call)
    assert str(expected) in result
    assert len(result) == 2


@ignore_fork_warnings
@pytest.mark.parametrize(
    ("component", "method"), [*((component, "fork") for component in COMPONENTS), (Core, "spawn")]
)
def test_processes_of_multiprocessing(model: Any, method: str) -> None:
    """A used model is inherited or pickled; the child gets a response, and exits with 0."""
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


@pytest.mark.parametrize("component", COMPONENTS[1:])
def test_a_pickled_model_of_a_framework_in_another_process(
    gateway: Emulator, component: Any, model: Any
) -> None:
    """A used model is pickled; a process that has inherited nothing gets a response with it."""
    expected = model.answer()
    program = UNPICKLES.format(pickled=pickle.dumps(model))
    with process(component, program, gateway) as running:
        out, err = running.communicate(timeout=60)
    assert (out, err, running.returncode) == (f"{(expected, expected)}\n", "", 0)
    assert model.answer() == expected


@all_components
def test_successive_and_concurrent_event_loops(model: Any) -> None:
    """One component serves event loops in succession and in threads, and leaks no resources."""

    async def call() -> set[str]:
        async def count_chunks() -> int:
            return len([chunk async for chunk in model.astream()])

        *answers, chunks = await asyncio.gather(model.aanswer(), model.aanswer(), count_chunks())
        assert chunks > 3
        return set(answers)

    with no_resource_leaks():
        results = [asyncio.run(call()) for _ in range(3)]
        with ThreadPoolExecutor(4) as pool:
            results += pool.map(lambda _: asyncio.run(call()), range(8))
        model.close()
    assert len(set.union(*results)) == 1
