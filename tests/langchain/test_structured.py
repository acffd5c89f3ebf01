"""Structured output by every method, with every kind of schema."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration
from pydantic import BaseModel

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode._structured_output import StructuredOutputParser
from tests.cases import for_each
from xai_lowcode.errors import UsageError

Chat = Callable[..., ChatXAILowCode]
FACTS = "'Ada' is 36 and likes red; her friend is 'Charles'."


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Friend(BaseModel):
    """A friend."""

    name: str


class Person(BaseModel):
    """A person."""

    name: str
    age: int
    colour: Colour
    friends: list[Friend]
    nickname: str | None = None


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


SCHEMA = {
    "title": "Person",
    "description": "A person",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("strict", [None, False, True])
async def test_a_nested_pydantic_model(chat: Chat, method: Any, *, strict: bool | None) -> None:
    """A model with nested, optional and enum fields is an instance in all four methods."""
    llm = chat().with_structured_output(Person, method=method, strict=strict)
    results = [
        llm.invoke(FACTS),
        list(llm.stream(FACTS))[-1],
        await llm.ainvoke(FACTS),
        [result async for result in llm.astream(FACTS)][-1],
    ]
    assert all(isinstance(result, Person) for result in results)
    assert results[0].age == 36
    assert results[1:] == results[:1] * 3


@for_each("method", ["json_schema", "function_calling"])
@for_each("schema", [PersonDict, SCHEMA])
def test_other_schemas_give_a_dict(chat: Chat, method: Any, schema: Any) -> None:
    """A TypedDict and a JSON schema give a dict with their fields."""
    result = chat().with_structured_output(schema, method=method).invoke(FACTS)
    assert result["age"] == 36
    assert result.keys() == {"name", "age"}


def test_json_mode_without_a_schema(chat: Chat) -> None:
    """JSON mode without a schema returns the object that the prompt describes."""
    llm = chat().with_structured_output(method="json_mode")
    assert llm.invoke("Give JSON with 'name' and 'place'.").keys() == {"name", "place"}


def test_include_raw(chat: Chat) -> None:
    """With include_raw the message, the object and the parsing error are returned."""
    result = chat().with_structured_output(Person, include_raw=True).invoke(FACTS)
    assert isinstance(result["raw"], AIMessage)
    assert result["parsed"].age == 36
    assert result["parsing_error"] is None


@pytest.mark.parametrize("include_raw", [True, False])
def test_a_truncated_message_is_an_error(chat: Chat, *, include_raw: bool) -> None:
    """A message truncated at max_tokens raises an error that names the limit."""
    llm = chat(max_tokens=3).with_structured_output(Person, include_raw=include_raw)
    if include_raw:
        error = llm.invoke(FACTS)["parsing_error"]
    else:
        with pytest.raises(OutputParserException) as raised:
            llm.invoke(FACTS)
        error = raised.value
    assert "max_tokens" in str(error)


def test_an_empty_message_is_an_error() -> None:
    """An empty message raises, with a description of it."""
    with pytest.raises(OutputParserException, match="empty"):
        StructuredOutputParser().parse_result([ChatGeneration(message=AIMessage(" "))])


def test_missing_schemas_and_unknown_methods_are_rejected(chat: Chat) -> None:
    """A missing schema or an unknown method raises when the chain is created."""
    with pytest.raises(UsageError, match="schema"):
        chat().with_structured_output()
    unknown: Any = "telepathy"
    with pytest.raises(UsageError, match="method"):
        chat().with_structured_output(Person, method=unknown)


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
async def test_structured_output_of_each_api(gateway: Any, chat: Chat, api: Any) -> None:
    """The default method is a response format, and a tool call in the Messages API."""
    llm = chat(api=api)
    assert llm.profile is not None
    assert llm.profile["structured_output"] is (api != "messages")
    chain = llm.with_structured_output(Person)
    assert chain.invoke(FACTS) == await chain.ainvoke(FACTS) == list(chain.stream(FACTS))[-1]
    assert chain.invoke(FACTS).age == 36
    # LangChain selects a response format for grok-4 by its name, also with the Messages API.
    strategy: Any = ToolStrategy(Person) if api == "messages" else Person
    agent: Any = create_agent(llm, [], response_format=strategy)
    assert agent.invoke({"messages": FACTS})["structured_response"].age == 36
    assert {request.path.rpartition("/v1/")[2] for request in gateway.requests} == {
        api.replace("chat_", "chat/")
    }
