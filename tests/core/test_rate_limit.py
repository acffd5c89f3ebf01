"""Rate limiters of LangChain, LlamaIndex and others are called once before each request."""

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
from llama_index.core.rate_limiter import TokenBucketRateLimiter

from tests.cases import for_each
from tests.core.counting_transport import CountingTransport
from tests.core.fake_server import TOKEN, Reply, json_reply
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


class RecordingRateLimiter:
    """Records its calls.

    Args:
        permitted: What the methods return.
    """

    def __init__(self, permitted: bool | None = True) -> None:
        self.calls: list[str] = []
        self.permitted = permitted


class LangChainRateLimiter(RecordingRateLimiter):
    """Has the interface of LangChain's rate limiters."""

    def acquire(self, *, blocking: bool = True) -> bool | None:
        self.calls.append("sync" if blocking else "sync without blocking")
        return self.permitted

    async def aacquire(self, *, blocking: bool = True) -> bool | None:
        self.calls.append("async" if blocking else "async without blocking")
        return self.permitted


class LlamaIndexRateLimiter(RecordingRateLimiter):
    """Has the interface of LlamaIndex's rate limiters."""

    def acquire(self, num_tokens: int = 0) -> None:
        self.calls.append("sync" + "!" * num_tokens)

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.calls.append("async" + "!" * num_tokens)


class MinimalRateLimiter(RecordingRateLimiter):
    """Has the required methods without parameters."""

    def acquire(self) -> bool | None:
        self.calls.append("sync")
        return self.permitted

    async def aacquire(self) -> bool | None:
        self.calls.append("async")
        return self.permitted


class PicklableRateLimiter:
    """A rate limiter that can be pickled."""

    def acquire(self) -> None: ...

    async def aacquire(self) -> None: ...


KINDS: list[Callable[[], Any]] = [LangChainRateLimiter, LlamaIndexRateLimiter, MinimalRateLimiter]


def create_call(
    kind: Any, transport: CountingTransport, limiter: Any, settings: Settings = SETTINGS
) -> Callable[[], Any]:
    """Return a function that makes one call with a sync or an async client."""
    if kind is SyncAPIClient:
        http = httpx.Client(transport=transport)
        client = SyncAPIClient(settings, http_client=http, rate_limiter=limiter)
        return lambda: client.call(LIST_MODELS)
    ahttp = httpx.AsyncClient(transport=transport)
    aclient = AsyncAPIClient(settings, http_client=ahttp, rate_limiter=limiter)
    return lambda: asyncio.run(aclient.call(LIST_MODELS))


@for_each("kind", [SyncAPIClient, AsyncAPIClient])
@for_each("make", KINDS)
def test_each_request_acquires_once(kind: Any, make: Any) -> None:
    """Two calls, of which the second needs three attempts, acquire four times."""
    replies = [json_reply({"error": "slow", "headers": {"retry-after": "0"}}, 503)] * 2
    replies.insert(0, json_reply({"data": [{"id": "m"}]}))

    def get_reply(_request: httpx.Request) -> Reply:
        return replies.pop(0) if replies else json_reply({"data": [{"id": "m"}]})

    transport, limiter = CountingTransport(0, get_reply), make()
    call = create_call(kind, transport, limiter)
    call()
    call()
    assert limiter.calls == ["sync" if kind is SyncAPIClient else "async"] * 4
    assert transport.requests.total == 4


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
@pytest.mark.parametrize(
    "make", [lambda rate: InMemoryRateLimiter(requests_per_second=rate, check_every_n_seconds=0.01)]
)
def test_langchain_rate_limiter(kind: Any, make: Any) -> None:
    """LangChain's ``InMemoryRateLimiter`` limits the rate of the calls."""
    call = create_call(kind, CountingTransport(0), make(50))
    start = time.monotonic()
    for _ in range(6):
        call()
    assert time.monotonic() - start > 5 / 50


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_llama_index_rate_limiter(kind: Any) -> None:
    """LlamaIndex's ``TokenBucketRateLimiter`` limits the rate of the calls."""
    limiter = TokenBucketRateLimiter(requests_per_minute=600)
    limiter._request_tokens = 1
    call = create_call(kind, CountingTransport(0), limiter)
    start = time.monotonic()
    for _ in range(3):
        call()
    assert 0.15 < time.monotonic() - start < 30


@for_each("kind", [SyncAPIClient, AsyncAPIClient])
@for_each("make", [LangChainRateLimiter, MinimalRateLimiter])
def test_a_call_that_is_not_permitted_fails(kind: Any, make: Any) -> None:
    """If ``acquire`` returns False, the call fails and nothing is sent."""
    transport = CountingTransport(0)
    call = create_call(
        kind, transport, make(permitted=False), SETTINGS.model_copy(update={"max_retries": 0})
    )
    with pytest.raises(APITimeoutError, match=r"rate_limiter.*Nothing was sent"):
        call()
    assert transport.requests.total == 0


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_the_deadline_includes_the_rate_limiter(kind: Any) -> None:
    """A call whose rate limiter waits too long fails at its deadline, and nothing is sent."""
    transport = CountingTransport(0)
    settings = SETTINGS.model_copy(update={"deadline": 0.2})
    call = create_call(kind, transport, InMemoryRateLimiter(requests_per_second=0.01), settings)
    start = time.monotonic()
    with pytest.raises(APITimeoutError):
        call()
    assert time.monotonic() - start < 30
    assert transport.requests.total == 0


