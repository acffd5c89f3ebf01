"""Stored responses in the core: what continues a conversation, and what happens if it is gone."""

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
    lambda text, made: Message("assistant", (TextPart(text), *made)),
    st.text("abc", max_size=3),
    st.lists(calls, max_size=2),
)
conversations = (
    st.lists(inputs | outputs, min_size=1, max_size=4)
    .filter(lambda messages: all(map(has_content, [m for m in messages if m.role == "user"])))
    .filter(lambda messages: any(map(has_content, messages)))
)


def items_of(message: Message) -> list[dict[str, Any]]:
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


def stored_as(messages: list[Message], response: Message, **options: Any) -> StoredResponse | None:
    """Return how the response to a conversation is stored."""
    request = ChatRequest(**{"model": "grok-4.7", "messages": messages, "store": True, **options})
    return describe_stored(request, ID, "responses", items_of(response))


MORE = Message("user", (TextPart("And?"),))


def results_of(message: Message) -> list[Message]:
    """Return the results of the tool calls of a response."""
    return [
        Message("tool", (ToolResultPart(part.id, (TextPart("1"),)),))
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]


@given(conversations, outputs)
def test_a_conversation_is_continued(messages: list[Message], response: Message) -> None:
    """A response is continued after what was sent with it."""
    answer = replace(response, stored=stored_as(messages, response))
    results = results_of(response)
    assert find_stored([*messages, answer, *results, MORE]) == (ID, len(messages) + 1)
    # A tool call without a result is left out, which takes the whole conversation.
    for missing in results:
        others = [result for result in results if result != missing]
        assert find_stored([*messages, answer, *others, MORE]) == ("", 0)
    # A request needs new input.
    assert find_stored([*messages, answer]) == ("", 0)


@given(conversations, outputs, conversations, outputs)
def test_another_conversation_is_not(
    messages: list[Message], response: Message, others: list[Message], other: Message
) -> None:
    """A response is not continued after anything else, or if it was changed itself."""
    answer = replace(other, stored=stored_as(messages, response))
    same = [said(message) for message in (*messages, response)] == [
        said(message) for message in (*others, other)
    ]
    assert (find_stored([*others, answer, *results_of(other), MORE])[0] == ID) is same


def said(message: Message) -> Any:
    """Return what a message says; the order of arguments has no meaning."""
    return message.role, [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCallPart) else part
        for part in message.parts
    ]


def test_what_a_store_may_change() -> None:
    """Reasoning, server-side tool calls, spacing and the order of arguments have no effect."""
    call = ToolCallPart("c", "f", '{"a": 1, "b": {"c": 2, "d": 3}}')
    response = Message("assistant", (TextPart(" Fine.\n"), call))
    stored = stored_as([MORE], response)
    for parts in (
        (TextPart("Fine."), call),
        (ReasoningPart("Hm."), TextPart("Fine."), call),
        (ServerToolPart("web_search_call"), TextPart(" Fine."), call),
        (TextPart(" Fine.\n"), ToolCallPart("c", "f", '{"b":{"d":3,"c":2},"a":1}')),
    ):
        answer = Message("assistant", parts, stored=stored)
        assert find_stored([MORE, answer, *results_of(answer)]) == (ID, 2)


def test_what_is_not_stored() -> None:
    """Responses of other APIs and of ``store=False`` are not described."""
    request = ChatRequest(model="grok-4.7", messages=[MORE], store=True)
    items = items_of(MORE)
    assert describe_stored(request, ID, "messages", items) is None
    assert describe_stored(request, ID, "", ()) is None
    assert describe_stored(request, "", "responses", items) is None
    for store in (False, None):
        assert describe_stored(replace(request, store=store), ID, "responses", items) is None


# --- a response that is gone --------------------------------------------------------------------


