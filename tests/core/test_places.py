"""Law: never more in flight than there are places; who waits is served in order; none gets lost."""

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.held import Held
from tests.core.loopback import TOKEN, Reply, json_reply, sse_reply
from xai_lowcode.async_client import AsyncClient
from xai_lowcode.chats import CREATE_CHAT_COMPLETION
from xai_lowcode.client import Client
from xai_lowcode.errors import APITimeoutError, UsageError
from xai_lowcode.exchange import Call
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.limiters import limiter_of
from xai_lowcode.limits import Limits
from xai_lowcode.operations import LIST_MODELS
from xai_lowcode.places import Place, Room
from xai_lowcode.settings import Settings

STREAM: Call[Any] = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)


def model_on(held: Held, **options: Any) -> GatewayModel:
    """Sync and async clients of one gateway object, on a transport that counts."""
    settings = Settings.create(api_token=TOKEN, base_url="http://127.0.0.1:1/xai", **options)
    return GatewayModel(
        settings,
        http_client=httpx.Client(transport=held),
        http_async_client=httpx.AsyncClient(transport=held),
    )


def free(limits: Limits) -> int:
    """How many places can be taken without waiting."""
    taken: list[Place] = []
    while (entered := limits.enter(0.001, rated=False))[0] is None:
        taken.append(entered[1])
    for place in taken:
        place.leave()
    return len(taken)


def limits_in(model: GatewayModel) -> Any:
    """The limits of a gateway object."""
    return model.client.session.limits


@pytest.mark.parametrize("places", [1, 2, 5])
def test_threads_and_loops_share_the_places(places: int) -> None:
    """Two event loops and several threads at once: as many in flight as allowed, never more."""
    held = Held()
    model = model_on(held, max_concurrency=places)

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*(model.async_client.call(LIST_MODELS) for _ in range(15)))

    with ThreadPoolExecutor(10) as pool:
        loops = [pool.submit(lambda: asyncio.run(ask_all())) for _ in range(2)]
        calls = [pool.submit(model.client.call, LIST_MODELS) for _ in range(30)]
        assert [len(loop.result(20)) for loop in loops] == [15, 15]
        assert all(call.result(20) for call in calls)
    assert held.flight.most == places
    assert (held.flight.sent, held.flight.now) == (60, 0)
    assert free(limits_in(model)) == places


def test_without_a_limit_all_are_sent_at_once() -> None:
    """What the law above counts is the limit's work."""
    held = Held(0.05)
    model = model_on(held)

    async def ask_all() -> None:
        await asyncio.gather(*(model.async_client.call(LIST_MODELS) for _ in range(40)))

    asyncio.run(ask_all())
    assert held.flight.most == 40


def test_first_come_first_served() -> None:
    """Threads and tasks that wait in turns are served in the order in which they came."""
    limits, order, done = Limits(1, None), list[int](), list[Callable[[], Any]]()
    _, first = limits.enter(None, rated=False)

    def wait(number: int) -> None:
        _, place = limits.enter(10, rated=False)
        order.append(number)
        place.leave()

    async def await_(number: int) -> None:
        _, place = await limits.aenter(10, rated=False)
        order.append(number)
        place.leave()

    room: Any = limits._room
    with ThreadPoolExecutor(20) as pool:
        for number in range(20):
            work = wait if number % 2 else lambda number: asyncio.run(await_(number))
            done.append(pool.submit(work, number).result)
            end = time.monotonic() + 10
            while len(room.waiting) <= number and time.monotonic() < end:
                time.sleep(0.001)
        first.leave()
        for finished in done:
            finished(10)
    assert order == list(range(20))


def test_nobody_passes_those_who_wait() -> None:
    """A place that became free this moment is not taken by whoever comes now."""
    room = Room(0)
    first = Place(room)
    first.queue()
    room.free.append(None)
    newcomer = Place(room)
    assert not newcomer.take()
    newcomer.queue()
    assert (first._held, newcomer._held) == ([None], [])
    first.leave()
    assert newcomer._held == [None]