@pytest.mark.parametrize("kind", [SyncAPIClient, AsyncAPIClient])
def test_an_exception_of_the_rate_limiter_propagates(kind: Any) -> None:
    """An exception of the rate limiter is raised unchanged, and the slot is released."""

    class FailingRateLimiter(MinimalRateLimiter):
        def acquire(self) -> None:
            raise ConnectionRefusedError("no Redis")

        async def aacquire(self) -> None:
            raise ConnectionRefusedError("no Redis")

    settings = SETTINGS.model_copy(update={"max_concurrency": 1, "deadline": 2.0})
    call = create_call(kind, CountingTransport(0), FailingRateLimiter(), settings)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError, match="no Redis"):
            call()


def test_the_slot_is_acquired_before_the_rate_limiter() -> None:
    """A request that waits for a slot does not count for the rate limiter."""
    limiter = MinimalRateLimiter()
    limits = RequestLimits(1, RateLimiterAdapter(limiter))
    slot = limits.acquire(None, use_rate_limiter=True)
    thread = threading.Thread(target=limits.acquire, args=(10,), kwargs={"use_rate_limiter": True})
    thread.start()
    time.sleep(0.05)
    assert limiter.calls == ["sync"]
    slot.release()
    thread.join(30)
    assert limiter.calls == ["sync"] * 2


INVALID = [
    object(),
    3,
    "10/s",
    LangChainRateLimiter,
    threading.Lock(),
    lambda: None,
    {"acquire": 1},
]


@for_each("value", INVALID)
@for_each("kind", [Gateway, AsyncGateway, ChatModel])
def test_an_invalid_rate_limiter_is_rejected(kind: Any, value: Any) -> None:
    """The error names the field and the required methods."""
    with pytest.raises(UsageError, match=r"rate_limiter: .*acquire") as caught:
        kind(SETTINGS, rate_limiter=value)
    assert caught.value.field == "rate_limiter"


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_copies_and_pickles(kind: Any) -> None:
    """A copy shares the rate limiter; pickling includes it, or omits it with a warning."""

    def get_rate_limiter(client: Any) -> Any:
        limits = (client.client if kind is ChatModel else client).limits
        return limits and limits.rate_limiter and limits.rate_limiter.wrapped

    rate_limiter = InMemoryRateLimiter()
    client = kind(SETTINGS, rate_limiter=rate_limiter)
    assert get_rate_limiter(copy.copy(client)) is rate_limiter
    assert get_rate_limiter(copy.deepcopy(client)) is rate_limiter
    with pytest.warns(UserWarning, match="rate_limiter: InMemoryRateLimiter"):
        pickled = pickle.dumps(client)
    assert get_rate_limiter(pickle.loads(pickled)) is None  # noqa: S301 - created by this test
    settings = SETTINGS.model_copy(update={"max_concurrency": 3})
    client = kind(settings, rate_limiter=PicklableRateLimiter())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unpickled = pickle.loads(pickle.dumps(client))  # noqa: S301 - created by this test
    assert isinstance(get_rate_limiter(unpickled), PicklableRateLimiter)
    assert unpickled.settings.max_concurrency == 3


def test_both_clients_of_a_model_share_the_limits() -> None:
    """The sync and the async client of a model have the same limits."""
    model = ChatModel(SETTINGS, rate_limiter=MinimalRateLimiter())
    assert model.client.limits is model.async_client.limits is not None
    assert as_rate_limiter(None) is None


def collect_sends(context: CallContext, responses: list[HTTPResponse]) -> list[SendRequest]:
    """Return the requests of a call that receives these responses."""
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


@for_each("by_framework", [False, True])
@for_each("failures", [0, 1, 2])
def test_every_request_uses_the_rate_limiter(by_framework: bool, failures: int) -> None:
    """Each request uses the rate limiter, except the first if the framework has done that."""
    context = CallContext(
        RetryPolicy(2), UrlFormatSelector("new"), TOKEN, lambda: 0.0, lambda: 0.5, by_framework
    )
    responses = [HTTPResponse(503, {}, b'{"error": "x"}')] * failures + [
        HTTPResponse(200, {}, b'{"data": []}')
    ]
    used = [send.use_rate_limiter for send in collect_sends(context, responses)]
    assert used == [not by_framework] + [True] * failures


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_a_request_that_is_not_permitted_is_not_sent(kind: Any) -> None:
    """The timeout of the rate limiter is the error of the call."""

    class NeverPermits(MinimalRateLimiter):
        def acquire(self, *, blocking: bool = True) -> bool:
            return not blocking and False

        async def aacquire(self, *, blocking: bool = True) -> bool:
            del blocking
            return False

    settings = SETTINGS.model_copy(update={"deadline": 0.2, "max_retries": 0})
    transport = CountingTransport(0)
    with pytest.raises(APITimeoutError, match="rate_limiter"):
        create_call(kind, transport, NeverPermits(), settings)()
