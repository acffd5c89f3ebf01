"""Helpers of the LangChain tests: tools, prompts that call them, sync and async calls."""

from collections.abc import Callable
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode

SYNC_AND_ASYNC = pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])
THREAD: Any = {"configurable": {"thread_id": "1"}}
Chat = Callable[..., ChatXAILowCode]
APIS = ["chat_completions", "responses", "messages"]

QUESTION: Any = {"messages": [{"role": "user", "content": "How is the weather in 'Vienna'?"}]}
TWO_QUESTIONS: Any = {
    "messages": [{"role": "user", "content": "Use get_weather and get_time for 'Vienna'."}]
}


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}"


def get_time(city: str) -> str:
    """Get the time in a city."""
    return f"Noon in {city}"


def create_chat(chat: Chat, api: str, **fields: Any) -> ChatXAILowCode:
    """Create a model that uses one API and returns its reasoning."""
    if api == "responses":
        fields = {"include": ["reasoning.encrypted_content"], **fields}
    return chat(model="grok-4.3", api=api, **fields)


async def run(
    runnable: Any, given: Any, config: Any = None, *, use_async: bool, **options: Any
) -> Any:
    """Invoke a runnable with its sync or async method."""
    if use_async:
        return await runnable.ainvoke(given, config, **options)
    return runnable.invoke(given, config, **options)


async def collect_stream(
    runnable: Any, given: Any, *, use_async: bool, **options: Any
) -> list[Any]:
    """Return the chunks of a runnable's sync or async stream."""
    if use_async:
        return [piece async for piece in runnable.astream(given, **options)]
    return list(runnable.stream(given, **options))
