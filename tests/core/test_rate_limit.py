"""Law: any maker's limiter is asked once before each request, by the way that fits."""

import asyncio
import copy
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest
from langchain_core.rate_limiters import InMemoryRateLimiter

from tests.core.held import Held
from tests.core.loopback import TOKEN, Reply, json_reply
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.endpoints import LIST_MODELS
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import APITimeoutError, UsageError
from xai_lowcode.protocol.call_flow import CallContext, call_flow
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Call, HTTPResponse, SendRequest, Step
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.concurrency import RequestLimits
from xai_lowcode.transport.rate_limit import RateLimiterAdapter, as_rate_limiter
from xai_lowcode.transport.sync_client import SyncAPIClient

SETTINGS = Settings.create(api_token=TOKEN, base_url="http://127.0.0.1:1/xai")


class Asked:
    """Keeps how it was asked."""

    def __init__(self, leave: bool | None = True) -> None:
        self.how: list[str] = []
        self.leave = leave


class LangChains(Asked):
    """As LangChain's are."""

    def acquire(self, *, blocking: bool = True) -> bool | None:
        self.how.append("sync" if blocking else "look")
        return self.leave

    async def aacquire(self, *, blocking: bool = True) -> bool | None:
        self.how.append("async" if blocking else "alook")
        return self.leave


class LlamaIndexs(Asked):
    """As LlamaIndex's are."""

    def acquire(self, num_tokens: int = 0) -> None:
        self.how.append("sync" + "!" * num_tokens)

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.how.append("async" + "!" * num_tokens)


class Plain(Asked):
    """The least there can be."""

    def acquire(self) -> bool | None:
        self.how.append("sync")
        return self.leave

    async def aacquire(self) -> bool | None:
        self.how.append("async")
        return self.leave


class Portable:
    """One that can be pickled, as one that counts elsewhere can."""

    def acquire(self) -> None: ...

    async def aacquire(self) -> None: ...


KINDS: list[Callable[[], Any]] = [LangChains, LlamaIndexs, Plain]


def asking(kind: Any, held: Held, limiter: Any, settings: Settings = SETTINGS) -> Callable[[], Any]:
    """A call of either client."""
    if kind is SyncAPIClient:
        http = httpx.Client(transport=held)
        client = SyncAPIClient(settings, http_client=http, rate_limiter=limiter)
        return lambda: client.call(LIST_MODELS)
    ahttp = httpx.AsyncClient(transport=held)
    aclient = AsyncAPIClient(settings, http_client=ahttp, rate_limiter=limiter)
    return lambda: asyncio.run(aclient.call(LIST_MODELS))


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
@pytest.mark.parametrize("make", KINDS)
def test_each_request_is_asked_for_once(kind: Any, make: Any) -> None:
    """Two calls, the second of which needs three attempts: four requests, four times asked."""
    replies = [json_reply({"error": "slow", "headers": {"retry-after": "0"}}, 503)] * 2
    replies.insert(0, json_reply({"data": [{"id": "m"}]}))

    def play(_request: httpx.Request) -> Reply:
        return replies.pop(0) if replies else json_reply({"data": [{"id": "m"}]})

    held, limiter = Held(0, play), make()
    call = asking(kind, held, limiter)
    call()
    call()
    assert limiter.how == ["sync" if kind is SyncAPIClient else "async"] * 4
    assert held.flight.sent == 4


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
@pytest.mark.parametrize(
    "make", [lambda rate: InMemoryRateLimiter(requests_per_second=rate, check_every_n_seconds=0.01)]
)
def test_the_frameworks_own_hold_the_rate(kind: Any, make: Any) -> None:
    """LangChain's own limiter spreads calls over time."""
    call = asking(kind, Held(0), make(50))
    began = time.monotonic()
    for _ in range(6):
        call()
    assert time.monotonic() - began > 5 / 50


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_llama_indexs_own_holds_the_rate(kind: Any) -> None:
    """The first burst passes, the next request waits."""
    theirs = pytest.importorskip("llama_index.core.rate_limiter", reason="not in LlamaIndex 0.14.5")
    limiter = theirs.TokenBucketRateLimiter(requests_per_minute=600)
    limiter._request_tokens = 1
    call = asking(kind, Held(0), limiter)
    began = time.monotonic()
    for _ in range(3):
        call()
    assert 0.15 < time.monotonic() - began < 5


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
@pytest.mark.parametrize("make", [LangChains, Plain])
def test_a_limiter_that_says_no_is_obeyed(kind: Any, make: Any) -> None:
    """False is no leave: nothing is sent, and the place is free again."""
    held = Held(0)
    call = asking(kind, held, make(leave=False), SETTINGS.model_copy(update={"max_retries": 0}))
    with pytest.raises(APITimeoutError, match=r"rate_limiter.*Nothing was sent"):
        call()
    assert held.flight.sent == 0


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_the_deadline_counts_waiting_for_leave(kind: Any) -> None:
    """LangChain's own limiter, far too slow: the deadline is kept, nothing is sent."""
    held = Held(0)
    settings = SETTINGS.model_copy(update={"deadline": 0.2})
    call = asking(kind, held, InMemoryRateLimiter(requests_per_second=0.01), settings)
    began = time.monotonic()
    with pytest.raises(APITimeoutError):
        call()
    assert time.monotonic() - began < 2
    assert held.flight.sent == 0


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_an_error_of_the_limiter_comes_through(kind: Any) -> None:
    """A limiter that breaks: its own error, and the place is free again."""

    class Broken(Plain):
        def acquire(self) -> None:
            raise ConnectionRefusedError("no Redis")

        async def aacquire(self) -> None:
            raise ConnectionRefusedError("no Redis")

    settings = SETTINGS.model_copy(update={"max_concurrency": 1, "deadline": 2.0})
    call = asking(kind, Held(0), Broken(), settings)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError, match="no Redis"):
            call()


