"""Agents of both frameworks can use a function that is named like a server-side tool."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from llama_index.core.agent.workflow import FunctionAgent

from langchain_xai_lowcode import ChatXAILowCode, x_search
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import Emulator, Reply, running

pytestmark = pytest.mark.filterwarnings("ignore")  # the frameworks' own deprecations

APIS = ["responses", "chat_completions", "messages"]


def web_search(query: str) -> str:
    """Search the web."""
    return f"found {query}"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose model calls the first tool of a request, then returns its result."""
    with running() as emulator:
        emulator.reply(
            Reply("I search.", tool_calls=[("web_search_tool", {"query": "x"})]), "It is x."
        )
        yield emulator


def create(model: Any, emulator: Emulator, api: str) -> Any:
    return model(base_url=emulator.base_url, api_token=emulator.api_token, api=api)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("mode", ["invoke", "messages", "v3"])
def test_langchain(emulator: Emulator, api: str, mode: str) -> None:
    """The function runs, plain, streamed and with protocol events; messages have its name."""
    agent = create_agent(create(ChatXAILowCode, emulator, api), [web_search])
    given = {"messages": [("human", "Search.")]}
    if mode == "invoke":
        messages = agent.invoke(given)["messages"]
    elif mode == "messages":
        chunks = [data for data, _ in agent.stream(given, stream_mode="messages")]
        assert "found x" in [chunk.text for chunk in chunks]
        return
    else:
        messages = agent.stream_events(given, version="v3").output["messages"]
    assert messages[1].tool_calls[0]["name"] == "web_search"
    assert [message.text for message in messages[2:]] == ["found x", "It is x."]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("streaming", [False, True])
def test_llama_index(emulator: Emulator, api: str, *, streaming: bool) -> None:
    """The function runs, plain and streamed."""
    llm = create(XAILowCode, emulator, api)

    async def run() -> Any:
        agent = FunctionAgent(tools=[web_search], llm=llm, streaming=streaming)
        return await agent.run("Search.")

    output = asyncio.run(run())
    assert str(output) == "It is x."
    assert [call.tool_name for call in output.tool_calls] == ["web_search"]


def test_server_side_tools_keep_their_names(emulator: Emulator) -> None:
    """Only functions are renamed, not server-side tools beside them."""
    llm = create(ChatXAILowCode, emulator, "responses")
    llm.bind_tools([web_search, {"type": "web_search"}, x_search()]).invoke("Search.")
    tools = emulator.requests[-1].body["tools"]
    assert [tool.get("name") for tool in tools] == ["web_search_tool", None, None]
    assert [tool["type"] for tool in tools] == ["function", "web_search", "x_search"]
