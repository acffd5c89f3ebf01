"""A tool call whose arguments are not a JSON object: no tool runs, and the model gets the reason.

The tools accept as much as tools can: no parameter, optional ones only, every name (tools of MCP
servers), any argument at all (query engines and retrievers). None may run, by any method of
LlamaIndex that calls tools.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ToolCallBlock
from llama_index.core.base.response.schema import Response
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.tools import (
    AsyncBaseTool,
    BaseTool,
    FunctionTool,
    QueryEngineTool,
    RetrieverTool,
    ToolMetadata,
    ToolOutput,
)
from llama_index.core.tools.calling import acall_tool_with_selection, call_tool_with_selection
from llama_index.core.workflow import Context
from pydantic import BaseModel

from tests.cases import for_each
from tests.llama_index.sent import get_kinds
from xai_lowcode.emulator import Reply

pytestmark = pytest.mark.filterwarnings("ignore")  # the workflows package's own deprecations

INVALID = (
    '{"a": 1,}',
    '{"a": 1',
    "['a']",
    '["a"]',
    "null",
    '"a"',
    "3",
    "a.txt",
    '{"a": 1}{"b": 2}',
)
REASON = "The tool was not run: its arguments are not a valid JSON object."


class Schema(BaseModel):
    """Parameters of a tool of an MCP server, none of which is required."""

    path: str = "."


class Engine(CustomQueryEngine):
    """A query engine."""

    run: Callable[[str], None]

    def custom_query(self, query_str: str) -> Response:
        """Answer."""
        self.run("query")
        return Response(query_str)


class Retriever(BaseRetriever):
    """A retriever that finds nothing."""

    def __init__(self, run: Callable[[str], None]) -> None:
        super().__init__()
        self._run = run

    def _retrieve(self, _: Any) -> list[Any]:
        self._run("retrieve")
        return []


class CustomTool(AsyncBaseTool):
    """A tool of a custom class, which accepts any argument."""

    metadata = ToolMetadata("An own class.", "own")

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Run."""
        self._run("own")
        return ToolOutput(content=f"{args}{kwargs}", tool_name="own")

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Run."""
        return self.call(*args, **kwargs)


class Runs:
    """The tools, and the names of those that ran."""

    def __init__(self) -> None:
        self.names: list[str] = []
        run = self.names.append

        def nothing() -> str:
            run("nothing")
            return "ran"

        def one(path: str = ".") -> str:
            run("one")
            return path

        def several(path: str = ".", depth: int = 1) -> str:
            run("several")
            return path * depth

        def any_name(**kwargs: Any) -> str:
            run("any_name")
            return str(kwargs)

        async def any_name_async(**kwargs: Any) -> str:
            run("any_name_async")
            return str(kwargs)

        async def with_context(ctx: Context, path: str = ".") -> str:
            run("with_context")
            return f"{ctx}{path}"

        make = FunctionTool.from_defaults
        self.tools: dict[str, BaseTool] = {
            "nothing": make(nothing),
            "one": make(one),
            "several": make(several),
            "partial": make(several, name="partial", partial_params={"depth": 2}),
            "direct": make(one, name="direct", return_direct=True),
            "any_name": make(any_name, fn_schema=Schema),
            "any_name_async": make(async_fn=any_name_async, fn_schema=Schema),
            "with_context": make(async_fn=with_context),
            "query": QueryEngineTool.from_defaults(Engine(run=run), name="query"),
            "retrieve": RetrieverTool.from_defaults(Retriever(run), name="retrieve"),
            "own": CustomTool(run),
        }


NAMES = tuple(Runs().tools)


@pytest.fixture(autouse=True)
def _no_replies(gateway: Any) -> None:
    """Drop the replies that a failed test left."""
    gateway.replies.clear()


def response_of(name: str, arguments: str) -> ChatResponse:
    """A complete response with a call."""
    block = ToolCallBlock(tool_call_id="c", tool_name=name, tool_kwargs=arguments)
    message = ChatMessage(role="assistant", blocks=[block])
    return ChatResponse(message=message, additional_kwargs={"finish_reason": "tool_calls"})


@for_each("name", NAMES)
def test_no_tool_runs(llm: Any, name: str) -> None:
    """LlamaIndex's functions that call a tool return an error, sync and async."""
    for arguments in INVALID:
        runs = Runs()
        (selection,) = llm.get_tool_calls_from_response(response_of(name, arguments))
        assert selection.tool_name == name
        assert selection.tool_kwargs["invalid_arguments"] == arguments
        assert selection.tool_kwargs["self"].startswith(REASON)
        tools = list(runs.tools.values())
        outputs = [
            call_tool_with_selection(selection, tools),
            asyncio.run(acall_tool_with_selection(selection, tools)),
        ]
        assert [output.is_error for output in outputs] == [True, True]
        assert not runs.names, arguments


@for_each(
    ("arguments", "is_valid"),
    [(None, True), ("", True), ("{}", True), ({}, True), ("[]", False), ([], False), (0, False)],
)
def test_calls_of_old_chat_stores(llm: Any, arguments: Any, is_valid: bool) -> None:
    """A message without blocks has calls of the same kinds."""
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": calls})
    response = ChatResponse(message=message, additional_kwargs={"finish_reason": "tool_calls"})
    (selection,) = llm.get_tool_calls_from_response(response)
    assert (selection.tool_kwargs == {}) == is_valid
    assert ("invalid_arguments" in selection.tool_kwargs) != is_valid