def test_a_limiter_is_asked_after_the_place_is_taken() -> None:
    """What waits for a place has not been counted yet: the rate holds for what is sent."""
    limiter = Plain()
    limits = RequestLimits(1, RateLimiterAdapter(limiter))
    place = limits.acquire(None, use_rate_limiter=True)
    waiting = threading.Thread(target=limits.acquire, args=(10,), kwargs={"use_rate_limiter": True})
    waiting.start()
    time.sleep(0.05)
    assert limiter.how == ["sync"]
    place.release()
    waiting.join(5)
    assert limiter.how == ["sync"] * 2


WRONG = [object(), 3, "10/s", LangChains, threading.Lock(), lambda: None, {"acquire": 1}]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_what_is_no_limiter_is_refused(kind: Any, wrong: Any) -> None:
    """The error names the field and what is needed."""
    with pytest.raises(UsageError, match=r"rate_limiter: .*acquire") as refusal:
        kind(SETTINGS, rate_limiter=wrong)
    assert refusal.value.field == "rate_limiter"


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_copies_share_and_pickles_carry(kind: Any) -> None:
    """A copy asks the same limiter; a pickle takes it along if it can, else says that it cannot."""

    def limiter_of_(thing: Any) -> Any:
        limits = (thing.client if kind is ChatModel else thing).limits
        return limits and limits.rate_limiter and limits.rate_limiter.wrapped

    own = InMemoryRateLimiter()
    thing = kind(SETTINGS, rate_limiter=own)
    assert limiter_of_(copy.copy(thing)) is own
    assert limiter_of_(copy.deepcopy(thing)) is own
    with pytest.warns(UserWarning, match="rate_limiter: InMemoryRateLimiter"):
        pickled = pickle.dumps(thing)
    assert limiter_of_(pickle.loads(pickled)) is None  # noqa: S301 - our own bytes
    settings = SETTINGS.model_copy(update={"max_concurrency": 3})
    thing = kind(settings, rate_limiter=Portable())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin = pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own bytes
    assert isinstance(limiter_of_(twin), Portable)
    assert twin.settings.max_concurrency == 3


def test_one_limiter_for_both_clients_of_a_model() -> None:
    """Sync and async client of one gateway object have the same limits."""
    model = ChatModel(SETTINGS, rate_limiter=Plain())
    assert model.client.limits is model.async_client.limits is not None
    assert as_rate_limiter(None) is None


# --- the flow -------------------------------------------------------------------------------------


def sends_of(context: CallContext, responses: list[HTTPResponse]) -> list[SendRequest]:
    """The requests of a call with these responses."""
    sends: list[SendRequest] = []
    flow: Generator[Step, Any, Any] = call_flow(Call(LIST_MODELS), context)
    try:
        step = next(flow)
        while True:
            if isinstance(step, SendRequest):
                sends.append(step)
            step = flow.send(responses.pop(0) if isinstance(step, SendRequest) else None)
    except StopIteration:
        return sends


@pytest.mark.parametrize("by_framework", [False, True])
@pytest.mark.parametrize("failures", [0, 1, 2])
def test_every_request_asks_the_rate_limiter(by_framework: bool, failures: int) -> None:
    """Each request asks the rate limiter; the first does not if the framework has done that."""
    context = CallContext(
        RetryPolicy(2), UrlFormatSelector("new"), TOKEN, lambda: 0.0, lambda: 0.5, by_framework
    )
    responses = [HTTPResponse(503, {}, b'{"error": "x"}')] * failures + [
        HTTPResponse(200, {}, b'{"data": []}')
    ]
    asked = [send.use_rate_limiter for send in sends_of(context, responses)]
    assert asked == [not by_framework] + [True] * failures


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_a_request_that_is_not_permitted_is_not_sent(kind: Any) -> None:
    """The timeout of the rate limiter is the error of the call."""

    class Never(Plain):
        def acquire(self, *, blocking: bool = True) -> bool:
            return not blocking and False

        async def aacquire(self, *, blocking: bool = True) -> bool:
            del blocking
            return False

    settings = SETTINGS.model_copy(update={"deadline": 0.2, "max_retries": 0})
    held = Held(0)
    with pytest.raises(APITimeoutError, match="rate_limiter"):
        asking(kind, held, Never(), settings)()
