"""Names of tools: two tools have different names, and each has one, before anything is sent."""

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
WAYS = ["bound", "given with the call"]


async def call_with(chat: Chat, way: str, tools: list[Any], *, use_async: bool) -> Any:
    """Call a model that has the tools."""
    if way == "bound":
        return await run(chat().bind_tools(tools), "Hello", use_async=use_async)
    return await run(chat(), "Hello", use_async=use_async, tools=tools)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(FINDERS, 2)), ids=str)
async def test_two_tools_with_one_name(
    gateway: Any, chat: Chat, pair: tuple[str, str], way: str, *, use_async: bool
) -> None:
    """Of any kinds, also one tool that is given twice: a call could not be assigned."""
    with pytest.raises(UsageError, match="two tools with the name 'find'") as refusal:
        await call_with(chat, way, [FINDERS[kind] for kind in pair], use_async=use_async)
    assert refusal.value.field == "tools"
    assert not gateway.requests


@SYNC_AND_ASYNC
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NAMELESS)
async def test_a_lambda_is_no_tool(
    gateway: Any, chat: Chat, kind: str, way: str, *, use_async: bool
) -> None:
    """Its name would be ``<lambda>``; the error says what to do."""
    with pytest.raises(UsageError, match="a lambda has no name") as refusal:
        await call_with(chat, way, [FINDERS["class"], NAMELESS[kind]], use_async=use_async)
    assert refusal.value.field == "tools"
    assert "Define a function" in str(refusal.value)
    assert not gateway.requests


def test_a_lambda_is_no_schema(chat: Chat) -> None:
    """Structured output names its own argument."""
    schema: Any = NAMELESS["one argument"]
    with pytest.raises(UsageError, match="a lambda has no name") as refusal:
        chat().with_structured_output(schema)
    assert refusal.value.field == "schema"


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_lambda_with_a_name_is_a_tool(gateway: Any, chat: Chat, kind: str) -> None:
    """A tool gives it one; other names may stand beside it."""
    named = StructuredTool.from_function(NAMELESS[kind], name="named", description="A tool.")
    assert chat().bind_tools([named, find]).invoke("Hello")
    assert [each["name"] for each in gateway.requests[-1].body["tools"]] == ["named", "find"]


def test_the_schema_and_a_tool_of_one_name(gateway: Any, chat: Chat) -> None:
    """Structured output by function calling is a tool too."""
    llm = chat().with_structured_output(FINDERS["class"], method="function_calling", tools=[find])
    with pytest.raises(UsageError, match="two tools with the name 'find'"):
        llm.invoke("Hello")
    assert not gateway.requests