def test_tools_run_with_valid_arguments(llm: Any) -> None:
    """With valid arguments each tool runs, except the one that needs an agent's context."""
    runs = Runs()
    for name, tool in runs.tools.items():
        (selection,) = llm.get_tool_calls_from_response(response_of(name, "{}"))
        if name in {"query", "retrieve"}:
            selection.tool_kwargs = {"input": "x"}
        call_tool_with_selection(selection, [tool])
    assert set(runs.names) >= set(NAMES) - {"partial", "direct", "with_context"}


AGENTS: dict[str, Callable[..., Any]] = {
    "streaming": FunctionAgent,
    "plain": lambda **fields: FunctionAgent(streaming=False, **fields),
    "workflow": lambda **fields: AgentWorkflow(agents=[FunctionAgent(**fields)]),
}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("api", ["auto", "chat_completions"])
def test_an_agent_continues(gateway: Any, model: Any, agent: str, api: str) -> None:
    """The model gets the reason, the other call runs, and everything is in the memory."""
    for index, name in enumerate(NAMES):
        arguments, runs = INVALID[index % len(INVALID)], Runs()
        gateway.requests.clear()
        calls = [(name, arguments), ("several", {"path": "x"})]
        gateway.reply(Reply(tool_calls=calls), "Recovered.")
        tools = list(runs.tools.values())
        running = AGENTS[agent](tools=tools, llm=model(api=api), allow_parallel_tool_calls=True)
        memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)

        async def run_agent(running: Any = running, memory: Any = memory) -> str:
            return str(await running.run("Hello", memory=memory))

        assert asyncio.run(run_agent()) == "Recovered.", name
        assert runs.names == ["several"], name
        kinds = get_kinds(gateway.requests[-1].body)
        roles = [message.role.value for message in memory.get_all()]
        if name == "direct":  # LlamaIndex adds its error as the assistant's, and no more results
            assert roles == ["user", "assistant", "tool", "assistant", "assistant"]
            continue
        assert kinds == ["user", "tool_call", "tool_call", "tool", "tool"], name
        assert REASON in str(gateway.requests[-1].body), name
        assert "'self'" not in str(gateway.requests[-1].body), name
        assert roles == ["user", "assistant", "tool", "tool", "assistant"], name


def test_only_invalid_calls_in_every_round(gateway: Any, llm: Any) -> None:
    """The reason follows each of several invalid calls, and memory can be used afterwards."""
    runs = Runs()
    gateway.reply(*(Reply(tool_calls=[("one", text)]) for text in INVALID[:3]), "Done.", "Bye.")
    agent = FunctionAgent(tools=[runs.tools["one"]], llm=llm)
    memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)

    async def run_agent() -> list[str]:
        return [str(await agent.run(prompt, memory=memory)) for prompt in ("Hello", "And?")]

    assert asyncio.run(run_agent()) == ["Done.", "Bye."]
    assert str(gateway.requests[-1].body).count(REASON) == 3
    assert not runs.names


def test_predict_and_call(sync_async: Any, gateway: Any, llm: Any) -> None:
    """The error is the tool's output, which LlamaIndex raises with error_on_tool_error only."""
    runs = Runs()
    reply = Reply(tool_calls=[("any_name", INVALID[0])])
    gateway.reply(reply, reply)
    tools = [runs.tools["any_name"]]
    chat_response = sync_async.call(llm, "predict_and_call", tools, "Hello")
    assert chat_response.sources[0].is_error
    assert chat_response.sources[0].raw_input["invalid_arguments"] == INVALID[0]
    with pytest.raises(ValueError, match="Encountered error"):
        sync_async.call(llm, "predict_and_call", tools, "Hello", error_on_tool_error=True)
    assert not runs.names


@pytest.mark.filterwarnings("default")
def test_a_warning_has_the_reason(sync_async: Any, gateway: Any, llm: Any) -> None:
    """Each response with such a call warns, plain and streamed, with the tool's name."""
    tool = Runs().tools["one"]
    gateway.reply(*[Reply(tool_calls=[("one", INVALID[0])])] * 2)
    with pytest.warns(UserWarning, match="'one' is not run. The arguments are not a valid JSON"):
        sync_async.call(llm, "chat_with_tools", [tool], "Hello")
    with pytest.warns(UserWarning, match="'one' is not run. The arguments are not a valid JSON"):
        sync_async.stream(llm, "stream_chat_with_tools", [tool], "Hello")


@for_each(
    ("text", "arguments", "is_replaced"),
    [
        ("f() got multiple values for argument 'self'", '{"a": 1', True),
        ("f() got multiple values for argument 'self'", "{}", False),
        ("f() got multiple values for argument 'self'", {"a": 1}, False),
        ("42", '{"a": 1', False),
    ],
)
def test_other_results_are_sent_unchanged(
    gateway: Any, llm: Any, text: str, arguments: Any, is_replaced: bool
) -> None:
    """Only the error by which a call was kept from running is replaced by the reason."""
    call = response_of("one", arguments).message
    blocks = [TextBlock(text=text)]
    result = ChatMessage(role="tool", blocks=blocks, additional_kwargs={"tool_call_id": "c"})
    llm.chat([ChatMessage("Hello"), call, result])
    body = str(gateway.requests[-1].body)
    assert (REASON in body) == is_replaced
    assert (text.partition(" ")[2] in body) != is_replaced or text == "42"