@pytest.mark.parametrize("patience", [0.01, None])
def test_who_gave_up_waits_no_longer(patience: float | None) -> None:
    """Neither lateness nor cancellation leaves anybody in the queue."""
    limits = Limits(1, None)
    _, place = limits.enter(None, rated=False)

    async def give_up() -> None:
        waiting = [asyncio.create_task(limits.aenter(patience, rated=False)) for _ in range(9)]
        await asyncio.sleep(0.02)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(give_up())
    limits.enter(0.01, rated=False)
    room: Any = limits._room
    assert not room.waiting
    place.leave()
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
    limits = Limits(1, limiter_of(Refusing()))
    for error, _ in (
        limits.enter(0.01, rated=True),
        asyncio.run(limits.aenter(0.01, rated=True)),
    ):
        assert isinstance(error, APITimeoutError)
    assert free(limits) == 1


class Fickle(deque[Place]):
    """A queue whose first leaves at the moment when it is called up."""

    def popleft(self) -> Place:
        place = super().popleft()
        place.withdraw()
        return place


class Emptied(deque[Place]):
    """A queue that everybody has left when its first is called up."""

    def popleft(self) -> Place:
        self.clear()
        return super().popleft()


@pytest.mark.parametrize("queue", [Fickle, Emptied])
def test_who_goes_when_called_up_takes_no_place_along(queue: type[deque[Place]]) -> None:
    """Another thread may give up between two steps of the one that serves it."""
    room = Room(1)
    holder, waiter = Place(room), Place(room, lambda: None)
    assert holder.take()
    room.waiting = queue()
    waiter.queue()
    holder.leave()
    assert (len(room.free), len(room.waiting)) == (1, 0)


MOVES = st.lists(
    st.tuples(st.sampled_from(["enter", "hurry", "cancel", "leave", "leave twice"]), st.integers()),
    max_size=40,
)


@given(MOVES, st.integers(1, 3))
def test_no_place_is_lost_or_made(moves: list[tuple[str, int]], places: int) -> None:
    """However tasks come, are cancelled, run late and leave: in the end all places are free."""
    limits = Limits(places, None)

    async def play() -> None:
        tasks: list[asyncio.Task[Any]] = []
        for move, number in moves:
            if move in {"enter", "hurry"} or not tasks:
                within = 0.0 if move == "hurry" else None
                tasks.append(asyncio.create_task(limits.aenter(within, rated=False)))
            elif move == "cancel":
                tasks[number % len(tasks)].cancel()
            else:
                task = tasks[number % len(tasks)]
                if task.done() and not task.cancelled():
                    task.result()[1].leave()
            if number % 3:
                await asyncio.sleep(0)
            held = [t for t in tasks if t.done() and not t.cancelled() and _holds(t.result())]
            assert len(held) <= places
        for task in tasks:
            task.cancel()
        for entered in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(entered, BaseException):
                entered[1].leave()
        await asyncio.sleep(0)

    asyncio.run(play())
    assert free(limits) == places


def _holds(entered: Any) -> bool:
    return bool(entered[1]._held)


def test_threads_in_a_scramble() -> None:
    """Many threads with very short patience, over and over: none too many, none lost."""
    limits, flight, wrong = Limits(3, None), [0], list[int]()
    lock = threading.Lock()

    def work(seed: int) -> None:
        for turn in range(100):
            late, place = limits.enter((seed + turn) % 4 * 0.0002, rated=False)
            if late is None:
                with lock:
                    flight[0] += 1
                    wrong.extend([flight[0]] if flight[0] > 3 else [])
                time.sleep(0.0001)
                with lock:
                    flight[0] -= 1
            place.leave()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert not wrong
    assert free(limits) == 3


def test_the_deadline_counts_the_waiting() -> None:
    """Whoever has no place by the deadline is told so, and nothing was sent."""
    held = Held(0.5)
    model = model_on(held, max_concurrency=1, deadline=0.1, max_retries=0)
    limits = limits_in(model)
    _, place = limits.enter(None, rated=False)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        model.client.call(LIST_MODELS)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert held.flight.sent == 0
    place.leave()
    assert free(limits) == 1


def test_a_cancelled_call_gives_its_place_back() -> None:
    """Cancelled while it waits for a place, or for the answer: the next ones go on."""
    held = Held(0.05)
    model = model_on(held, max_concurrency=1)

    async def run() -> None:
        calls = [asyncio.create_task(model.async_client.call(LIST_MODELS)) for _ in range(6)]
        await asyncio.sleep(0.01)
        for call in (calls[0], calls[2], calls[4]):
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(end, asyncio.CancelledError) for end in ended] == [True, False] * 3

    asyncio.run(run())
    assert (held.flight.now, held.flight.sent) == (0, 4)
    assert free(limits_in(model)) == 1


