"""What these tests share: tools, questions that have them called, ways to ask."""

from collections.abc import Callable
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode

TWINS = pytest.mark.parametrize("twin", [False, True], ids=["sync", "async"])
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


def in_form(chat: Chat, api: str, **fields: Any) -> ChatXAILowCode:
    """A model that is asked in one wire form, with all of its reasoning told."""
    if api == "responses":
        fields = {"include": ["reasoning.encrypted_content"], **fields}
    return chat(model="grok-4.3", api=api, **fields)


async def run(runnable: Any, given: Any, config: Any = None, *, twin: bool, **options: Any) -> Any:
    """Invokes a runnable, by its async twin if wished."""
    if twin:
        return await runnable.ainvoke(given, config, **options)
    return runnable.invoke(given, config, **options)


async def flow(runnable: Any, given: Any, *, twin: bool, **options: Any) -> list[Any]:
    """All that a runnable streams, by its async twin if wished."""
    if twin:
        return [piece async for piece in runnable.astream(given, **options)]
    return list(runnable.stream(given, **options))
