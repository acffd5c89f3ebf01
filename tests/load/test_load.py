"""Law: of however many calls at once, however troubled the gateway, none is lost and nothing stays.

Each ends in its own answer or one clear error; connections and descriptors are afterwards what they
were.

``make load`` runs it in full size; the suite a smaller one.
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
from tests.load.traffic import Faces, Server, Tally, faulty_gateway  # noqa: E402 - the same

FULL = os.environ.get("LOAD") == "full"
CALLS, OPEN_STREAMS, THREADS, EACH = (1_000, 500, 64, 12) if FULL else (120, 60, 16, 4)
FAULTS = 0.25
LIMITS: list[dict[str, Any]] = [{}, {"max_concurrency": 5}]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted there"),
]


@pytest.fixture(scope="module")
def calm() -> Iterator[Server]:
    """A gateway without trouble."""
    with faulty_gateway() as server:
        yield server


@pytest.fixture(scope="module")
def rough() -> Iterator[Server]:
    """One with much."""
    with faulty_gateway(FAULTS) as server:
        yield server


def descriptors() -> int:
    """Open descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def settled(count: Callable[[], int], wanted: int) -> int:
    """A count, once it is no more than wanted; as it is after some seconds, if it does not fall."""
    end = time.monotonic() + 6
    while (found := count()) > wanted and time.monotonic() < end:
        gc.collect()
        time.sleep(0.05)
    return found


def judge(tally: Tally, calls: int, *, trouble: bool) -> None:
    """None lost, none wrong; errors only where there was trouble, and answers there too."""
    assert not tally.wrong, tally.wrong[:5]
    assert tally.calls == calls
    if trouble:
        assert tally.right > calls / 2
        assert tally.errors
    else:
        assert tally.right == calls, tally.errors


@pytest.mark.parametrize("limits", LIMITS, ids=["free", "limited"])
@pytest.mark.parametrize("ways", [traffic.ASYNC_PLAIN, traffic.ASYNC_STREAMS])
@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "rough"])
def test_coroutines(trouble: bool, ways: Any, limits: Any, request: pytest.FixtureRequest) -> None:
    """All calls of one event loop at the same time."""
    server = request.getfixturevalue("rough" if trouble else "calm")
    number = OPEN_STREAMS if ways is traffic.ASYNC_STREAMS else CALLS

    async def run() -> Tally:
        faces = Faces(server, **limits)
        try:
            return await traffic.all_at_once(ways, number, faces)
        finally:
            await faces.aclose()

    before, connections, threads = descriptors(), server.connections(), threading.active_count()
    judge(asyncio.run(run()), number, trouble=trouble)
    assert settled(descriptors, before) <= before
    assert settled(server.connections, connections) <= connections
    assert threading.active_count() <= threads


@pytest.mark.parametrize("limits", LIMITS, ids=["free", "limited"])
@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "rough"])
def test_threads(trouble: bool, limits: Any, request: pytest.FixtureRequest) -> None:
    """Many threads, each asking one call after the other, plain and streamed."""
    server = request.getfixturevalue("rough" if trouble else "calm")
    faces, ways = Faces(server, **limits), (*traffic.PLAIN, *traffic.STREAMS)
    tallies = [Tally() for _ in range(THREADS)]

    def work(number: int) -> None:
        for turn in range(EACH):
            traffic.ask(ways[(number + turn) % len(ways)], faces, tallies[number])

    before, connections = descriptors(), server.connections()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    faces.close()
    total = Tally()
    for tally in tallies:
        total.right += tally.right
        total.errors += tally.errors
        total.wrong += tally.wrong
    judge(total, THREADS * EACH, trouble=trouble)
    assert settled(descriptors, before) <= before
    assert settled(server.connections, connections) <= connections


def test_the_tally_sees_what_is_wrong() -> None:
    """An answer to another question, a foreign error and a lost call do not pass."""
    swapped, foreign, lost = Tally(), Tally(), Tally(right=1)
    swapped.answered("word 1", "word 2")
    foreign.failed(KeyError("x"))
    for tally in (swapped, foreign, lost):
        with pytest.raises(AssertionError):
            judge(tally, 2 if tally is lost else 1, trouble=False)
