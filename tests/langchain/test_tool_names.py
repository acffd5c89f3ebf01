"""Each tool has a unique name; otherwise an error is raised before a request."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel

from tests.langchain.helpers import SYNC_AND_ASYNC, Chat, run
from xai_lowcode.errors import UsageError


def find(text: str) -> str:
    """Find a text."""
    return text


class Find(BaseModel):
    """Find a text."""

    text: str


SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
# Tools of each kind with the name "find".
FINDERS: dict[str, Any] = {
    "function": find,
    "tool": tool(find),
    "structured tool": StructuredTool.from_function(find, name="find"),
    "class": type("find", (Find,), {}),
    "JSON schema": {"title": "find", "properties": SCHEMA["properties"]},
    "OpenAI's": {"type": "function", "function": {"name": "find", "parameters": SCHEMA}},
    "Anthropic's": {"name": "find", "description": "", "input_schema": SCHEMA},
}
NAMELESS: dict[str, Callable[..., Any]] = {
    "one argument": lambda text: text,
    "a default": lambda text="": text,
    "no argument": lambda: None,
}
METHODS = ["bound", "given with the call"]


async def call_with(chat: Chat, method: str, tools: list[Any], *, use_async: bool) -> Any:
    """Call a model that has the tools."""
    if method == "bound":
        return await run(chat().bind_tools(tools), "Hello", use_async=use_async)
    return await run(chat(), "Hello", use_async=use_async, tools=tools)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(FINDERS, 2)), ids=str)
async def test_two_tools_with_one_name(
    gateway: Any, chat: Chat, pair: tuple[str, str], method: str, *, use_async: bool
) -> None:
    """Two tools of any kinds with one name raise, also one tool that is passed twice."""
    with pytest.raises(UsageError, match="two tools with the name 'find'") as caught:
        await call_with(chat, method, [FINDERS[kind] for kind in pair], use_async=use_async)
    assert caught.value.field == "tools"
    assert not gateway.requests


@SYNC_AND_ASYNC
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", NAMELESS)
async def test_a_lambda_is_rejected_as_a_tool(
    gateway: Any, chat: Chat, kind: str, method: str, *, use_async: bool
) -> None:
    """A lambda has no valid name; the error says how to name it."""
    with pytest.raises(UsageError, match="a lambda has no name") as caught:
        await call_with(chat, method, [FINDERS["class"], NAMELESS[kind]], use_async=use_async)
    assert caught.value.field == "tools"
    assert "Define a function" in str(caught.value)
    assert not gateway.requests


def test_a_lambda_is_rejected_as_a_schema(chat: Chat) -> None:
    """The error names the argument of structured output."""
    schema: Any = NAMELESS["one argument"]
    with pytest.raises(UsageError, match="a lambda has no name") as caught:
        chat().with_structured_output(schema)
    assert caught.value.field == "schema"


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_named_lambda_is_accepted(gateway: Any, chat: Chat, kind: str) -> None:
    """A lambda in a named tool is accepted, with other tools."""
    named = StructuredTool.from_function(NAMELESS[kind], name="named", description="A tool.")
    assert chat().bind_tools([named, find]).invoke("Hello")
    assert [each["name"] for each in gateway.requests[-1].body["tools"]] == ["named", "find"]


def test_a_schema_and_a_tool_with_one_name(gateway: Any, chat: Chat) -> None:
    """The schema of structured output by function calling is a tool, whose name must be unique."""
    llm = chat().with_structured_output(FINDERS["class"], method="function_calling", tools=[find])
    with pytest.raises(UsageError, match="two tools with the name 'find'"):
        llm.invoke("Hello")
    assert not gateway.requests
