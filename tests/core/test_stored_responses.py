"""Stored responses: which response is continued, and what happens if xAI does not have it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fake_server import TOKEN, Action, FakeServer, json_reply, sse_reply
from tests.core.test_stream_ends import APIS, COMPLETED, TEXT, blocks, sse
from tests.core.wire import refused
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.stored_responses import describe_stored, find_stored
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    ServerToolPart,
    StoredResponse,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest, has_content
from xai_lowcode.types.responses import ChatResponse

ID = "0b7c1d2e-stored"

# --- which response is continued ----------------------------------------------------------------

texts = st.builds(TextPart, st.text(max_size=3))
content = st.lists(
    texts
    | st.builds(ImagePart, st.sampled_from(["https://x.ai/a.png", "https://x.ai/b.png"]))
    | st.builds(FilePart, file_id=st.sampled_from(["f1", "f2"])),
    min_size=1,
    max_size=2,
).map(tuple)
calls = st.builds(
    ToolCallPart,
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["f", "g"]),
    st.dictionaries(st.text(max_size=2), st.integers(0, 2), max_size=2).map(json.dumps),
)
inputs = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), content),
    st.builds(
        lambda call_id, parts: Message("tool", (ToolResultPart(call_id, parts),)),
        st.sampled_from(["c1", "c2"]),
        content,
    ),
)
outputs = st.builds(
    lambda text, tool_calls: Message("assistant", (TextPart(text), *tool_calls)),
    st.text("abc", max_size=3),
    st.lists(calls, max_size=2),
)
conversations = (
    st.lists(inputs | outputs, min_size=1, max_size=4)
    .filter(lambda messages: all(map(has_content, [m for m in messages if m.role == "user"])))
    .filter(lambda messages: any(map(has_content, messages)))
)


def create_items(message: Message) -> list[dict[str, Any]]:
    """Return xAI's output items of a response."""
    items: list[dict[str, Any]] = [{"type": "reasoning", "id": "r", "summary": []}]
    for part in message.parts:
        if isinstance(part, TextPart):
            text = {"type": "output_text", "text": part.text}
            items.append({"type": "message", "role": "assistant", "content": [text]})
        if isinstance(part, ToolCallPart):
            call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
            items.append({"type": "function_call", **call})
    return items


def describe_response(
    messages: list[Message], response: Message, **options: Any
) -> StoredResponse | None:
    """Return how the response to a conversation is stored."""
    request = ChatRequest(**{"model": "grok-4.7", "messages": messages, "store": True, **options})
    return describe_stored(request, ID, "responses", create_items(response))


NEW_INPUT = Message("user", (TextPart("And?"),))


def create_results(message: Message) -> list[Message]:
    """Return the results of the tool calls of a response."""
    return [
        Message("tool", (ToolResultPart(part.id, (TextPart("1"),)),))
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]


@given(conversations, outputs)
def test_a_conversation_is_continued(messages: list[Message], response: Message) -> None:
    """A response is continued after what was sent with it."""
    stored_message = replace(response, stored=describe_response(messages, response))
    results = create_results(response)
    assert find_stored([*messages, stored_message, *results, NEW_INPUT]) == (ID, len(messages) + 1)
    # A tool call without a result is omitted, so the whole conversation is sent.
    for omitted in results:
        remaining = [result for result in results if result != omitted]
        assert find_stored([*messages, stored_message, *remaining, NEW_INPUT]) == ("", 0)
    # A request needs new input.
    assert find_stored([*messages, stored_message]) == ("", 0)


@given(conversations, outputs, conversations, outputs)
def test_another_conversation_is_not_continued(
    messages: list[Message], response: Message, others: list[Message], other: Message
) -> None:
    """A response is not continued after anything else, or if it was changed itself."""
    stored_message = replace(other, stored=describe_response(messages, response))
    is_same = [comparable(message) for message in (*messages, response)] == [
        comparable(message) for message in (*others, other)
    ]
    assert (
        find_stored([*others, stored_message, *create_results(other), NEW_INPUT])[0] == ID
    ) is is_same