def plain(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the response."""
    return model.generate(request)


def aplain(model: ChatModel, request: ChatRequest) -> ChatResponse:
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


Way = Callable[[ChatModel, ChatRequest], ChatResponse]
each_way = pytest.mark.parametrize("way", [plain, aplain, stream, astream])

NOT_FOUND = {"code": "Some requested entity was not found", "error": f"Response {ID} not found."}
OPENAI = {
    "error": {
        "code": "previous_response_not_found",
        "message": f"Previous response with id '{ID}' not found.",
    }
}
GONE: dict[str, Action] = {
    "404": json_reply(refused(NOT_FOUND), 404),
    "404 of xAI itself": json_reply(NOT_FOUND, 404),
    "404 without a reason": json_reply(refused({"error": "Not here."}), 404),
    "400 of OpenAI's format": json_reply(refused(OPENAI["error"]), 400),
    "400 that names the id": json_reply(refused({"error": f"Invalid id {ID}."}), 400),
    "403 of another account": json_reply(refused({"error": f"No access to {ID}."}), 403),
    "200 with an error": json_reply({**COMPLETED, "status": "failed", **OPENAI}),
}
OTHER: dict[str, Action] = {
    "400": json_reply(refused({"error": "Invalid arguments."}), 400),
    "401": json_reply(refused({"error": f"Invalid API key for {ID}"}), 401),
    "404 of the model": json_reply(refused({"error": "The model x does not exist"}), 404),
    "404 of the gateway": json_reply({"message": "Not found"}, 404),
    "429": json_reply(refused({"error": f"Too many requests for {ID}"}), 429),
    "500": json_reply(refused({"error": f"Response {ID} not found"}), 500),
}
QUESTION, LATER = Message("user", (TextPart("One?"),)), Message("user", (TextPart("Two?"),))
BARE = {"type": "reasoning", "id": "rs_1", "summary": []}
ENCRYPTED = {**BARE, "encrypted_content": "e"}
SAID = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "One.", "annotations": []}],
}
ANSWER = Message(
    "assistant", (TextPart("One."),), items=(BARE, ENCRYPTED, SAID), dialect="responses"
)
CONTINUED = ChatRequest(
    model="grok-4.7",
    messages=(QUESTION, ANSWER, LATER),
    previous_response_id=ID,
    stored_messages=2,
)


def answers(gateway: FakeServer, first: Action) -> None:
    """Reply with this to requests that continue a response, and with a response to others."""

    def play(request: Any) -> Action:
        if "previous_response_id" in request.json:
            return first
        if request.json.get("stream"):
            return sse_reply(blocks(APIS["responses"], len(APIS["responses"].events)))
        return json_reply(COMPLETED)

    gateway.respond = play


def model_of(gateway: FakeServer) -> ChatModel:
    """Create a model without retries."""
    return ChatModel(Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0))


@each_way
@pytest.mark.parametrize("reason", GONE)
def test_the_whole_conversation_is_sent_once(gateway: FakeServer, way: Way, reason: str) -> None:
    """Also without retries; reasoning items that refer to the response are omitted."""
    answers(gateway, GONE[reason])
    model = model_of(gateway)
    for _ in range(2):  # Nothing is remembered: the id may exist again.
        gateway.requests.clear()
        assert way(model, CONTINUED).text == TEXT
        refused_body, sent = (request.json for request in gateway.requests)
        assert refused_body["input"] == [{"role": "user", "content": "Two?"}]
        assert [item.get("content", item.get("type")) for item in sent["input"]] == [
            "One?", "reasoning", SAID["content"], "Two?"
        ]  # fmt: skip
        assert sent["input"][1] == ENCRYPTED
        assert "previous_response_id" not in sent
    model.client.close()


@pytest.mark.parametrize("way", [stream, astream])
def test_an_error_event_before_the_response(gateway: FakeServer, way: Way) -> None:
    """A stream that begins with the error is treated like the status 404."""
    event = {"type": "error", "code": "not_found", "message": f"Response {ID} not found."}
    answers(gateway, sse_reply([sse(event)]))
    model = model_of(gateway)
    assert way(model, CONTINUED).text == TEXT
    model.client.close()


@each_way
@pytest.mark.parametrize("reason", OTHER)
def test_other_errors_are_raised(gateway: FakeServer, way: Way, reason: str) -> None:
    """An error for another reason is raised after one request."""
    answers(gateway, OTHER[reason])
    model = model_of(gateway)
    with pytest.raises(XAILowCodeError):
        way(model, CONTINUED)
    assert len(gateway.requests) == 1
    model.client.close()


@each_way
def test_the_error_of_the_whole_conversation_is_raised(gateway: FakeServer, way: Way) -> None:
    """If the whole conversation fails too, its error is raised after two requests."""
    gateway.respond = lambda _request: GONE["404"]
    model = model_of(gateway)
    with pytest.raises(XAILowCodeError, match="not found"):
        way(model, CONTINUED)
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
        ChatRequest(model="grok-4.7", messages=(QUESTION, ANSWER, LATER), **fields)
