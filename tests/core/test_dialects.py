"""All dialects return the same response for the same conversation, streamed or not."""

import base64
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import APIS, ChatRequest, NamedTool, ToolSpec
from xai_lowcode.types.responses import ChatResponse

API_NAMES = sorted(APIS - {"auto"})
INTEGER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD = ToolSpec("add", "Adds.", INTEGER)
MULTIPLY = ToolSpec("multiply", "Multiplies.", INTEGER)


def image_url() -> str:
    """Return a small image as a data URL."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def user_message(*parts: Any) -> Message:
    """Return a user message."""
    return Message("user", tuple(TextPart(p) if isinstance(p, str) else p for p in parts))


CONVERSATIONS: dict[str, dict[str, Any]] = {
    "text": {"messages": (user_message("Hello"),)},
    "system": {"messages": (Message("system", (TextPart("Be kind."),)), user_message("Hello"))},
    "image": {"messages": (user_message("What is this?", ImagePart(image_url())),)},
    "call": {"messages": (user_message("Use add for 3."),), "tools": (ADD,)},
    "calls": {"messages": (user_message("add 2 and multiply 3"),), "tools": (ADD, MULTIPLY)},
    "forced": {
        "messages": (user_message("7"),),
        "tools": (ADD, MULTIPLY),
        "tool_choice": "required",
    },
    "named": {"messages": (user_message("7"),), "tools": (ADD,), "tool_choice": NamedTool("add")},
    "none": {"messages": (user_message("Use add for 3."),), "tools": (ADD,), "tool_choice": "none"},
    "cut": {"messages": (user_message("Hello"),), "max_tokens": 4},
    "stopped": {"messages": (user_message("Hello"),), "stop": ("wrote",)},
}
every_api = pytest.mark.parametrize("api", API_NAMES)
every_conversation = pytest.mark.parametrize("name", list(CONVERSATIONS))
every_model = pytest.mark.parametrize("model", ["grok-4.3", "grok-4.20-0309-non-reasoning"])


@pytest.fixture
def chat_model(emulator: Emulator) -> ChatModel:
    """Return a model that is connected to the emulator."""
    connection = {"api_token": emulator.api_token, "base_url": emulator.base_url}
    return ChatModel(Settings.create(**connection))


def build_request(name: str, api: str, model: str) -> ChatRequest:
    """Return the request of a conversation for an API."""
    return ChatRequest(**{"model": model, **CONVERSATIONS[name]}, api=api)  # type: ignore[arg-type]  # a table


def comparable(response: ChatResponse) -> tuple[Any, ...]:
    """Return what must not depend on the API."""
    calls = [(call.name, call.arguments) for call in response.tool_calls]
    return response.text, calls, response.finish_reason


def accumulate_stream(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the accumulated response of a stream."""
    accumulator = ResponseAccumulator()
    for event in model.stream(request):
        accumulator.add(event)
    return accumulator.build_response()


@every_model
@every_conversation
def test_all_apis_agree(chat_model: ChatModel, name: str, model: str) -> None:
    """Text, tool calls, finish reason and output tokens are the same for every API."""
    responses = [chat_model.generate(build_request(name, api, model)) for api in API_NAMES]
    assert [response.api for response in responses] == API_NAMES
    assert len({repr(comparable(response)) for response in responses}) == 1
    if name != "stopped":
        # A service that applies stop sequences itself generates fewer tokens.
        assert len({response.usage.output_tokens for response in responses if response.usage}) == 1
    assert all(
        response.usage is not None
        and response.usage.input_tokens + response.usage.output_tokens
        == response.usage.total_tokens
        for response in responses
    )


@every_model
@every_api
@every_conversation
def test_a_stream_accumulates_to_the_response(
    chat_model: ChatModel, name: str, api: str, model: str
) -> None:
    """A stream accumulates to the response of the same request without streaming."""
    request = build_request(name, api, model)
    response, streamed = chat_model.generate(request), accumulate_stream(chat_model, request)
    assert comparable(streamed) == comparable(response)
    assert (streamed.reasoning, streamed.model) == (response.reasoning, response.model)
    if name != "stopped":
        assert streamed.usage == response.usage


