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
METHODS = ["ask", "aask", "stream", "astream"]


class CountingLimiter(BaseRateLimiter):
    """A rate limiter that counts its calls."""

    def __init__(self) -> None:
        self.acquired = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.acquired += blocking
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.acquired += blocking
        return True


class LlamaIndexLimiter:
    """A rate limiter with the interface of LlamaIndex."""

    def __init__(self) -> None:
        self.acquired = 0

    def acquire(self) -> None:
        self.acquired += 1

    async def async_acquire(self) -> None:
        self.acquired += 1


def use(component: Any, method: str) -> None:
    """Make one call."""
    if isinstance(component, XAILowCodeEmbeddings):
        if method == "ask":
            component.embed_query("x")
        else:
            asyncio.run(component.aembed_query("x"))
        return
    if method == "ask":
        component.invoke("A fox")
    elif method == "stream":
        list(component.stream("A fox"))
    else:
        asyncio.run(use_async(component, method))


async def use_async(component: Any, method: str) -> None:
    if method == "aask":
        await component.ainvoke("A fox")
    else:
        assert [chunk async for chunk in component.astream("A fox")]


@pytest.mark.parametrize("make", [CountingLimiter, LlamaIndexLimiter])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failures", [0, 2])
def test_the_limiter_is_acquired_for_each_request(
    gateway: Any, kind: Any, method: str, make: Any, failures: int
) -> None:
    """The limiter is acquired once for each request, retries included."""
    gateway.embeddings = True
    gateway.inject(*[Refuse(429, retry_after=0.001)] * failures)
    limiter = make()
    use(kind(rate_limiter=limiter), method)
    assert limiter.acquired == len(gateway.requests) == failures + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("invalid", [3, "5/s", CountingLimiter])
def test_invalid_limiters_are_rejected(gateway: Any, kind: Any, invalid: Any) -> None:
    """The error names the field; no request is sent."""
    with pytest.raises(UsageError, match="rate_limiter"):
        kind(rate_limiter=invalid)
    with pytest.raises(UsageError, match="max_concurrency"):
        kind(max_concurrency=0)
    assert not gateway.requests


@pytest.mark.parametrize("kind", KINDS)
def test_copies_share_the_limits(gateway: Any, kind: Any) -> None:
    """Copies share the rate limiter; those in the same process share the slots."""
    limiter = InMemoryRateLimiter()
    component = kind(rate_limiter=limiter, max_concurrency=3)
    assert gateway.base_url
    for copied in (copy.copy(component), copy.deepcopy(component)):
        assert copied.rate_limiter is limiter
        assert copied._gateway.client.limits.rate_limiter.wrapped is limiter
        assert copied._gateway.settings.max_concurrency == 3
    assert copy.copy(component)._gateway is component._gateway
    with pytest.warns(UserWarning, match="rate_limiter: InMemoryRateLimiter"):
        copied = pickle.loads(pickle.dumps(component))  # noqa: S301 - our own bytes
    assert copied.rate_limiter is None
    assert copied._gateway.settings.max_concurrency == 3
    copied = pickle.loads(pickle.dumps(kind(rate_limiter=CountingLimiter())))  # noqa: S301 - our own bytes
    assert isinstance(copied.rate_limiter, CountingLimiter)
    assert isinstance(copied._gateway.client.limits.rate_limiter.wrapped, CountingLimiter)
