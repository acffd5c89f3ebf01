"""Tools: schemas, tool choice, tool calls and results."""

import copy
import json
from typing import Any, Literal

import pytest
from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel

from llama_index_xai_lowcode import XAILowCode
from tests.llama_index.sent import get_items, get_tool_choice, get_tools
from xai_lowcode.errors import UsageError


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Weather of a city."""
    return f"Sunny in {city}, 20 {unit}"


class Node(BaseModel):
    """A node, which contains others."""

    value: int
    children: list["Node"] = []


MULTIPLY, WEATHER = FunctionTool.from_defaults(multiply), FunctionTool.from_defaults(weather)
BOX = FunctionTool.from_defaults(weather, name="Box[int]")
BOTH = "multiply 6 and 7, and what is the weather in Paris?"


@pytest.mark.parametrize("api", ["auto", "chat_completions"])
def test_tools_are_sent(sync_async: Any, gateway: Any, model: Any, api: str) -> None:
    """Tools are sent with their schema; without tools no such field is sent."""
    llm = model(api=api)
    sync_async.call(llm, "chat_with_tools", [MULTIPLY], "multiply 6 and 7")
    (sent,) = get_tools(gateway.requests[-1].body)
    assert sent["name"] == "multiply"
    assert sent["parameters"]["required"] == ["a", "b"]
    assert gateway.requests[-1].body["parallel_tool_calls"] is False
    assert "tool_choice" not in gateway.requests[-1].body
    sync_async.call(llm, "chat_with_tools", [], "Hello", tool_choice=None, tool_required=True)
    body = gateway.requests[-1].body
    assert set(body) == (
        {"model", "messages"} if "messages" in body else {"model", "input", "store", "include"}
    )


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"tool_choice": None, "tool_required": True}, "required"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": "required"}, "required"),
        ({"tool_choice": "auto", "tool_required": True}, "auto"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": {"type": "any"}}, "required"),
        ({"tool_choice": "multiply"}, {"name": "multiply"}),
        ({"tool_choice": "Box[int]"}, {"name": "Box_int_"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "multiply"}}},
            {"name": "multiply"},
        ),
    ],
)
def test_tool_choice(gateway: Any, each_llm: XAILowCode, choice: Any, sent: Any) -> None:
    """Every format of tool_choice is converted."""
    each_llm.chat_with_tools([MULTIPLY, BOX], "Hello", **choice)
    body = gateway.requests[-1].body
    if sent == "none" and "max_tokens" in body:  # The Messages API has no such value.
        assert not {"tools", "tool_choice"} & body.keys()
    else:
        assert get_tool_choice(body) == sent


@pytest.mark.parametrize("choice", [{"tool_choice": "unknown"}, {"tool_choice": 3}])
def test_invalid_tool_choices(gateway: Any, sync_async: Any, llm: XAILowCode, choice: Any) -> None:
    """An invalid tool_choice raises an error at the call, also of a stream."""
    with pytest.raises(UsageError, match="tool_choice"):
        llm.stream_chat_with_tools([MULTIPLY], "Hello", **choice)
    with pytest.raises(UsageError, match="tool_choice"):
        sync_async.call(llm, "chat_with_tools", [MULTIPLY], "Hello", **choice)
    assert not gateway.requests


def test_results_have_the_id_of_their_call(sync_async: Any, llm: XAILowCode) -> None:
    """A tool result is sent with the id of its call."""
    question = ChatMessage("multiply 6 and 7")
    response = sync_async.call(llm, "chat_with_tools", [MULTIPLY], question)
    (selection,) = llm.get_tool_calls_from_response(response)
    assert (selection.tool_name, selection.tool_kwargs) == ("multiply", {"a": 6, "b": 7})
    result = ChatMessage("42", role="tool", additional_kwargs={"tool_call_id": selection.tool_id})
    answer = sync_async.call(
        llm, "chat_with_tools", [MULTIPLY], chat_history=[question, response.message, result]
    )
    assert "42" in answer.message.content


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
@pytest.mark.parametrize(("parallel", "number"), [(True, 2), (False, 1)])
def test_parallel_calls(
    sync_async: Any, gateway: Any, model: Any, api: str, parallel: bool, number: int
) -> None:
    """Without parallel tool calls the response has one, also with Messages, and no warning."""
    llm = model(api=api)
    options = {"allow_parallel_tool_calls": parallel, "tool_required": True}
    plain = sync_async.call(llm, "chat_with_tools", [MULTIPLY, WEATHER], BOTH, **options)
    streamed = sync_async.stream(
        llm, "stream_chat_with_tools", [MULTIPLY, WEATHER], BOTH, **options
    )
    for response in (plain, streamed[-1]):
        assert len(llm.get_tool_calls_from_response(response)) == number
        assert len(response.message.additional_kwargs["tool_calls"]) == number
    if api == "messages":
        for request in gateway.requests:
            single = request.body["tool_choice"].get("disable_parallel_tool_use", False)
            assert single is not parallel


def test_predict_and_call(sync_async: Any, llm: XAILowCode) -> None:
    """A tool is selected and called."""
    output = sync_async.call(llm, "predict_and_call", [MULTIPLY, WEATHER], "multiply 6 and 7")
    assert (output.response, output.sources[0].raw_output) == ("42", 42)
    output = sync_async.call(
        llm, "predict_and_call", [MULTIPLY, WEATHER], BOTH, allow_parallel_tool_calls=True
    )
    assert output.response == "42\n\nSunny in Paris, 20 C"


def test_unsupported_tool_names_are_sanitized(
    sync_async: Any, gateway: Any, each_llm: XAILowCode
) -> None:
    """A tool name with brackets is sanitized for xAI and restored in tool calls."""
    output = sync_async.call(
        each_llm, "predict_and_call", [BOX], "Box_int_ in Rome", tool_required=True
    )
    assert output.response.startswith("Sunny in Rome")
    assert get_tools(gateway.requests[-1].body)[0]["name"] == "Box_int_"
    message = sync_async.call(each_llm, "chat_with_tools", [BOX], "Box_int_ in Rome").message
    (block,) = (block for block in message.blocks if isinstance(block, ToolCallBlock))
    assert block.tool_name == "Box[int]"
    result = ChatMessage("r", role="tool", additional_kwargs={"tool_call_id": block.tool_call_id})
    history = [message, result]
    sync_async.call(each_llm, "chat", history)
    assert get_items(gateway.requests[-1].body) == [("tool_call", "Box_int_"), ("tool", "r")]


def test_two_tools_with_one_name(llm: XAILowCode) -> None:
    """Tools with the same sanitized name raise an error."""
    duplicate = FunctionTool.from_defaults(weather, name="Box(int)")
    with pytest.raises(UsageError, match="Box_int_"):
        llm.chat_with_tools([BOX, duplicate], "Hello")


def test_recursive_tool_schemas(sync_async: Any, llm: XAILowCode) -> None:
    """The schema of a recursive class has an object at its root."""
    tool = FunctionTool.from_defaults(
        lambda **_: "", name="node", description="Node", fn_schema=Node
    )
    response = sync_async.call(llm, "chat_with_tools", [tool], "a node of 3", tool_required=True)
    (selection,) = llm.get_tool_calls_from_response(response)
    assert Node(**selection.tool_kwargs).value == 3


def test_arguments_of_chat_are_json_in_events(llm: XAILowCode) -> None:
    """The arguments in events are JSON, and the caller's history is not changed."""
    history = [ChatMessage("a")]
    prepared = llm._prepare_chat_with_tools([MULTIPLY], "b", chat_history=history, seed=3)
    assert [message.content for message in prepared.pop("messages")] == ["a", "b"]
    assert json.loads(json.dumps(prepared)) == prepared
    assert prepared["seed"] == 3
    assert len(history) == 1