def test_an_interrupted_call_gives_its_place_back() -> None:
    """Ctrl-C in the middle of a request: the place is free again."""

    def interrupt(_request: httpx.Request) -> Reply:
        raise KeyboardInterrupt

    model = model_on(Held(0, interrupt), max_concurrency=1)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            model.client.call(LIST_MODELS)
        assert free(limits_in(model)) == 1


def streams(model: GatewayModel, way: str) -> Iterator[None]:
    """Begins a stream, pauses, and ends it in one of several ways."""
    stream = model.client.stream(STREAM)
    next(stream)
    yield
    match way:
        case "to its end":
            list(stream)
        case "closed":
            stream.close()
        case "forgotten":
            del stream
            gc.collect()


async def astream(model: GatewayModel, way: str, during: Callable[[], None]) -> None:
    """The same in a coroutine."""
    stream = model.async_client.stream(STREAM)
    await anext(stream)
    during()
    match way:
        case "to its end":
            assert [piece async for piece in stream]
        case "closed":
            await stream.aclose()
        case "forgotten":
            del stream
            gc.collect()
            await asyncio.sleep(0.01)
    during = lambda: None  # noqa: E731 - what was counted is let go


@pytest.mark.parametrize("way", ["to its end", "closed", "forgotten"])
def test_a_stream_keeps_its_place_while_it_is_read(way: str) -> None:
    """However a stream ends, its place is free afterwards, and not before."""
    held = Held(play=lambda _request: sse_reply([b"data: 1\n\n", b"data: 2\n\n"]))
    model = model_on(held, max_concurrency=2)
    limits = limits_in(model)
    reading = streams(model, way)
    next(reading)
    assert free(limits) == 1
    assert list(reading) == []
    assert free(limits) == 2
    seen: list[int] = []
    asyncio.run(astream(model, way, lambda: seen.append(free(limits))))
    assert seen == [1]
    assert free(limits) == 2


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_place_is_taken_for_each_attempt_and_not_kept_between(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a call waits to try again, its place is free."""
    replies = [json_reply({"error": "slow"}, 503), json_reply({"error": "slow"}, 503)]
    play = lambda _request: replies.pop() if replies else json_reply({"data": [{"id": "m"}]})  # noqa: E731 - one expression
    held = Held(play=play)
    model = model_on(held, max_concurrency=1)
    seen: list[int] = []

    def nap(_seconds: float) -> None:
        seen.append(free(limits_in(model)))

    async def anap(_seconds: float) -> None:
        if _seconds != held.seconds:
            nap(_seconds)

    if kind is Client:
        monkeypatch.setattr("xai_lowcode.client.sleep", nap)
        model.client.call(LIST_MODELS)
    else:
        monkeypatch.setattr("xai_lowcode.async_client.asyncio.sleep", anap)
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert seen == [1, 1]
    assert held.flight.sent == 3


def test_a_loop_that_ended_does_not_swallow_a_place() -> None:
    """Who waits on a closed loop is passed over."""
    limits = Limits(1, None)
    _, place = limits.enter(None, rated=False)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(limits.aenter(None, rated=False))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    place.leave()
    assert free(limits) == 1
    with contextlib.suppress(RuntimeError):
        waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined] # asyncio's own switch
    assert free(limits) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_has_all_places() -> None:
    """What the parent's threads hold and wait for is theirs; a place held at the fork too."""
    limits = Limits(3, None)
    _, ours = limits.enter(None, rated=False)
    _, theirs = limits.enter(None, rated=False)
    child = os.fork()
    if child == 0:
        found = free(limits)
        ours.leave()
        os._exit(0 if (found, free(limits)) == (3, 3) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert free(limits) == 1
    theirs.leave()
    ours.leave()
    assert free(limits) == 3


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "4", float("nan")])
def test_a_wrong_number_is_refused(number: Any) -> None:
    """The error names the field, and nothing is made."""
    with pytest.raises(UsageError, match="max_concurrency") as refusal:
        Settings.create(api_token=TOKEN, max_concurrency=number)
    assert refusal.value.field == "max_concurrency"


def test_reply_helper_counts() -> None:
    """The transport of these tests sees a stream that is not closed."""
    held = Held(0, play=lambda _request: Reply(b"{}"))
    with httpx.Client(transport=held) as client:
        response = client.send(client.build_request("GET", "http://x/"), stream=True)
        assert held.flight.now == 1
        response.close()
    assert held.flight.now == 0
