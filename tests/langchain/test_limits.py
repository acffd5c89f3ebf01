"""Each component acquires the rate limiter once for each request, retries included."""

import asyncio
import copy
import pickle
from typing import Any

import pytest
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
)
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import UsageError

KINDS: list[Any] = [
    ChatXAILowCode,
    XAIImageGenerator,
    XAIImageGenerationTool,
    XAILowCodeEmbeddings,
]
WAYS = ["ask", "aask", "stream", "astream"]


class Counting(BaseRateLimiter):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked += blocking
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked += blocking
        return True


class Foreign:
    """A limiter in LlamaIndex's words."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self) -> None:
        self.asked += 1

    async def async_acquire(self) -> None:
        self.asked += 1


def use(component: Any, way: str) -> None:
    """Asks once."""
    if isinstance(component, XAILowCodeEmbeddings):
        if way == "ask":
            component.embed_query("x")
        else:
            asyncio.run(component.aembed_query("x"))
        return
    if way == "ask":
        component.invoke("A fox")
    elif way == "stream":
        list(component.stream("A fox"))
    else:
        asyncio.run(use_async(component, way))


async def use_async(component: Any, way: str) -> None:
    if way == "aask":
        await component.ainvoke("A fox")
    else:
        assert [chunk async for chunk in component.astream("A fox")]


@pytest.mark.parametrize("make", [Counting, Foreign])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failures", [0, 2])
def test_once_for_each_request(gateway: Any, kind: Any, way: str, make: Any, failures: int) -> None:
    """One limiter, one call, some repeats: as often asked as requests came."""
    gateway.embeddings = True
    gateway.inject(*[Refuse(429, retry_after=0.001)] * failures)
    limiter = make()
    use(kind(rate_limiter=limiter), way)
    assert limiter.asked == len(gateway.requests) == failures + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [3, "5/s", Counting])
def test_what_is_no_limiter_is_refused(gateway: Any, kind: Any, wrong: Any) -> None:
    """The error names the field; nothing is sent."""
    with pytest.raises(UsageError, match="rate_limiter"):
        kind(rate_limiter=wrong)
    with pytest.raises(UsageError, match="max_concurrency"):
        kind(max_concurrency=0)
    assert not gateway.requests


@pytest.mark.parametrize("kind", KINDS)
def test_copies_share_the_limits(gateway: Any, kind: Any) -> None:
    """A copy of whatever kind asks the same limiter; a plain copy has the same places."""
    limiter = InMemoryRateLimiter()
    component = kind(rate_limiter=limiter, max_concurrency=3)
    assert gateway.base_url
    for twin in (copy.copy(component), copy.deepcopy(component)):
        assert twin.rate_limiter is limiter
        assert twin._gateway.client.limits.rate_limiter.wrapped is limiter
        assert twin._gateway.settings.max_concurrency == 3
    assert copy.copy(component)._gateway is component._gateway
    with pytest.warns(UserWarning, match="rate_limiter: InMemoryRateLimiter"):
        twin = pickle.loads(pickle.dumps(component))  # noqa: S301 - our own bytes
    assert twin.rate_limiter is None
    assert twin._gateway.settings.max_concurrency == 3
    twin = pickle.loads(pickle.dumps(kind(rate_limiter=Counting())))  # noqa: S301 - our own bytes
    assert isinstance(twin.rate_limiter, Counting)
    assert isinstance(twin._gateway.client.limits.rate_limiter.wrapped, Counting)