def comparable(message: Message) -> Any:
    """Return role and parts of a message; the order of arguments has no meaning."""
    return message.role, [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCallPart) else part
        for part in message.parts
    ]


def test_changes_without_an_effect() -> None:
    """Reasoning, server-side tool calls, spacing and the order of arguments have no effect."""
    call = ToolCallPart("c", "f", '{"a": 1, "b": {"c": 2, "d": 3}}')
    response = Message("assistant", (TextPart(" Fine.\n"), call))
    stored = describe_response([NEW_INPUT], response)
    for parts in (
        (TextPart("Fine."), call),
        (ReasoningPart("Hm."), TextPart("Fine."), call),
        (ServerToolPart("web_search_call"), TextPart(" Fine."), call),
        (TextPart(" Fine.\n"), ToolCallPart("c", "f", '{"b":{"d":3,"c":2},"a":1}')),
    ):
        stored_message = Message("assistant", parts, stored=stored)
        assert find_stored([NEW_INPUT, stored_message, *create_results(stored_message)]) == (ID, 2)


def test_responses_that_are_not_stored() -> None:
    """Responses of other APIs and of ``store=False`` are not described."""
    request = ChatRequest(model="grok-4.7", messages=[NEW_INPUT], store=True)
    items = create_items(NEW_INPUT)
    assert describe_stored(request, ID, "messages", items) is None
    assert describe_stored(request, ID, "", ()) is None
    assert describe_stored(request, "", "responses", items) is None
    for store in (False, None):
        assert describe_stored(replace(request, store=store), ID, "responses", items) is None


# --- a response that xAI does not have ----------------------------------------------------------


def generate(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the response."""
    return model.generate(request)


def agenerate(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the response of the async method."""
    return asyncio.run(model.agenerate(request))


def stream(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the accumulated response of a stream."""
    accumulator = ResponseAccumulator()
    for event in model.stream(request):
        accumulator.add(event)
    return accumulator.build_response()


def astream(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the accumulated response of an async stream."""
    accumulator = ResponseAccumulator()

    async def read() -> None:
        async for event in model.astream(request):
            accumulator.add(event)

    asyncio.run(read())
    return accumulator.build_response()


Method = Callable[[ChatModel, ChatRequest], ChatResponse]
each_method = pytest.mark.parametrize("method", [generate, agenerate, stream, astream])

NOT_FOUND = {"code": "Some requested entity was not found", "error": f"Response {ID} not found."}
OPENAI = {
    "error": {
        "code": "previous_response_not_found",
        "message": f"Previous response with id '{ID}' not found.",
    }
}
NOT_FOUND_REPLIES: dict[str, Action] = {
    "404": json_reply(refused(NOT_FOUND), 404),
    "404 of xAI itself": json_reply(NOT_FOUND, 404),
    "404 without a reason": json_reply(refused({"error": "Not here."}), 404),
    "400 of OpenAI's format": json_reply(refused(OPENAI["error"]), 400),
    "400 that names the id": json_reply(refused({"error": f"Invalid id {ID}."}), 400),
    "403 of another account": json_reply(refused({"error": f"No access to {ID}."}), 403),
    "200 with an error": json_reply({**COMPLETED, "status": "failed", **OPENAI}),
}
OTHER_ERRORS: dict[str, Action] = {
    "400": json_reply(refused({"error": "Invalid arguments."}), 400),
    "401": json_reply(refused({"error": f"Invalid API key for {ID}"}), 401),
    "404 of the model": json_reply(refused({"error": "The model x does not exist"}), 404),
    "404 of the gateway": json_reply({"message": "Not found"}, 404),
    "429": json_reply(refused({"error": f"Too many requests for {ID}"}), 429),
    "500": json_reply(refused({"error": f"Response {ID} not found"}), 500),
}
QUESTION, NEXT_QUESTION = Message("user", (TextPart("One?"),)), Message("user", (TextPart("Two?"),))
REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
ENCRYPTED_REASONING = {**REASONING, "encrypted_content": "e"}
OUTPUT = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "One.", "annotations": []}],
}
RESPONSE = Message(
    "assistant",
    (TextPart("One."),),
    items=(REASONING, ENCRYPTED_REASONING, OUTPUT),
    dialect="responses",
)
CONTINUED = ChatRequest(
    model="grok-4.7",
    messages=(QUESTION, RESPONSE, NEXT_QUESTION),
    previous_response_id=ID,
    stored_messages=2,
)


