"""Concurrency slots and their queue: limits over threads, event loops, streams and forks."""

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.counting_transport import CountingTransport, count_free_slots
from tests.core.fake_server import TOKEN, Reply, json_reply, sse_reply
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import APITimeoutError, UsageError
from xai_lowcode.protocol.steps import Call
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.concurrency import ConcurrencyLimiter, RequestLimits, Slot
from xai_lowcode.transport.rate_limit import as_rate_limiter
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.messages import Message
from xai_lowcode.types.requests import ChatRequest

HELLO = (Message.from_text("user", "Hello"),)
STREAM: Call[Any] = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)


def create_model(transport: CountingTransport, **options: Any) -> ChatModel:
    """Create a model whose sync and async client use the transport."""
    settings = Settings.create(api_token=TOKEN, base_url="http://127.0.0.1:1/xai", **options)
    return ChatModel(
        settings,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )


def get_limits(model: ChatModel) -> Any:
    """Return the limits that the clients of a model share."""
    return model.client.limits


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_threads_and_event_loops_share_the_slots(slots: int) -> None:
    """Two event loops and several threads use all slots, and never more."""
    transport = CountingTransport()
    model = create_model(transport, max_concurrency=slots)

    async def call_all() -> list[Any]:
        return await asyncio.gather(*(model.async_client.call(LIST_MODELS) for _ in range(15)))

    with ThreadPoolExecutor(10) as pool:
        loops = [pool.submit(lambda: asyncio.run(call_all())) for _ in range(2)]
        calls = [pool.submit(model.client.call, LIST_MODELS) for _ in range(30)]
        assert [len(loop.result(20)) for loop in loops] == [15, 15]
        assert all(call.result(20) for call in calls)
    assert transport.requests.maximum == slots
    assert (transport.requests.total, transport.requests.current) == (60, 0)
    assert count_free_slots(get_limits(model)) == slots


def test_without_a_limit_all_requests_are_sent_at_once() -> None:
    """Without ``max_concurrency`` nothing limits the concurrent requests."""
    transport = CountingTransport(0.05)
    model = create_model(transport)

    async def call_all() -> None:
        await asyncio.gather(*(model.async_client.call(LIST_MODELS) for _ in range(40)))

    asyncio.run(call_all())
    assert transport.requests.maximum == 40


def test_the_deadline_includes_the_wait_for_a_slot() -> None:
    """A call without a slot at its deadline fails, and nothing was sent."""
    transport = CountingTransport(0.5)
    model = create_model(transport, max_concurrency=1, deadline=0.1, max_retries=0)
    limits = get_limits(model)
    slot = limits.acquire(None, use_rate_limiter=False)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        model.client.call(LIST_MODELS)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert transport.requests.total == 0
    slot.release()
    assert count_free_slots(limits) == 1


def test_a_cancelled_call_releases_its_slot() -> None:
    """Calls that are cancelled while they wait for a slot or a response release it."""
    transport = CountingTransport(0.05)
    model = create_model(transport, max_concurrency=1)

    async def run() -> None:
        calls = [asyncio.create_task(model.async_client.call(LIST_MODELS)) for _ in range(6)]
        await asyncio.sleep(0.01)
        for call in (calls[0], calls[2], calls[4]):
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [
            True,
            False,
        ] * 3

    asyncio.run(run())
    assert (transport.requests.current, transport.requests.total) == (0, 4)
    assert count_free_slots(get_limits(model)) == 1


def test_an_interrupted_call_releases_its_slot() -> None:
    """The slot is free after a KeyboardInterrupt during the request."""

    def interrupt(_request: httpx.Request) -> Reply:
        raise KeyboardInterrupt

    model = create_model(CountingTransport(0, interrupt), max_concurrency=1)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            model.client.call(LIST_MODELS)
        assert count_free_slots(get_limits(model)) == 1


