"""LangChain's response cache: cache keys and cached messages."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_core.load import dumps, loads
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_xai_lowcode import ChatXAILowCode, web_search
from tests.langchain.helpers import APIS, SYNC_AND_ASYNC, Chat, create_chat, get_weather, run
from xai_lowcode.emulator import running


class FileCache(BaseCache):
    """A cache that stores responses as text in files, as LangChain's database caches do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, prompt: str, llm_string: str) -> Path:
        return self._folder / f"{abs(hash((prompt, llm_string)))}.json"

    def lookup(self, prompt: str, llm_string: str) -> Any:
        file = self._file(prompt, llm_string)
        if not file.exists():
            return None
        return [loads(text, allowed_objects="all") for text in file.read_text().split("\0")]

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        cached = "\0".join(dumps(generation) for generation in return_val)
        self._file(prompt, llm_string).write_text(cached)

    def clear(self, **_: Any) -> None:
        for file in self._folder.iterdir():
            file.unlink()


@SYNC_AND_ASYNC
@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_a_cached_response_equals_the_first_one(
    gateway: Any, chat: Chat, api: str, tmp_path: Path, *, in_files: bool, use_async: bool
) -> None:
    """A cached response sends no request, and is sent back to xAI as the first one."""
    cache = FileCache(tmp_path) if in_files else InMemoryCache()
    llm = create_chat(chat, api, cache=cache).bind_tools([get_weather])
    question = "How is the weather in 'Vienna'?"
    first = await run(llm, question, use_async=use_async)
    cached = await run(llm, question, use_async=use_async)
    assert len(gateway.requests) == 1
    assert cached.tool_calls == first.tool_calls
    sent = []
    for response in (first, cached):
        result = ToolMessage("Sunny", tool_call_id=response.tool_calls[0]["id"])
        await run(
            create_chat(chat, api), [HumanMessage(question), response, result], use_async=use_async
        )
        sent.append(gateway.requests[-1].body)
    assert sent[0] == sent[1]


@SYNC_AND_ASYNC
async def test_other_options_share_no_cached_response(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """Each option that changes the request changes the cache key, wherever it is set."""
    cache, question = InMemoryCache(), "Hello"

    def llm(**fields: Any) -> Any:
        return chat(**{"cache": cache, "model": "grok-4.3", **fields})

    models = [
        llm(),
        llm(temperature=0.5),
        llm(model="grok-4.5"),
        llm(api="responses"),
        llm(stop=["x"]),
        llm(reasoning_effort="low"),
        llm(seed=1),
        llm(extra_body={"x": 1}),
        llm(model_kwargs={"y": 1}),
        llm(max_tokens=10),
        llm().bind(temperature=0.6),
        llm().bind(stop=["y"]),
        llm().bind_tools([get_weather]),
        llm().bind_tools([web_search()]),
        llm().bind_tools([web_search(allowed_domains=["x.ai"])]),
        llm().bind(response_format={"type": "json_object"}),
    ]
    for model in models:
        await run(model, question, use_async=use_async)
    assert len(gateway.requests) == len(models)
    for model in models:
        await run(model, question, use_async=use_async)
    assert len(gateway.requests) == len(models)


@SYNC_AND_ASYNC
async def test_two_gateways_share_no_cached_response(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """The cache key has the base URL, and not the token."""
    cache = InMemoryCache()
    with running() as other:
        for place in (gateway, other):
            llm = chat(base_url=place.base_url, api_token=place.api_token, cache=cache)
            for _ in range(2):
                await run(llm, "Hello", use_async=use_async)
            assert len(place.requests) == 1
        assert len(cache._cache) == 2
        assert gateway.api_token not in str(cache._cache)
        assert other.api_token not in str(cache._cache)


def test_a_cached_response_costs_nothing(gateway: Any, chat: Chat) -> None:
    """A cached response has a `total_cost` of 0; `cost_usd` is that of the first response."""
    llm = chat(cache=InMemoryCache())
    first = llm.invoke("Hello")
    with get_usage_metadata_callback() as counter:
        cached: Any = llm.invoke("Hello")
    assert len(gateway.requests) == 1
    assert cached.usage_metadata["total_cost"] == 0
    assert (
        counter.usage_metadata["grok-4.7"]["total_tokens"] == first.usage_metadata["total_tokens"]
    )  # type: ignore[index] # there is usage


def test_the_cache_of_all_models(gateway: Any) -> None:
    """The global cache is used, unless a model disables it."""
    set_llm_cache(InMemoryCache())
    try:
        for _ in range(2):
            ChatXAILowCode().invoke("Hello")
        assert len(gateway.requests) == 1
        ChatXAILowCode(cache=False).invoke("Hello")
        assert len(gateway.requests) == 2
    finally:
        set_llm_cache(None)