def set_replies(gateway: FakeServer, first: Action) -> None:
    """Set the reply to requests that continue a response; others get a complete response."""

    def respond(request: Any) -> Action:
        if "previous_response_id" in request.json:
            return first
        if request.json.get("stream"):
            return sse_reply(blocks(APIS["responses"], len(APIS["responses"].events)))
        return json_reply(COMPLETED)

    gateway.respond = respond


def create_model(gateway: FakeServer) -> ChatModel:
    """Create a model without retries."""
    return ChatModel(Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0))


@each_method
@pytest.mark.parametrize("reason", NOT_FOUND_REPLIES)
def test_the_whole_conversation_is_sent_once(
    gateway: FakeServer, method: Method, reason: str
) -> None:
    """The whole conversation is sent, also without retries, and without reasoning references."""
    set_replies(gateway, NOT_FOUND_REPLIES[reason])
    model = create_model(gateway)
    for _ in range(2):  # The error is not recorded: the id may exist again.
        gateway.requests.clear()
        assert method(model, CONTINUED).text == TEXT
        first_body, second_body = (request.json for request in gateway.requests)
        assert first_body["input"] == [{"role": "user", "content": "Two?"}]
        assert [item.get("content", item.get("type")) for item in second_body["input"]] == [
            "One?", "reasoning", OUTPUT["content"], "Two?"
        ]  # fmt: skip
        assert second_body["input"][1] == ENCRYPTED_REASONING
        assert "previous_response_id" not in second_body
    model.client.close()


@pytest.mark.parametrize("method", [stream, astream])
def test_an_error_event_before_the_response(gateway: FakeServer, method: Method) -> None:
    """A stream that begins with the error is treated like the status 404."""
    event = {"type": "error", "code": "not_found", "message": f"Response {ID} not found."}
    set_replies(gateway, sse_reply([sse(event)]))
    model = create_model(gateway)
    assert method(model, CONTINUED).text == TEXT
    model.client.close()


@each_method
@pytest.mark.parametrize("reason", OTHER_ERRORS)
def test_other_errors_are_raised(gateway: FakeServer, method: Method, reason: str) -> None:
    """An error for another reason is raised after one request."""
    set_replies(gateway, OTHER_ERRORS[reason])
    model = create_model(gateway)
    with pytest.raises(XAILowCodeError):
        method(model, CONTINUED)
    assert len(gateway.requests) == 1
    model.client.close()


@each_method
def test_the_error_of_the_whole_conversation_is_raised(gateway: FakeServer, method: Method) -> None:
    """If the whole conversation fails too, its error is raised after two requests."""
    gateway.respond = lambda _request: NOT_FOUND_REPLIES["404"]
    model = create_model(gateway)
    with pytest.raises(XAILowCodeError, match="not found"):
        method(model, CONTINUED)
    assert len(gateway.requests) == 2
    model.client.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"stored_messages": 2},
        *({"previous_response_id": "r", "stored_messages": n} for n in (-1, 3)),
    ],
)
def test_invalid_numbers_of_stored_messages(fields: dict[str, Any]) -> None:
    """An id is required, and a request has new messages."""
    with pytest.raises(UsageError, match="stored_messages"):
        ChatRequest(model="grok-4.7", messages=(QUESTION, RESPONSE, NEXT_QUESTION), **fields)