def read_stream(model: ChatModel, end: str) -> Iterator[None]:
    """Read the first chunk of a stream, pause, and end it in the given way."""
    stream = model.client.stream(STREAM)
    next(stream)
    yield
    match end:
        case "read to its end":
            list(stream)
        case "closed":
            stream.close()
        case "garbage collected":
            del stream
            gc.collect()


async def aread_stream(model: ChatModel, end: str, during: Callable[[], None]) -> None:
    """Read the first chunk of a stream, call ``during``, and end it in the given way."""
    stream = model.async_client.stream(STREAM)
    await anext(stream)
    during()
    match end:
        case "read to its end":
            assert [chunk async for chunk in stream]
        case "closed":
            await stream.aclose()
        case "garbage collected":
            del stream
            gc.collect()
            await asyncio.sleep(0.01)
    during = lambda: None  # noqa: E731 - drop the reference to the limits


@pytest.mark.parametrize("end", ["read to its end", "closed", "garbage collected"])
def test_a_stream_keeps_its_slot_until_it_ends(end: str) -> None:
    """A stream releases its slot when it is read, closed or garbage collected, not before."""
    transport = CountingTransport(
        get_reply=lambda _request: sse_reply([b"data: 1\n\n", b"data: 2\n\n"])
    )
    model = create_model(transport, max_concurrency=2)
    limits = get_limits(model)
    reader = read_stream(model, end)
    next(reader)
    assert count_free_slots(limits) == 1
    assert list(reader) == []
    assert count_free_slots(limits) == 2
    free_slots: list[int] = []
    asyncio.run(aread_stream(model, end, lambda: free_slots.append(count_free_slots(limits))))
    assert free_slots == [1]
    assert count_free_slots(limits) == 2


async def _first_bytes(model: ChatModel) -> Any:
    stream = model.async_client.stream(STREAM)
    await anext(stream)
    return stream


async def _first_event(model: ChatModel) -> Any:
    stream = model.astream(ChatRequest(model="m", messages=HELLO, api="chat_completions"))
    await anext(stream)
    return stream


