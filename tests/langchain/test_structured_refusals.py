"""Structured output of messages without an object: refusals, tool calls, truncated calls."""

from typing import Any

import pytest
from langchain_core import exceptions
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration
from pydantic import BaseModel

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode._structured_output import StructuredOutputParser
from tests.cases import for_each
from tests.core.refused_messages import (
    ANSWER,
    CALL,
    REFUSAL,
    answer,
    call_tool,
    create_clients,
    refuse,
)
from tests.langchain.helpers import APIS, SYNC_AND_ASYNC, collect_stream, get_time, run

# Before langchain-core 1.7.5 there is no such class.
ModelRefusalError = getattr(exceptions, "ModelRefusalError", OutputParserException)


class Person(BaseModel):
    """A person."""

    name: str | None = None


SCHEMA = {"title": "Person", "type": "object", "properties": {"name": {"type": "string"}}}
METHODS_ = [
    (api, method)
    for api in APIS
    for method in ("json_schema", "function_calling", "json_mode")
    if api != "messages" or method == "function_calling"
]
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])


async def call_chain(llm: Any, *, streamed: bool, use_async: bool) -> Any:
    """Return the output of a call, or the sum or the last of the chunks of a stream."""
    if not streamed:
        return await run(llm, "Hello", use_async=use_async)
    chunks = await collect_stream(llm, "Hello", use_async=use_async)
    if not chunks or not isinstance(chunks[0], dict) or "raw" not in chunks[0]:
        return chunks[-1] if chunks else None
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


@SYNC_AND_ASYNC
@STREAMED
@pytest.mark.parametrize("schema", [Person, SCHEMA, list[int]], ids=["class", "dict", "list"])
@pytest.mark.parametrize(("api", "method"), METHODS_)
async def test_refusals_are_raised_or_returned(
    api: Any, method: Any, schema: Any, *, streamed: bool, use_async: bool
) -> None:
    """A refusal raises LangChain's error with its text; with include_raw it is returned."""
    if (method, schema) == ("json_mode", list[int]):
        schema = None
    chat = ChatXAILowCode(api=api, **create_clients(refuse))
    llm = chat.with_structured_output(schema, method=method)
    with pytest.raises(ModelRefusalError) as caught:
        await call_chain(llm, streamed=streamed, use_async=use_async)
    assert REFUSAL in str(caught.value)
    if ModelRefusalError is not OutputParserException:
        assert isinstance(caught.value.raw_message, AIMessage)
    llm = chat.with_structured_output(schema, method=method, include_raw=True)
    result = await call_chain(llm, streamed=streamed, use_async=use_async)
    assert isinstance(result["parsing_error"], ModelRefusalError)
    assert result["parsed"] is None
    assert isinstance(result["raw"], AIMessage)


@SYNC_AND_ASYNC
@STREAMED
@pytest.mark.parametrize(("api", "method"), METHODS_)
async def test_a_tool_call_in_place_of_the_object(
    api: Any, method: Any, *, streamed: bool, use_async: bool
) -> None:
    """A call of one of the tools is no error: the object is None, and the message has the call."""
    chat = ChatXAILowCode(api=api, **create_clients(call_tool))
    for schema in (Person, SCHEMA):
        llm = chat.with_structured_output(schema, method=method, tools=[get_time], include_raw=True)
        result = await call_chain(llm, streamed=streamed, use_async=use_async)
        assert result["parsing_error"] is None
        assert result["parsed"] is None
        (call,) = result["raw"].tool_calls
        assert (call["name"], call["args"]) == (CALL["name"], {"city": "Vienna"})


@SYNC_AND_ASYNC
@STREAMED
@pytest.mark.parametrize("tools", [(), (get_time,)], ids=["no tools", "tools"])
@pytest.mark.parametrize(("api", "method"), METHODS_)
async def test_a_text_in_place_of_the_object(
    api: Any, method: Any, tools: Any, *, streamed: bool, use_async: bool
) -> None:
    """A message that is neither the object nor a tool call is an error, with every method."""
    chat = ChatXAILowCode(api=api, **create_clients(answer))
    for schema in (Person, SCHEMA):
        llm = chat.with_structured_output(schema, method=method, tools=tools)
        with pytest.raises(OutputParserException) as caught:
            await call_chain(llm, streamed=streamed, use_async=use_async)
        assert ANSWER in str(caught.value.llm_output)
        llm = chat.with_structured_output(schema, method=method, tools=tools, include_raw=True)
        result = await call_chain(llm, streamed=streamed, use_async=use_async)
        assert isinstance(result["parsing_error"], OutputParserException)
        assert result["parsed"] is None
        assert result["raw"].text == ANSWER


@for_each("name", ["Person", "get_time"])
@for_each("arguments", ["", "{", "[]", "nonsense"])
def test_arguments_that_are_no_object(name: str, arguments: str) -> None:
    """The error names the tool, and quotes the arguments; a draft of a stream is no error."""
    call: Any = {
        "name": name,
        "args": arguments,
        "id": "1",
        "error": "",
        "type": "invalid_tool_call",
    }
    message = AIMessage("", invalid_tool_calls=[call])
    parser = StructuredOutputParser(tool_name="Person")
    with pytest.raises(OutputParserException, match=f"{name!r} are not a valid JSON") as caught:
        parser.invoke(message)
    assert caught.value.llm_output == arguments
    assert parser.parse_result([ChatGeneration(message=message)], partial=True) is None


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_the_object_beside_tools(chat: Any, gateway: Any, method: Any) -> None:
    """With tools the object is returned as without; the tools are sent."""
    llm = chat().with_structured_output(SCHEMA, method=method, tools=[get_time], include_raw=True)
    result = llm.invoke("Give JSON with 'name'.")
    assert result["parsing_error"] is None
    body = gateway.requests[-1].body
    assert body["tools"][-1]["name"] == "get_time"
    assert body.get("tool_choice") == ("required" if method == "function_calling" else None)


@pytest.mark.parametrize("tool_name", [None, "Person"])
def test_truncated_messages_are_no_objects(tool_name: str | None) -> None:
    """A message that reached max_tokens raises, also if the beginning is a valid object."""
    call = {"name": "Person", "args": {}, "id": "1", "type": "tool_call"}
    message = AIMessage("{}", tool_calls=[call] if tool_name else [])
    parser = StructuredOutputParser(tool_name=tool_name)
    assert parser.invoke(message) == {}
    message.response_metadata["finish_reason"] = "length"
    with pytest.raises(OutputParserException, match="max_tokens"):
        parser.invoke(message)


def test_streams_end_with_an_error_if_there_is_no_object() -> None:
    """Drafts that are not valid yet are left out; the last chunk is parsed as a whole message."""
    beginning = AIMessageChunk('{"name": [')
    end = AIMessageChunk("]}", response_metadata={"finish_reason": "stop"})
    target = ChatXAILowCode(**create_clients(refuse)).with_structured_output(Person)
    parser = target.steps[-1]  # type: ignore[attr-defined]
    assert list(parser.transform(iter([beginning]))) == []
    with pytest.raises(OutputParserException, match="Person"):
        list(parser.transform(iter([beginning, end])))
