"""Rejected requests are sent again without the rejected option, item or reasoning."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.core import sync_async
from tests.core.fake_server import TOKEN, FakeServer, json_reply
from tests.core.wire import refused
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.errors import (
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    StreamInterruptedError,
)
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import FilePart, Message, ReasoningPart, TextPart
from xai_lowcode.types.requests import ChatRequest

HELLO = Message("user", (TextPart("Hello"),))
OUTPUT = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "ok"}],
}
BODY = {"id": "r", "status": "completed", "model": "m", "output": [OUTPUT]}
COMPLETION = {"id": "c", "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}
REASONING = {"type": "reasoning", "summary": [], "encrypted_content": "abc"}
RESPONSE_MESSAGE = Message(
    "assistant",
    (ReasoningPart(""), TextPart("ok")),
    items=(REASONING, OUTPUT),
    dialect="responses",
)


def create_model(gateway: FakeServer) -> ChatModel:
    return ChatModel(Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0))


@pytest.mark.parametrize(
    "message",
    [
        "Argument not supported: include",
        "Unknown parameter: 'include'",
        "Invalid include value: reasoning.encrypted_content",
        "Argument not supported on this model: reasoning.encrypted_content",
        "Encrypted content is not supported with this model.",
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_concurrent_requests_are_all_sent_again(
    gateway: FakeServer, message: str, *, is_async: bool
) -> None:
    """Each request that had the rejected option is sent once more without it."""

    def respond(request: Any) -> Any:
        if "include" in request.json:
            return json_reply(refused({"error": message}), 400)
        return json_reply(BODY)

    gateway.respond = respond
    model = create_model(gateway)
    request = ChatRequest(model="some-model", messages=(HELLO,))

    async def run() -> list[str]:
        responses = await asyncio.gather(*(model.agenerate(request) for _ in range(8)))
        return [response.text for response in responses]

    if is_async:
        assert asyncio.run(run()) == ["ok"] * 8
    else:
        with ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(model.generate, request) for _ in range(8)]
            assert [call.result().text for call in calls] == ["ok"] * 8
    assert len(gateway.requests) <= 16
    model.client.close()


@pytest.mark.parametrize(
    "message",
    [
        "Could not decrypt the provided encrypted_content. Ensure the value is the unmodified one.",
        "Could not decode the compaction blob",
    ],
)
def test_reasoning_that_xai_cannot_decrypt_is_omitted(gateway: FakeServer, message: str) -> None:
    """The conversation continues without encrypted reasoning that xAI rejects."""

    def respond(request: Any) -> Any:
        if any(item.get("type") == "reasoning" for item in request.json["input"]):
            return json_reply(refused({"error": message}), 400)
        return json_reply(BODY)

    gateway.respond = respond
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO, RESPONSE_MESSAGE, HELLO))
    assert [response.text for response in sync_async.generate(model, request)] == ["ok", "ok"]
    assert gateway.requests[-1].json["input"][1] == OUTPUT
    gateway.respond = lambda _request: json_reply(refused({"error": message}), 400)
    with pytest.raises(BadRequestError):
        model.generate(ChatRequest(model="grok-4.7", messages=(HELLO,)))
    model.client.close()


@pytest.mark.parametrize(
    "item_type",
    ["image_generation_call", "video_generation_call", "memory_call", "", None, 1, [], {}],
)
def test_items_that_xai_rejects_as_input_are_omitted(gateway: FakeServer, item_type: Any) -> None:
    """The conversation continues without items of types that xAI does not accept as input."""
    unknown_item = {"type": item_type, "id": "n"}
    message_with_item = replace(RESPONSE_MESSAGE, items=(REASONING, unknown_item, OUTPUT))
    message = "data did not match any variant of untagged enum ModelInput"

    def respond(request: Any) -> Any:
        if unknown_item in request.json["input"]:
            return json_reply(refused({"error": message}), 422)
        return json_reply(BODY)

    gateway.respond = respond
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO, message_with_item, HELLO))
    assert [response.text for response in sync_async.generate(model, request)] == ["ok", "ok"]
    sent = [item for item in gateway.requests[-1].json["input"] if item.get("role") != "user"]
    assert sent == [REASONING, OUTPUT]
    gateway.respond = lambda _request: json_reply(refused({"error": message}), 422)
    with pytest.raises(BadRequestError):
        model.generate(replace(request, messages=(HELLO, RESPONSE_MESSAGE, HELLO)))
    model.client.close()


@pytest.mark.parametrize("status", ["in_progress", "queued"])
def test_an_incomplete_response_raises(gateway: FakeServer, status: str) -> None:
    """A response in progress raises an error, streamed or not."""
    gateway.respond = lambda _request: json_reply({**BODY, "status": status})
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO,))
    with pytest.raises(InvalidResponseError, match=status):
        model.generate(request)
    with pytest.raises(InvalidResponseError, match=status):
        asyncio.run(model.agenerate(request))
    with pytest.raises(StreamInterruptedError):
        list(model.stream(request))
    model.client.close()


@pytest.mark.parametrize(
    ("model", "options", "is_sent"),
    [
        ("grok-4.7", {}, True),
        ("grok-4.7", {"use_encrypted_content": False}, False),
        ("grok-4.7", {"use_encrypted_content": False, "store": True}, True),
        ("grok-4.20-0309-non-reasoning", {}, False),
    ],
)
def test_encrypted_reasoning_is_sent_if_it_is_used(
    gateway: FakeServer, model: str, options: dict[str, Any], is_sent: bool
) -> None:
    """Encrypted reasoning is not sent to a model without reasoning, or if it is disabled."""
    gateway.respond = lambda _request: json_reply(BODY)
    chat_model = create_model(gateway)
    chat_model.generate(
        ChatRequest(model=model, messages=(HELLO, RESPONSE_MESSAGE, HELLO), **options)
    )
    assert (REASONING in gateway.requests[-1].json["input"]) is is_sent
    chat_model.client.close()


def test_a_404_after_a_response_does_not_change_the_api(gateway: FakeServer) -> None:
    """A 404 after a successful response, or one of both APIs, is raised."""
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO,))
    gateway.respond = lambda _request: json_reply({"error": "Not found"}, 404)
    with pytest.raises(NotFoundError):
        model.generate(request)
    gateway.respond = lambda _request: json_reply(BODY)
    assert model.generate(request).text == "ok"
    gateway.respond = lambda _request: json_reply({"error": "Not found"}, 404)
    with pytest.raises(NotFoundError):
        model.generate(request)
    paths = [sent.target.partition("?")[0].rpartition("/v1/")[2] for sent in gateway.requests]
    assert paths == ["responses", "chat/completions", "responses", "responses"]
    model.client.close()


def test_the_first_error_is_raised_if_chat_completions_cannot_send_it(gateway: FakeServer) -> None:
    """Chat Completions does not support documents as data, so the gateway's error is raised."""
    gateway.respond = lambda request: (
        json_reply({"error": "Not found"}, 404)
        if "/responses" in request.target
        else json_reply(COMPLETION)
    )
    model = create_model(gateway)
    document = FilePart(data="SGk=", mime_type="text/plain", filename="a.txt")
    document_message = Message("user", (document,))
    with pytest.raises(NotFoundError):
        model.generate(ChatRequest(model="grok-4.7", messages=(document_message,)))
    assert len(gateway.requests) == 1
    # In an earlier message it is replaced by a note, as with api="chat_completions".
    later_request = ChatRequest(
        model="grok-4.7", messages=(document_message, RESPONSE_MESSAGE, HELLO)
    )
    with pytest.warns(UserWarning, match="A note is sent instead"):
        assert model.generate(later_request).text == "ok"
    model.client.close()


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "highest", None)


