"""LangChain agents: the loop, streaming, several tools, structured responses."""

import json
import threading
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from pydantic import BaseModel
from typing_extensions import TypedDict

from langchain_xai_lowcode import (
    code_execution,
    file_search,
    image_generation,
    mcp,
    web_search,
    x_search,
)
from tests.langchain.helpers import (
    APIS,
    QUESTION,
    SYNC_AND_ASYNC,
    TWO_QUESTIONS,
    Chat,
    collect_stream,
    create_chat,
    get_time,
    get_weather,
    run,
)
from xai_lowcode.errors import UsageError


class Report(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


def comparable(message: Any) -> Any:
    """Return what must be equal in all modes; ids and times differ."""
    if not isinstance(message, AIMessage):
        return message.type, message.text
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    return message.type, message.text, calls, message.usage_metadata


# --- the agent loop and its streams --------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_an_agent_calls_its_tools(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """The results of two tool calls of one message are sent in one request, in their order."""
    agent: Any = create_agent(
        create_chat(chat, api), [get_weather, get_time], system_prompt="Be kind."
    )
    messages = (await run(agent, TWO_QUESTIONS, use_async=use_async))["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "tool", "ai"]
    assert [call["name"] for call in messages[1].tool_calls] == ["get_weather", "get_time"]
    assert "Sunny in Vienna; Noon in Vienna" in messages[-1].text
    assert len(gateway.requests) == 2


def test_tool_calls_of_one_message_run_concurrently(chat: Chat) -> None:
    """Each tool waits for the other one, so that they must run concurrently."""
    both = threading.Barrier(2, timeout=10)

    def waiting_weather(city: str) -> str:
        """Get the weather in a city."""
        both.wait()
        return f"Sunny in {city}"

    def waiting_time(city: str) -> str:
        """Get the time in a city."""
        both.wait()
        return f"Noon in {city}"

    agent: Any = create_agent(chat(), [waiting_weather, waiting_time])
    question = {"messages": "Use waiting_weather and waiting_time for 'Vienna'."}
    assert "Sunny in Vienna; Noon in Vienna" in agent.invoke(question)["messages"][-1].text


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_each_stream_mode_of_an_agent_gives_the_messages_of_invoke(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """Updates, values and messages, also in version 2, give the messages of a plain run."""
    agent: Any = create_agent(create_chat(chat, api), [get_weather, get_time])
    expected = [comparable(message) for message in agent.invoke(TWO_QUESTIONS)["messages"]]

    async def streamed(mode: Any, **options: Any) -> list[Any]:
        gateway.reset()
        return await collect_stream(
            agent, TWO_QUESTIONS, use_async=use_async, stream_mode=mode, **options
        )

    values = await streamed("values")
    assert [comparable(message) for message in values[-1]["messages"]] == expected
    assert_updates(await streamed("updates"), expected)
    tokens = await streamed("messages")
    assert_tokens(tokens, expected)
    assert {metadata["langgraph_node"] for _, metadata in tokens} == {"model", "tools"}
    both = await streamed(["updates", "messages"], version="v2")
    assert_tokens([p["data"] for p in both if p["type"] == "messages"], expected)
    assert_updates([p["data"] for p in both if p["type"] == "updates"], expected)


def assert_updates(updates: list[Any], expected: list[Any]) -> None:
    """Assert that the updates have the messages; results of tools may be in any order."""
    messages = [
        comparable(message)
        for update in updates
        for change in update.values()
        for message in change["messages"]
    ]
    assert sorted(map(str, messages)) == sorted(map(str, expected[1:]))
    assert [*updates[0], *updates[-1]] == ["model", "model"]


def assert_tokens(tokens: list[Any], expected: list[Any]) -> None:
    """Assert that the chunks of each run of the model add up to its message."""
    chunks: dict[str, list[AIMessageChunk]] = {}
    for message, metadata in tokens:
        if isinstance(message, AIMessageChunk):
            chunks.setdefault(metadata["langgraph_step"], []).append(message)
    merged = [("ai", *comparable(reduce(add, run))[1:]) for run in chunks.values()]
    assert merged == [message for message in expected if message[0] == "ai"]
    assert min(map(len, chunks.values())) > 3


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_messages_of_version_3_events_are_sent_back_unchanged(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """Messages assembled from version 3 events are sent to xAI as those of a plain run."""
    agent: Any = create_agent(create_chat(chat, api), [get_weather])
    plain = agent.invoke(QUESTION)["messages"]
    bodies = [without_streaming(request.body) for request in gateway.requests]
    gateway.reset()
    if use_async:
        events = await agent.astream_events(QUESTION, version="v3")
        messages = (await events.output())["messages"]
    else:
        messages = agent.stream_events(QUESTION, version="v3").output["messages"]
    assert [comparable(message) for message in messages] == [
        comparable(message) for message in plain
    ]
    assert [without_streaming(request.body) for request in gateway.requests] == bodies


def without_streaming(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request body without the keys of a stream."""
    return {name: body[name] for name in body.keys() - {"stream", "stream_options"}}


@SYNC_AND_ASYNC
async def test_an_agent_with_server_side_tools(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """The agent runs its own tools and xAI the server-side ones; each call is reported once."""
    agent: Any = create_agent(create_chat(chat, "auto"), [web_search(), get_weather])
    messages = (await run(agent, QUESTION, use_async=use_async))["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    question = {"messages": [*messages, HumanMessage("Search the web for 'foxes'.")]}
    messages = (await run(agent, question, use_async=use_async))["messages"]
    kinds = [[block["type"] for block in message.content_blocks] for message in messages]
    assert "server_tool_call" in kinds[-1]
    assert len(gateway.requests) == 3
    offered = [tool["type"] for tool in gateway.requests[-1].body["tools"]]
    assert sorted(offered) == ["function", "web_search"]


def test_server_side_tools_are_dicts_that_hide_credentials() -> None:
    """Server-side tools are dicts for LangChain; their ``repr`` hides credentials but differs."""
    tools = [
        web_search(allowed_domains=["x.ai"]),
        x_search(),
        code_execution(),
        file_search(["collection_1"]),
        image_generation(),
    ]
    assert [tool["type"] for tool in tools] == [
        "web_search",
        "x_search",
        "code_interpreter",
        "file_search",
        "image_generation",
    ]
    assert json.loads(json.dumps(tools)) == tools
    keys = ("a-key-of-the-museum", "another-key")
    shown = {repr(mcp("https://mcp.example", "museum", authorization=key)) for key in keys}
    assert len(shown) == 2
    assert not [key for key in keys if key in str(shown)]
    with pytest.raises(ModelInvalidRequestError, match="allowed_domains"):
        web_search(allowed_domains=["a.org"], excluded_domains=["b.org"])


# --- structured output ---------------------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize(
    ("api", "strategy"),
    [
        *((api, ToolStrategy) for api in APIS),
        *((api, how) for api in APIS[:2] for how in (ProviderStrategy, None)),
    ],
)
async def test_an_agent_gives_a_structured_response(
    gateway: Any, chat: Chat, api: str, strategy: Any, *, use_async: bool
) -> None:
    """Each strategy ends with an instance of the schema, after the tool call."""
    wish = strategy(Report) if strategy else Report
    agent: Any = create_agent(create_chat(chat, api), [get_weather], response_format=wish)
    answer = await run(agent, QUESTION, use_async=use_async)
    assert answer["structured_response"] == Report(city="Vienna", sunny=True)
    assert [message.type for message in answer["messages"]][:3] == ["human", "ai", "tool"]
    gateway.reset()
    values = await collect_stream(agent, QUESTION, use_async=use_async, stream_mode="values")
    assert values[-1]["structured_response"] == answer["structured_response"]


class Rain(BaseModel):
    """A rain report."""

    city: str
    millimetres: float


class Brief(TypedDict):
    """A weather report."""

    city: str


SCHEMA = {"title": "Brief", "type": "object", "properties": {"city": {"type": "string"}}}


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (Report | Rain, Report(city="Vienna", sunny=True)),
        (Brief, {"city": "Vienna"}),
        ({**SCHEMA, "required": ["city"]}, {"city": "Vienna"}),
    ],
)
async def test_structured_responses_of_every_kind(
    chat: Chat, api: str, schema: Any, answer: Any, *, use_async: bool
) -> None:
    """A union of classes, a TypedDict and a JSON schema work by a tool call, in each API."""
    agent: Any = create_agent(
        create_chat(chat, api), [get_weather], response_format=ToolStrategy(schema)
    )
    assert (await run(agent, QUESTION, use_async=use_async))["structured_response"] == answer


def test_messages_reject_response_formats(gateway: Any, chat: Chat) -> None:
    """LangChain selects a response format by the model's name; the error names the alternative."""
    assert not (chat(api="messages").profile or {})["structured_output"]
    agent: Any = create_agent(chat(api="messages"), [get_weather], response_format=Report)
    with pytest.raises(UsageError) as error:
        agent.invoke(QUESTION)
    assert (error.value.field, gateway.requests) == ("response_format", [])
    assert error.value.hint == "Use api='chat_completions' or api='responses'."
