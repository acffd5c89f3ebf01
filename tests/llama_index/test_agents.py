"""Agents: LlamaIndex's own agents run on the model, with tools, memory, handoff and events."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from pydantic import BaseModel

from tests.llama_index.sent import (
    get_items,
    get_kinds,
    get_schema,
    get_tool_choice,
    get_tools,
)
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import RateLimitError

pytestmark = pytest.mark.filterwarnings("ignore")  # the workflows package's own deprecations


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


class Product(BaseModel):
    """A product of numbers."""

    value: int


def run(conversation: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(_await(conversation))


async def _await(conversation: Callable[[], Awaitable[Any]]) -> Any:
    return await conversation()


@pytest.mark.parametrize("streaming", [True, False])
def test_function_agent(gateway: Any, each_llm: Any, streaming: bool) -> None:
    """Two tools are called and their results are in the response, in two requests."""
    agent = FunctionAgent(tools=[multiply, weather], llm=each_llm, streaming=streaming)

    async def run_agent() -> Any:
        return await agent.run("multiply 6 and 7, and the weather in Paris")

    answer = str(run(run_agent))
    assert "The tools found: 42" in answer
    assert len(gateway.requests) == 2
    # Without streaming older versions of LlamaIndex forbid parallel calls.
    if streaming:
        assert "Sunny in Paris" in answer
        kinds = get_kinds(gateway.requests[1].body)
        assert kinds[-4:] == ["tool_call", "tool_call", "tool", "tool"]


def test_events(model: Any) -> None:
    """The event stream has deltas of text and reasoning, tool results, and JSON as raw."""
    agent = FunctionAgent(tools=[multiply], llm=model("grok-3-mini"))

    async def run_agent() -> list[Any]:
        handler = agent.run("multiply 6 and 7")
        received = [event async for event in handler.stream_events()]
        return [*received, await handler]

    *events, output = run(run_agent)
    pieces = [event for event in events if isinstance(event, AgentStream)]
    assert "".join(piece.delta for piece in pieces) == str(output)
    assert "".join(piece.thinking_delta or "" for piece in pieces).startswith("First, the user")
    assert all(json.dumps(piece.raw) for piece in pieces)
    (result,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert result.tool_output.raw_output == 42


def test_memory(gateway: Any, each_llm: Any) -> None:
    """The second request has all messages, tool calls and results of the first run."""
    agent = FunctionAgent(tools=[multiply], llm=each_llm)
    memory = Memory.from_defaults(session_id="s", token_limit=100_000)

    async def run_agent() -> Any:
        context = Context(agent)
        await agent.run("multiply 6 and 7", ctx=context, memory=memory)
        await agent.run("say 'bye'", ctx=context, memory=memory)
        # LlamaIndex leaves its database open.
        await memory.sql_store._async_engine.dispose()

    run(run_agent)
    kinds = get_kinds(gateway.requests[-1].body)
    assert kinds == ["user", "tool_call", "tool", "assistant", "user"]


def test_restored_memory(llm: Any, gateway: Any) -> None:
    """Messages that went through JSON continue the conversation."""
    tool = FunctionTool.from_defaults(multiply)
    question = ChatMessage("multiply 6 and 7")
    answer = llm.chat_with_tools([tool], question).message
    (block,) = (block for block in answer.blocks if isinstance(block, ToolCallBlock))
    result = ChatMessage("42", role="tool", additional_kwargs={"tool_call_id": block.tool_call_id})
    stored = [message.model_dump_json() for message in (question, answer, result)]
    restored = [ChatMessage.model_validate_json(text) for text in stored]
    llm.chat([question, answer, result, ChatMessage("So?")])
    llm.chat([*restored, ChatMessage("So?")])
    before, after = (request.body for request in gateway.requests[-2:])
    assert before == after


def test_initial_tool_choice(gateway: Any, each_llm: Any) -> None:
    """An initial tool choice is forced in the first request only."""
    agent = FunctionAgent(tools=[multiply, weather], llm=each_llm, initial_tool_choice="weather")

    async def run_agent() -> Any:
        return await agent.run("How are you in Rome?")

    assert "Sunny in Rome" in str(run(run_agent))
    first, second = (get_tool_choice(request.body) for request in gateway.requests)
    assert first == {"name": "weather"}
    assert second is None


def test_tools_with_unsupported_names(llm: Any) -> None:
    """An agent calls a tool whose name xAI does not accept."""
    agent = FunctionAgent(tools=[FunctionTool.from_defaults(weather, name="Box[int]")], llm=llm)

    async def run_agent() -> Any:
        return await agent.run("Box_int_ in Rome")

    assert "Sunny in Rome" in str(run(run_agent))


def test_output_class(gateway: Any, each_llm: Any) -> None:
    """After its tool calls an agent requests an object, with the results of the tools."""
    agent = FunctionAgent(tools=[multiply], llm=each_llm, output_cls=Product)

    async def run_agent() -> Any:
        return await agent.run("multiply 6 and 7")

    result = run(run_agent).get_pydantic_model(Product)
    body = gateway.requests[-1].body
    assert "Product" in str(get_schema(body) or get_tools(body))
    assert "42" in str(get_items(body))
    assert isinstance(result, Product)


def test_direct_results(gateway: Any, each_llm: Any) -> None:
    """A tool with `return_direct` ends the run, and the conversation can be continued."""
    tool = FunctionTool.from_defaults(weather, return_direct=True)
    agent = FunctionAgent(tools=[tool], llm=each_llm)

    async def run_agent() -> list[str]:
        memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
        first = await agent.run("weather in Rome", memory=memory)
        return [str(first), str(await agent.run("say 'bye'", memory=memory))]

    assert run(run_agent)[0] == "Sunny in Rome"
    texts = get_items(gateway.requests[-1].body)
    assert texts.count(("assistant", "Sunny in Rome")) == 1
    assert [kind for kind, _ in texts] == ["user", "tool_call", "tool", "assistant", "user"]


def test_workflow_of_functions(llm: Any) -> None:
    """A workflow of plain functions creates function agents."""
    workflow = AgentWorkflow.from_tools_or_functions([multiply], llm=llm)
    assert isinstance(next(iter(workflow.agents.values())), FunctionAgent)

    async def run_agent() -> Any:
        return await workflow.run("multiply 6 and 7")

    assert "42" in str(run(run_agent))


def test_handoff(gateway: Any, each_llm: Any) -> None:
    """One agent hands off to another one, which responds with its own tools."""
    first = FunctionAgent(
        name="clerk", description="Greets.", llm=each_llm, tools=[], can_handoff_to=["meteo"],
        initial_tool_choice="handoff",
    )  # fmt: skip
    second = FunctionAgent(name="meteo", description="Knows.", llm=each_llm, tools=[weather])
    workflow = AgentWorkflow(agents=[first, second], root_agent="clerk")

    async def run_agent() -> Any:
        handler = workflow.run("handoff 'meteo' 'asked': weather in Rome")
        async for _ in handler.stream_events():
            pass
        return await handler

    output = run(run_agent)
    assert output.current_agent_name == "meteo"
    names = [tool["name"] for tool in get_tools(gateway.requests[1].body)]
    assert names == ["weather", "handoff"]


@pytest.mark.parametrize("streaming", [True, False])
def test_react_agent(gateway: Any, each_llm: Any, streaming: bool) -> None:
    """A ReAct agent parses a tool call in the text, runs it, and returns the final answer."""
    gateway.reply(
        'Thought: I need a tool.\nAction: multiply\nAction Input: {"a": 6, "b": 7}',
        "Thought: I can answer without using any more tools.\nAnswer: It is 42.",
    )
    agent = ReActAgent(tools=[multiply, weather], llm=each_llm, streaming=streaming)

    async def run_agent() -> list[Any]:
        handler = agent.run("multiply 6 and 7")
        received = [event async for event in handler.stream_events()]
        return [*received, await handler]

    *events, output = run(run_agent)
    assert str(output) == "It is 42."
    (result,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert result.tool_output.raw_output == 42
    assert get_items(gateway.requests[1].body)[-1] == ("user", "Observation: 42")
    assert not any("tools" in request.body for request in gateway.requests)


@pytest.mark.parametrize("streaming", [True, False])
def test_code_agent(gateway: Any, each_llm: Any, streaming: bool) -> None:
    """A CodeAct agent runs the code in the text and sends its output back."""
    gateway.reply("<execute>\nprint(multiply(a=6, b=7))\n</execute>", "It is 42.")
    ran: list[str] = []

    def execute(code: str) -> str:
        """Run the one line that the test expects."""
        ran.append(code)
        return str(multiply(6, 7))

    agent = CodeActAgent(execute, tools=[multiply], llm=each_llm, streaming=streaming)

    async def run_agent() -> Any:
        return await agent.run("multiply 6 and 7")

    assert str(run(run_agent)) == "It is 42."
    assert ran == ["print(multiply(a=6, b=7))"]
    assert len(gateway.requests) == 2
    kind, text = get_items(gateway.requests[1].body)[-1]
    assert (kind, "42" in text) == ("user", True)


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_workflow_with_each_api(gateway: Any, model: Any, api: str) -> None:
    """Several agents with several tools, memory and handoff work with each API."""
    llm = model(api=api)
    assistant = FunctionAgent(
        name="clerk", description="Counts.", llm=llm, tools=[multiply], can_handoff_to=["meteo"]
    )
    forecaster = FunctionAgent(name="meteo", description="Knows.", llm=llm, tools=[weather])
    workflow = AgentWorkflow(agents=[assistant, forecaster], root_agent="clerk")
    memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)

    async def run_agent() -> list[Any]:
        context = Context(workflow)
        texts = ("multiply 6 and 7", "handoff 'meteo' 'asked'", "weather in Rome")
        outputs = [await workflow.run(text, ctx=context, memory=memory) for text in texts]
        # With older versions of pydantic the context continues with a copy.
        memory_now = await context.store.get("memory")
        return [*outputs, await memory_now.aget_all()]

    first, second, third, stored_messages = run(run_agent)
    assert "The tools found: 42" in str(first)
    assert second.current_agent_name == third.current_agent_name == "meteo"
    assert "Sunny in Rome" in str(third)
    assert [str(message.role.value) for message in stored_messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ] * 3
    paths = {request.path.rpartition("/v1/")[2] for request in gateway.requests}
    assert paths == {api.replace("chat_", "chat/")}


def test_errors_are_raised(gateway: Any, llm: Any) -> None:
    """A rejected request ends the run with the core's own error."""
    gateway.inject(Refuse(429))
    agent = FunctionAgent(tools=[multiply], llm=llm)

    async def run_agent() -> Any:
        return await agent.run("multiply 6 and 7")

    with pytest.raises(RateLimitError):
        run(run_agent)
