"""Law: never more in flight than there are places, over threads, loops, streams and forks."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.core.held import Held, free
from tests.core.loopback import TOKEN, Reply, json_reply, sse_reply
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import APITimeoutError, UsageError
from xai_lowcode.protocol.steps import Call
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.concurrency import RequestLimits
from xai_lowcode.transport.sync_client import SyncAPIClient

STREAM: Call[Any] = Call(CREATE_CHAT_COMPLETION, b"{}", stream=True)


def model_on(held: Held, **options: Any) -> ChatModel:
    """Sync and async clients of one gateway object, on a transport that counts."""
    settings = Settings.create(api_token=TOKEN, base_url="http://127.0.0.1:1/xai", **options)
    return ChatModel(
        settings,
        http_client=httpx.Client(transport=held),
        http_async_client=httpx.AsyncClient(transport=held),
    )


def limits_in(model: ChatModel) -> Any:
    """The limits of a gateway object."""
    return model.client.limits


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


def test_the_deadline_counts_the_waiting() -> None:
    """Whoever has no place by the deadline is told so, and nothing was sent."""
    held = Held(0.5)
    model = model_on(held, max_concurrency=1, deadline=0.1, max_retries=0)
    limits = limits_in(model)
    place = limits.acquire(None, use_rate_limiter=False)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        model.client.call(LIST_MODELS)
    with pytest.raises(APITimeoutError, match=r"max_concurrency.*Nothing was sent"):
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert held.flight.sent == 0
    place.release()
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


def streams(model: ChatModel, way: str) -> Iterator[None]:
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


async def astream(model: ChatModel, way: str, during: Callable[[], None]) -> None:
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


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
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

    if kind is SyncAPIClient:
        monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", nap)
        model.client.call(LIST_MODELS)
    else:
        monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", anap)
        asyncio.run(model.async_client.call(LIST_MODELS))
    assert seen == [1, 1]
    assert held.flight.sent == 3


def test_a_loop_that_ended_does_not_swallow_a_place() -> None:
    """Who waits on a closed loop is passed over."""
    limits = RequestLimits(1, None)
    place = limits.acquire(None, use_rate_limiter=False)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(limits.aacquire(None, use_rate_limiter=False))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    place.release()
    assert free(limits) == 1
    with contextlib.suppress(RuntimeError):
        waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined] # asyncio's own switch
    assert free(limits) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_has_all_places() -> None:
    """What the parent's threads hold and wait for is theirs; a place held at the fork too."""
    limits = RequestLimits(3, None)
    ours = limits.acquire(None, use_rate_limiter=False)
    theirs = limits.acquire(None, use_rate_limiter=False)
    child = os.fork()
    if child == 0:
        found = free(limits)
        ours.release()
        os._exit(0 if (found, free(limits)) == (3, 3) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert free(limits) == 1
    theirs.release()
    ours.release()
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