@every_api
@pytest.mark.parametrize("name", ["call", "calls"])
def test_tool_results_are_sent_back(
    chat_model: ChatModel, emulator: Emulator, name: str, api: str
) -> None:
    """A message with tool calls, and the results, are accepted by every API."""
    request = build_request(name, api, "grok-4.3")
    first = chat_model.generate(request)
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart(f"result of {call.name}"),)),))
        for call in first.tool_calls
    ]
    messages = (*request.messages, first.choices[0].message, *results)
    second = chat_model.generate(replace(request, messages=messages))
    assert all(f"result of {call.name}" in second.text for call in first.tool_calls)
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("previous", API_NAMES)
@every_api
def test_a_conversation_can_change_its_api(chat_model: ChatModel, previous: str, api: str) -> None:
    """A message of one API can be sent to another, by its parts."""
    request = build_request("call", previous, "grok-4.3")
    first = chat_model.generate(request)
    (call,) = first.tool_calls
    result = Message("tool", (ToolResultPart(call.id, (TextPart("5"),)),))
    messages = (*request.messages, first.choices[0].message, result)
    second = chat_model.generate(replace(request, messages=messages, api=api))  # type: ignore[arg-type]  # a table
    assert "5" in second.text


@every_api
def test_empty_assistant_messages_are_not_sent(chat_model: ChatModel, api: str) -> None:
    """An assistant message without content is skipped, since xAI rejects it."""
    request = replace(build_request("text", api, "grok-4.3"), stop=("H",))
    empty = chat_model.generate(request).choices[0].message
    assert not any(isinstance(part, TextPart) for part in empty.parts)
    messages = (*request.messages, empty, user_message("Once more?"))
    assert chat_model.generate(replace(request, messages=messages, stop=())).text


@pytest.mark.parametrize("api", ["messages", "responses"])
@pytest.mark.parametrize("change", ["nothing", "spacing", "arguments", "text", "fewer calls"])
def test_items_of_a_changed_message_are_not_sent(
    chat_model: ChatModel, emulator: Emulator, api: str, change: str
) -> None:
    """Items are sent only if they match the parts of the message."""
    request = build_request("calls", api, "grok-4.3")
    message = chat_model.generate(request).choices[0].message
    first, second = (part for part in message.parts if isinstance(part, ToolCallPart))
    changed: dict[str, tuple[Any, ...]] = {
        "nothing": (first, second),
        "spacing": (replace(first, arguments=first.arguments.replace(":", " : ")), second),
        "arguments": (replace(first, arguments='{"a": 77}'), second),
        "text": (TextPart("Let me see."), first, second),
        "fewer calls": (second,),
    }
    parts = changed[change]
    results = [
        Message("tool", (ToolResultPart(part.id, (TextPart("5"),)),))
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
    changed_message = replace(message, parts=parts)
    chat_model.generate(replace(request, messages=(*request.messages, changed_message, *results)))
    body = emulator.requests[1].body
    sent = str(body["input"] if api == "responses" else body["messages"])
    assert all(text in sent for text in {"arguments": ["77"], "text": ["Let me"]}.get(change, []))
    assert (first.id in sent) == (change != "fewer calls")
    items_sent = all(str(item) in sent for item in message.items)
    assert items_sent == (change in {"nothing", "spacing"})


# Parts of an assistant message, by a string that occurs in the request body if they are sent.
PARTS: dict[str, Any] = {
    "the text": TextPart("the text"),
    "the reasoning": ReasoningPart("the reasoning"),
    "the_call": ToolCallPart("c", "the_call", '{"a": 1}'),
    "the search": ServerToolPart("web_search_call", "ws", arguments="the search"),
    "the image": ImagePart("https://images/the image"),
}
SENT = {
    "chat_completions": {"the text", "the reasoning", "the_call"},
    "messages": {"the text", "the_call"},
    "responses": {"the text", "the_call"},
}


@every_api
def test_messages_of_another_api_are_sent_by_their_parts(
    chat_model: ChatModel, emulator: Emulator, api: str
) -> None:
    """Items of another API are not sent; the supported parts are."""
    previous = Message(
        "assistant", tuple(PARTS.values()), items=({"type": "secret"},), dialect="elsewhere"
    )
    result = Message("tool", (ToolResultPart("c", (TextPart("5"),)),))
    request = ChatRequest(
        model="grok-4.3",
        messages=(user_message("x"), previous, result),
        api=api,  # type: ignore[arg-type]  # a table
    )
    with pytest.warns(UserWarning, match=r"messages\[1\]: an image is not sent"):
        chat_model.generate(request)
    body = str(emulator.requests[0].body)
    assert {name for name in PARTS if name in body} == SENT[api]
    assert "secret" not in body
