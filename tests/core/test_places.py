"""Law: who waits is served in order, and no place is lost or made, whoever comes and goes."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.held import free
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.transport.concurrency import ConcurrencyLimiter, RequestLimits, Slot
from xai_lowcode.transport.rate_limit import as_rate_limiter


def test_first_come_first_served() -> None:
    """Threads and tasks that wait in turns are served in the order in which they came."""
    limits, order, done = RequestLimits(1, None), list[int](), list[Callable[[], Any]]()
    first = limits.acquire(None, use_rate_limiter=False)

    def wait(number: int) -> None:
        place = limits.acquire(10, use_rate_limiter=False)
        order.append(number)
        place.release()

    async def await_(number: int) -> None:
        place = await limits.aacquire(10, use_rate_limiter=False)
        order.append(number)
        place.release()

    room: Any = limits._limiter
    with ThreadPoolExecutor(20) as pool:
        for number in range(20):
            work = wait if number % 2 else lambda number: asyncio.run(await_(number))
            done.append(pool.submit(work, number).result)
            end = time.monotonic() + 10
            while len(room.waiters) <= number and time.monotonic() < end:
                time.sleep(0.001)
        first.release()
        for finished in done:
            finished(10)
    assert order == list(range(20))


def test_nobody_passes_those_who_wait() -> None:
    """A place that became free this moment is not taken by whoever comes now."""
    room = ConcurrencyLimiter(0)
    first = Slot(room)
    first.enqueue()
    room.free.append(None)
    newcomer = Slot(room)
    assert not newcomer.try_acquire()
    newcomer.enqueue()
    assert (first._acquired, newcomer._acquired) == ([None], [])
    first.release()
    assert newcomer._acquired == [None]


@pytest.mark.parametrize("patience", [0.01, None])
def test_who_gave_up_waits_no_longer(patience: float | None) -> None:
    """Neither lateness nor cancellation leaves anybody in the queue."""
    limits = RequestLimits(1, None)
    place = limits.acquire(None, use_rate_limiter=False)

    async def give_up() -> None:
        waiting = [
            asyncio.create_task(limits.aacquire(patience, use_rate_limiter=False)) for _ in range(9)
        ]
        await asyncio.sleep(0.02)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(give_up())
    with pytest.raises(APITimeoutError):
        limits.acquire(0.01, use_rate_limiter=False)
    room: Any = limits._limiter
    assert not room.waiters
    place.release()
    assert free(limits) == 1


class Refusing:
    """A limiter that never gives leave."""

    def acquire(self, *, blocking: bool = True) -> bool:
        del blocking
        return False

    async def aacquire(self, *, blocking: bool = True) -> bool:
        del blocking
        return False


def test_who_is_refused_by_the_limiter_holds_no_place() -> None:
    """Whether or not the place that is given along is left."""
    limits = RequestLimits(1, as_rate_limiter(Refusing()))
    with pytest.raises(APITimeoutError):
        limits.acquire(0.01, use_rate_limiter=True)
    with pytest.raises(APITimeoutError):
        asyncio.run(limits.aacquire(0.01, use_rate_limiter=True))
    assert free(limits) == 1


class Fickle(deque[Slot]):
    """A queue whose first leaves at the moment when it is called up."""

    def popleft(self) -> Slot:
        place = super().popleft()
        place.cancel()
        return place


class Emptied(deque[Slot]):
    """A queue that everybody has left when its first is called up."""

    def popleft(self) -> Slot:
        self.clear()
        return super().popleft()


@pytest.mark.parametrize("queue", [Fickle, Emptied])
def test_who_goes_when_called_up_takes_no_place_along(queue: type[deque[Slot]]) -> None:
    """Another thread may give up between two steps of the one that serves it."""
    room = ConcurrencyLimiter(1)
    holder, waiter = Slot(room), Slot(room, lambda: None)
    assert holder.try_acquire()
    room.waiters = queue()
    waiter.enqueue()
    holder.release()
    assert (len(room.free), len(room.waiters)) == (1, 0)


MOVES = st.lists(
    st.tuples(st.sampled_from(["enter", "hurry", "cancel", "leave", "leave twice"]), st.integers()),
    max_size=40,
)


@given(MOVES, st.integers(1, 3))
def test_no_place_is_lost_or_made(moves: list[tuple[str, int]], places: int) -> None:
    """However tasks come, are cancelled, run late and leave: in the end all places are free."""
    limits = RequestLimits(places, None)

    async def play() -> None:
        tasks: list[asyncio.Task[Any]] = []
        for move, number in moves:
            if move in {"enter", "hurry"} or not tasks:
                within = 0.0 if move == "hurry" else None
                tasks.append(asyncio.create_task(limits.aacquire(within, use_rate_limiter=False)))
            elif move == "cancel":
                tasks[number % len(tasks)].cancel()
            else:
                task = tasks[number % len(tasks)]
                if _has_slot(task):
                    task.result().release()
            if number % 3:
                await asyncio.sleep(0)
            acquired = [task for task in tasks if _has_slot(task) and task.result()._acquired]
            assert len(acquired) <= places
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, BaseException):
                result.release()
        await asyncio.sleep(0)

    asyncio.run(play())
    assert free(limits) == places


def _has_slot(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def test_threads_in_a_scramble() -> None:
    """Many threads with very short patience, over and over: none too many, none lost."""
    limits, flight, wrong = RequestLimits(3, None), [0], list[int]()
    lock = threading.Lock()

    def work(seed: int) -> None:
        for turn in range(100):
            try:
                slot = limits.acquire((seed + turn) % 4 * 0.0002, use_rate_limiter=False)
            except APITimeoutError:
                continue
            with lock:
                flight[0] += 1
                wrong.extend([flight[0]] if flight[0] > 3 else [])
            time.sleep(0.0001)
            with lock:
                flight[0] -= 1
            slot.release()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert not wrong
    assert free(limits) == 3