@for_each("start", [_first_bytes, _first_event])
@for_each("streams", [1, 2])
@for_each("dropped", ["before the loop is closed", "after the loop is closed"])
def test_an_abandoned_stream_of_a_closed_loop_keeps_no_slot(
    start: Any, streams: int, dropped: str
) -> None:
    """Without ``shutdown_asyncgens`` no ``finally`` of the stream runs."""
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    transport = CountingTransport(get_reply=lambda _request: sse_reply([chunk, chunk]))
    model = create_model(transport, max_concurrency=2)
    loop = asyncio.new_event_loop()
    abandoned = [loop.run_until_complete(start(model)) for _ in range(streams)]
    assert count_free_slots(get_limits(model)) == 2 - streams
    if dropped.startswith("before"):
        abandoned.clear()
        gc.collect()
    loop.close()
    abandoned.clear()
    gc.collect()
    assert count_free_slots(get_limits(model)) == 2
    assert list(model.client.stream(STREAM))


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_a_slot_is_free_between_attempts(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call has no slot while it waits for its retry."""
    replies = [json_reply({"error": "slow"}, 503), json_reply({"error": "slow"}, 503)]
    get_reply = lambda _request: replies.pop() if replies else json_reply({"data": [{"id": "m"}]})  # noqa: E731 - one expression
    transport = CountingTransport(get_reply=get_reply)
    model = create_model(transport, max_concurrency=1)
    free_slots: list[int] = []

    def fake_sleep(_seconds: float) -> None:
        free_slots.append(count_free_slots(get_limits(model)))

    async def fake_async_sleep(seconds: float) -> None:
        if seconds != transport.delay:
            fake_sleep(seconds)

    if kind is SyncAPIClient:
        monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", fake_sleep)
        model.client.call(LIST_MODELS)
    else:
        monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", fake_async_sleep)
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert free_slots == [1, 1]
    assert transport.requests.total == 3


def test_a_closed_event_loop_keeps_no_slot() -> None:
    """A waiter whose event loop was closed is skipped."""
    limits = RequestLimits(1, None)
    slot = limits.acquire(None, use_rate_limiter=False)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(limits.aacquire(None, use_rate_limiter=False))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    slot.release()
    assert count_free_slots(limits) == 1
    with contextlib.suppress(RuntimeError):
        waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined] # suppresses asyncio's warning
    assert count_free_slots(limits) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_has_all_slots() -> None:
    """All slots are free in a child, and releasing a slot of the parent does not add one."""
    limits = RequestLimits(3, None)
    first = limits.acquire(None, use_rate_limiter=False)
    second = limits.acquire(None, use_rate_limiter=False)
    child = os.fork()
    if child == 0:
        before = count_free_slots(limits)
        first.release()
        os._exit(0 if (before, count_free_slots(limits)) == (3, 3) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert count_free_slots(limits) == 1
    second.release()
    first.release()
    assert count_free_slots(limits) == 3


@for_each("number", [0, -1, True, 1.5, "4", float("nan")])
def test_an_invalid_number_is_rejected(number: Any) -> None:
    """An invalid ``max_concurrency`` raises a UsageError that names the field."""
    with pytest.raises(UsageError, match="max_concurrency") as caught:
        Settings.create(api_token=TOKEN, max_concurrency=number)
    assert caught.value.field == "max_concurrency"


def test_the_transport_counts_open_responses() -> None:
    """A response counts until it is closed."""
    transport = CountingTransport(0, get_reply=lambda _request: Reply(b"{}"))
    with httpx.Client(transport=transport) as client:
        response = client.send(client.build_request("GET", "http://x/"), stream=True)
        assert transport.requests.current == 1
        response.close()
    assert transport.requests.current == 0


def test_waiters_are_served_in_order() -> None:
    """Threads and tasks acquire slots in the order in which they started to wait."""
    limits, order = RequestLimits(1, None), list[int]()
    futures: list[Future[Any]] = []
    first = limits.acquire(None, use_rate_limiter=False)

    def wait(number: int) -> None:
        slot = limits.acquire(10, use_rate_limiter=False)
        order.append(number)
        slot.release()

    async def async_wait(number: int) -> None:
        slot = await limits.aacquire(10, use_rate_limiter=False)
        order.append(number)
        slot.release()

    limiter: Any = limits._limiter
    with ThreadPoolExecutor(20) as pool:
        for number in range(20):
            target = wait if number % 2 else lambda number: asyncio.run(async_wait(number))
            futures.append(pool.submit(target, number))
            end = time.monotonic() + 10
            while len(limiter.waiters) <= number and time.monotonic() < end:
                time.sleep(0.001)
        first.release()
        for future in futures:
            future.result(10)
    assert order == list(range(20))


def test_a_new_request_does_not_overtake_waiters() -> None:
    """A slot that becomes free is granted to a waiter, not to a new request."""
    limiter = ConcurrencyLimiter(0)
    first = Slot(limiter)
    first.enqueue()
    limiter.free.append(None)
    newcomer = Slot(limiter)
    assert not newcomer.try_acquire()
    newcomer.enqueue()
    assert (first._acquired, newcomer._acquired) == ([None], [])
    first.release()
    assert newcomer._acquired == [None]


@pytest.mark.parametrize("timeout", [0.01, None])
def test_a_wait_that_ended_leaves_no_waiter(timeout: float | None) -> None:
    """A timeout or a cancellation removes the waiter from the queue."""
    limits = RequestLimits(1, None)
    slot = limits.acquire(None, use_rate_limiter=False)

    async def wait_and_cancel() -> None:
        waiting = [
            asyncio.create_task(limits.aacquire(timeout, use_rate_limiter=False)) for _ in range(9)
        ]
        await asyncio.sleep(0.02)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(wait_and_cancel())
    with pytest.raises(APITimeoutError):
        limits.acquire(0.01, use_rate_limiter=False)
    limiter: Any = limits._limiter
    assert not limiter.waiters
    slot.release()
    assert count_free_slots(limits) == 1


class RejectingRateLimiter:
    """A rate limiter that never permits a request."""

    def acquire(self, *, blocking: bool = True) -> bool:
        del blocking
        return False

    async def aacquire(self, *, blocking: bool = True) -> bool:
        del blocking
        return False


def test_a_request_that_is_not_permitted_releases_its_slot() -> None:
    """The slot is free after the rate limiter rejected the request."""
    limits = RequestLimits(1, as_rate_limiter(RejectingRateLimiter()))
    with pytest.raises(APITimeoutError):
        limits.acquire(0.01, use_rate_limiter=True)
    with pytest.raises(APITimeoutError):
        asyncio.run(limits.aacquire(0.01, use_rate_limiter=True))
    assert count_free_slots(limits) == 1


class CancellingQueue(deque[Slot]):
    """A queue whose first waiter cancels at the moment when it is removed."""

    def popleft(self) -> Slot:
        slot = super().popleft()
        slot.cancel()
        return slot


class EmptiedQueue(deque[Slot]):
    """A queue that is empty at the moment when its first waiter is removed."""

    def popleft(self) -> Slot:
        self.clear()
        return super().popleft()


@pytest.mark.parametrize("queue", [CancellingQueue, EmptiedQueue])
def test_a_waiter_that_cancels_while_it_is_woken_keeps_no_slot(queue: type[deque[Slot]]) -> None:
    """Another thread may cancel between two steps of ``wake_waiters``."""
    limiter = ConcurrencyLimiter(1)
    holder, waiter = Slot(limiter), Slot(limiter, lambda: None)
    assert holder.try_acquire()
    limiter.waiters = queue()
    waiter.enqueue()
    holder.release()
    assert (len(limiter.free), len(limiter.waiters)) == (1, 0)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "acquire at once", "cancel", "release", "release twice"]),
        st.integers(),
    ),
    max_size=40,
)


@given(ACTIONS, st.integers(1, 3))
def test_the_number_of_slots_is_constant(actions: list[tuple[str, int]], slots: int) -> None:
    """After any sequence of acquiring, timeouts, cancelling and releasing all slots are free."""
    limits = RequestLimits(slots, None)

    async def run() -> None:
        tasks: list[asyncio.Task[Any]] = []
        for action, number in actions:
            if action.startswith("acquire") or not tasks:
                timeout = 0.0 if action == "acquire at once" else None
                tasks.append(asyncio.create_task(limits.aacquire(timeout, use_rate_limiter=False)))
            elif action == "cancel":
                tasks[number % len(tasks)].cancel()
            else:
                task = tasks[number % len(tasks)]
                if _has_slot(task):
                    task.result().release()
            if number % 3:
                await asyncio.sleep(0)
            acquired = [task for task in tasks if _has_slot(task) and task.result()._acquired]
            assert len(acquired) <= slots
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, BaseException):
                result.release()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert count_free_slots(limits) == slots


def _has_slot(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def test_many_threads_with_short_timeouts() -> None:
    """Slots are neither exceeded nor lost by 16 threads whose waits time out."""
    limits, running, excess = RequestLimits(3, None), [0], list[int]()
    lock = threading.Lock()

    def work(seed: int) -> None:
        for turn in range(100):
            try:
                slot = limits.acquire((seed + turn) % 4 * 0.0002, use_rate_limiter=False)
            except APITimeoutError:
                continue
            with lock:
                running[0] += 1
                excess.extend([running[0]] if running[0] > 3 else [])
            time.sleep(0.0001)
            with lock:
                running[0] -= 1
            slot.release()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert not excess
    assert count_free_slots(limits) == 3