def test_schemas_are_not_mutated(llm: XAILowCode) -> None:
    """Tools in OpenAI's format are not changed."""
    prepared = llm._prepare_chat_with_tools([MULTIPLY, BOX], "Hello")
    before = copy.deepcopy(prepared)
    llm.chat(**prepared)
    assert prepared == before


def test_tools_with_custom_schemas(gateway: Any, each_llm: XAILowCode) -> None:
    """Tools without a class, or with other metadata, are sent with their own schema."""

    class Described(ToolMetadata):
        def get_parameters_dict(self) -> dict[str, Any]:
            return {"type": "object", "properties": {"x": {"type": "string"}}}

    bare = FunctionTool(weather, ToolMetadata("Bare", "bare", fn_schema=None))
    own = FunctionTool(weather, Described("Own", "own"))
    each_llm.chat([ChatMessage("Hi")], tools=[bare, own])
    first, second = get_tools(gateway.requests[-1].body)
    assert list(first["parameters"]["properties"]) == ["input"]
    assert list(second["parameters"]["properties"]) == ["x"]


def test_invalid_tools(llm: XAILowCode) -> None:
    """An element that is not a tool raises an error at the call."""
    with pytest.raises(UsageError, match="tools"):
        llm.chat([ChatMessage("Hi")], tools=[{"type": "function", "function": {}}])


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        ('{"a": "cu', {"a": "cu"}),
        ("[1]", {}),
        ("no JSON", {}),
    ],
)
def test_arguments(llm: XAILowCode, arguments: Any, parsed: dict[str, Any]) -> None:
    """Incomplete arguments are parsed; arguments that are not an object become empty."""
    block = ToolCallBlock(tool_call_id="a", tool_name="f", tool_kwargs=arguments)
    response = ChatResponse(message=ChatMessage(role="assistant", blocks=[block]))
    assert llm.get_tool_calls_from_response(response)[0].tool_kwargs == parsed


def test_calls_of_stored_messages(llm: XAILowCode) -> None:
    """Tool calls are found in messages from JSON, with and without blocks."""
    response = llm.chat_with_tools([MULTIPLY], "multiply 6 and 7")
    stored = ChatMessage.model_validate_json(response.message.model_dump_json())
    older = ChatMessage(role="assistant", additional_kwargs=dict(stored.additional_kwargs))
    (expected,) = llm.get_tool_calls_from_response(response)
    for message in (stored, older):
        assert llm.get_tool_calls_from_response(ChatResponse(message=message)) == [expected]


def test_a_missing_tool_call(llm: XAILowCode, hello: Any) -> None:
    """A response without tool calls raises an error only if requested."""
    response = llm.chat(hello)
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="tool call"):
        llm.get_tool_calls_from_response(response)
