"""Many concurrent calls, with and without faults: none is lost, and no resource leaks.

Each call ends with its own response or with one error of this package; afterwards there are no more
connections and descriptors than before. `make load` runs them at full size.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.load import traffic  # noqa: E402 - the path is set above
from tests.load.traffic import Clients, Server, Tally, faulty_gateway  # noqa: E402 - the same

FULL = os.environ.get("LOAD") == "full"
CALLS, OPEN_STREAMS, THREADS, CALLS_EACH = (1_000, 500, 64, 12) if FULL else (120, 60, 16, 4)
FAULTS = 0.25
LIMITS: list[dict[str, Any]] = [{}, {"max_concurrency": 5}]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted there"),
]


@pytest.fixture(scope="module")
def reliable() -> Iterator[Server]:
    """A gateway without faults."""
    with faulty_gateway() as server:
        yield server


@pytest.fixture(scope="module")
def faulty() -> Iterator[Server]:
    """A gateway with many faults."""
    with faulty_gateway(FAULTS) as server:
        yield server


def descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def wait_for_count(count: Callable[[], int], limit: int) -> int:
    """Return a count when it is no more than wanted, or after some seconds."""
    end = time.monotonic() + 6
    while (number := count()) > limit and time.monotonic() < end:
        gc.collect()
        time.sleep(0.05)
    return number


def assert_outcome(tally: Tally, calls: int, *, faults: bool) -> None:
    """Assert that no call is lost or wrong, and that only faults cause errors."""
    assert not tally.wrong, tally.wrong[:5]
    assert tally.calls == calls
    if faults:
        assert tally.right > calls / 2
        assert tally.errors
    else:
        assert tally.right == calls, tally.errors


@pytest.mark.parametrize("limits", LIMITS, ids=["free", "limited"])
@pytest.mark.parametrize("kinds", [traffic.ASYNC_PLAIN, traffic.ASYNC_STREAMS])
@pytest.mark.parametrize("faults", [False, True], ids=["reliable", "faulty"])
def test_coroutines(faults: bool, kinds: Any, limits: Any, request: pytest.FixtureRequest) -> None:
    """Concurrent calls of one event loop all end, and leak no connection, descriptor or thread."""
    server = request.getfixturevalue("faulty" if faults else "reliable")
    number = OPEN_STREAMS if kinds is traffic.ASYNC_STREAMS else CALLS

    async def run() -> Tally:
        clients = Clients(server, **limits)
        try:
            return await traffic.all_at_once(kinds, number, clients)
        finally:
            await clients.aclose()

    before, connections, threads = descriptors(), server.connections(), threading.active_count()
    assert_outcome(asyncio.run(run()), number, faults=faults)
    assert wait_for_count(descriptors, before) <= before
    assert wait_for_count(server.connections, connections) <= connections
    assert threading.active_count() <= threads


@pytest.mark.parametrize("limits", LIMITS, ids=["free", "limited"])
@pytest.mark.parametrize("faults", [False, True], ids=["reliable", "faulty"])
def test_threads(faults: bool, limits: Any, request: pytest.FixtureRequest) -> None:
    """Calls of many threads, plain and streamed, all end, and leak no connection or descriptor."""
    server = request.getfixturevalue("faulty" if faults else "reliable")
    clients, kinds = Clients(server, **limits), (*traffic.PLAIN, *traffic.STREAMS)
    tallies = [Tally() for _ in range(THREADS)]

    def work(number: int) -> None:
        for index in range(CALLS_EACH):
            traffic.call(kinds[(number + index) % len(kinds)], clients, tallies[number])

    before, connections = descriptors(), server.connections()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    clients.close()
    total = Tally()
    for tally in tallies:
        total.right += tally.right
        total.errors += tally.errors
        total.wrong += tally.wrong
    assert_outcome(total, THREADS * CALLS_EACH, faults=faults)
    assert wait_for_count(descriptors, before) <= before
    assert wait_for_count(server.connections, connections) <= connections


def test_wrong_calls_are_detected() -> None:
    """The response of another prompt, a foreign exception and a lost call are detected."""
    swapped, foreign, lost = Tally(), Tally(), Tally(right=1)
    swapped.answered("word 1", "word 2")
    foreign.failed(KeyError("x"))
    for tally in (swapped, foreign, lost):
        with pytest.raises(AssertionError):
            assert_outcome(tally, 2 if tally is lost else 1, faults=False)
