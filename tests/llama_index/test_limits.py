"""The rate limiter is called once for each request of every component, retries included."""

import asyncio
import copy
import pickle
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAIImageGenerator, XAILowCode, XAILowCodeEmbedding
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import UsageError

KINDS: list[Any] = [XAILowCode, XAILowCodeEmbedding, XAIImageGenerator]
HELLO = [ChatMessage("A fox")]


class CountingLimiter:
    """A rate limiter with LlamaIndex's interface that counts its calls."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1 + num_tokens

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1 + num_tokens


class LangChainLimiter:
    """A rate limiter with LangChain's interface that counts its calls."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked += blocking
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked += blocking
        return True


async def read_stream(llm: XAILowCode) -> None:
    assert [chunk async for chunk in await llm.astream_chat(HELLO)]


CALLS: dict[str, tuple[Any, Any]] = {
    "chat": (XAILowCode, lambda llm: llm.chat(HELLO)),
    "complete": (XAILowCode, lambda llm: llm.complete("A fox")),
    "achat": (XAILowCode, lambda llm: asyncio.run(llm.achat(HELLO))),
    "stream": (XAILowCode, lambda llm: list(llm.stream_chat(HELLO))),
    "astream": (XAILowCode, lambda llm: asyncio.run(read_stream(llm))),
    "embed": (XAILowCodeEmbedding, lambda one: one.get_text_embedding("A fox")),
    "embed query": (XAILowCodeEmbedding, lambda one: one.get_query_embedding("A fox")),
    "aembed": (XAILowCodeEmbedding, lambda one: asyncio.run(one.aget_text_embedding("A fox"))),
    "paint": (XAIImageGenerator, lambda one: one.generate("A fox")),
    "apaint": (XAIImageGenerator, lambda one: asyncio.run(one.agenerate("A fox"))),
}


def create_component(gateway: Any, kind: Any, **options: Any) -> Any:
    """Return a component that uses the emulator."""
    return kind(api_token=gateway.api_token, base_url=gateway.base_url, **options)


@pytest.mark.parametrize("make", [CountingLimiter, LangChainLimiter])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("failures", [0, 2])
def test_the_limiter_is_acquired_for_each_request(
    gateway: Any, name: str, make: Any, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limiter is called as often as requests are received."""
    monkeypatch.setattr(gateway, "embeddings", True)
    gateway.inject(*[Refuse(429, retry_after=0.001)] * failures)
    (kind, call), limiter = CALLS[name], make()
    call(create_component(gateway, kind, rate_limiter=limiter))
    assert limiter.asked == len(gateway.requests) == failures + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("invalid", [3, "5/s", CountingLimiter])
def test_invalid_limiters_are_rejected(gateway: Any, kind: Any, invalid: Any) -> None:
    """The error names the field."""
    with pytest.raises(UsageError, match="rate_limiter"):
        create_component(gateway, kind, rate_limiter=invalid)
    with pytest.raises(UsageError, match="max_concurrency"):
        create_component(gateway, kind, max_concurrency=0)


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_copies_share_the_limiter(gateway: Any, kind: Any) -> None:
    """Copies share the limiter; a pickle contains it."""
    limiter = CountingLimiter()
    component = create_component(gateway, kind, rate_limiter=limiter, max_concurrency=3)
    for copied in (copy.copy(component), copy.deepcopy(component)):
        assert copied.rate_limiter is limiter
        assert copied._chat_model().client.limits.rate_limiter.wrapped is limiter
    copied = pickle.loads(pickle.dumps(component))  # noqa: S301 - our own bytes
    assert isinstance(copied.rate_limiter, CountingLimiter)
    assert copied._chat_model().settings.max_concurrency == 3


def test_an_assigned_limiter_is_used(gateway: Any) -> None:
    """The fields can be assigned after the model was used."""
    llm, limiter = create_component(gateway, XAILowCode), CountingLimiter()
    llm.chat(HELLO)
    llm.rate_limiter = limiter
    gateway.inject(Refuse(429, retry_after=0.001))
    llm.chat(HELLO)
    assert limiter.asked == 2