@pytest.mark.parametrize("call", [sync_async.generate, sync_async.stream])
@pytest.mark.parametrize("field", ["reasoning_effort", "temperature"])
@pytest.mark.parametrize("api", ["responses", "chat_completions"])
@pytest.mark.parametrize("model", ["grok-4.3", "grok-4.5", "grok-4.6", "grok-4.7", "another"])
def test_the_hint_of_a_rejected_effort_has_the_known_values(
    gateway: FakeServer, model: str, api: Any, field: str, call: Any
) -> None:
    """The hint has the values of the profile, unless it is wrong or another field was rejected."""
    text = f"This model does not support '{field}' value 'x'"
    gateway.respond = lambda _: json_reply(refused({"error": text}), 400)
    efforts = get_profile(model).reasoning_efforts
    for effort in EFFORTS:
        request = ChatRequest(model=model, messages=[HELLO], reasoning_effort=effort, api=api)
        with pytest.raises(BadRequestError) as raised:
            call(create_model(gateway), request)
        hint = f"reasoning_effort of {model} is one of {', '.join(map(repr, efforts))}."
        is_listed = effort not in {None, *efforts} and efforts and field == "reasoning_effort"
        assert raised.value.hint == (hint if is_listed else None)


@pytest.mark.parametrize("stream", [False, True])
def test_the_hint_of_a_rejected_effort_async(gateway: FakeServer, *, stream: bool) -> None:
    """The async methods have the hint too."""
    text = "This model does not support 'reasoning_effort' value 'minimal'"
    gateway.respond = lambda _: json_reply(refused({"error": text}), 400)
    request = ChatRequest(model="grok-4.3", messages=[HELLO], reasoning_effort="minimal")

    async def send() -> None:
        model = create_model(gateway)
        if not stream:
            await model.agenerate(request)
        async for _ in model.astream(request):
            pass

    with pytest.raises(BadRequestError, match="is one of 'none', 'low', 'medium', 'high'"):
        asyncio.run(send())
