"""Requests that are rejected are sent again in another form, for every caller that sent them."""

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
ANSWER = Message(
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
def test_reasoning_that_xai_cannot_decrypt_is_left_out(gateway: FakeServer, message: str) -> None:
    """The conversation goes on without it, after a change of the account's key."""

    def respond(request: Any) -> Any:
        if any(item.get("type") == "reasoning" for item in request.json["input"]):
            return json_reply(refused({"error": message}), 400)
        return json_reply(BODY)

    gateway.respond = respond
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO, ANSWER, HELLO))
    assert [response.text for response in sync_async.generate(model, request)] == ["ok", "ok"]
    assert gateway.requests[-1].json["input"][1] == OUTPUT
    gateway.respond = lambda _request: json_reply(refused({"error": message}), 400)
    with pytest.raises(BadRequestError):
        model.generate(ChatRequest(model="grok-4.7", messages=(HELLO,)))
    model.client.close()


@pytest.mark.parametrize(
    "kind", ["image_generation_call", "video_generation_call", "memory_call", "", None, 1, [], {}]
)
def test_items_that_xai_does_not_accept_as_input_are_left_out(
    gateway: FakeServer, kind: Any
) -> None:
    """An item of a type that xAI does not document as input does not end the conversation."""
    new = {"type": kind, "id": "n"}
    answer = replace(ANSWER, items=(REASONING, new, OUTPUT))
    message = "data did not match any variant of untagged enum ModelInput"

    def respond(request: Any) -> Any:
        if new in request.json["input"]:
            return json_reply(refused({"error": message}), 422)
        return json_reply(BODY)

    gateway.respond = respond
    model = create_model(gateway)
    request = ChatRequest(model="grok-4.7", messages=(HELLO, answer, HELLO))
    assert [response.text for response in sync_async.generate(model, request)] == ["ok", "ok"]
    sent = [item for item in gateway.requests[-1].json["input"] if item.get("role") != "user"]
    assert sent == [REASONING, OUTPUT]
    gateway.respond = lambda _request: json_reply(refused({"error": message}), 422)
    with pytest.raises(BadRequestError):
        model.generate(replace(request, messages=(HELLO, ANSWER, HELLO)))
    model.client.close()


@pytest.mark.parametrize("status", ["in_progress", "queued"])
def test_a_response_that_is_not_complete_is_an_error(gateway: FakeServer, status: str) -> None:
    """It is not returned as if it were, streamed or not."""
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
def test_encrypted_reasoning_is_sent_where_it_is_used(
    gateway: FakeServer, model: str, options: dict[str, Any], is_sent: bool
) -> None:
    """A model without reasoning, or a caller who does not use it, does not send it back."""
    gateway.respond = lambda _request: json_reply(BODY)
    chat_model = create_model(gateway)
    chat_model.generate(ChatRequest(model=model, messages=(HELLO, ANSWER, HELLO), **options))
    assert (REASONING in gateway.requests[-1].json["input"]) is is_sent
    chat_model.client.close()


def test_a_gateway_that_has_served_responses_is_not_given_up(gateway: FakeServer) -> None:
    """A later 404 of its front is an error; so is one that Chat Completions has too."""
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
    """A document as data has no form there: the error of the gateway is what the caller sees."""
    gateway.respond = lambda request: (
        json_reply({"error": "Not found"}, 404)
        if "/responses" in request.target
        else json_reply(COMPLETION)
    )
    model = create_model(gateway)
    document = FilePart(data="SGk=", mime_type="text/plain", filename="a.txt")
    asked = Message("user", (document,))
    with pytest.raises(NotFoundError):
        model.generate(ChatRequest(model="grok-4.7", messages=(asked,)))
    assert len(gateway.requests) == 1
    # In an earlier turn a note is sent instead of it, as with api="chat_completions".
    earlier = ChatRequest(model="grok-4.7", messages=(asked, ANSWER, HELLO))
    with pytest.warns(UserWarning, match="A note is sent instead"):
        assert model.generate(earlier).text == "ok"
    model.client.close()


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "highest", None)


@pytest.mark.parametrize("call", [sync_async.generate, sync_async.stream])
@pytest.mark.parametrize("field", ["reasoning_effort", "temperature"])
@pytest.mark.parametrize("api", ["responses", "chat_completions"])
@pytest.mark.parametrize("model", ["grok-4.3", "grok-4.5", "grok-4.6", "grok-4.7", "another"])
def test_the_hint_of_a_rejected_effort_lists_the_known_ones(
    gateway: FakeServer, model: str, api: Any, field: str, call: Any
) -> None:
    """The hint has the values of the profile, unless it is wrong or another field was rejected."""
    text = f"This model does not support '{field}' value 'x'"
    gateway.respond = lambda _: json_reply(refused({"error": text}), 400)
    known = get_profile(model).reasoning_efforts
    for effort in EFFORTS:
        request = ChatRequest(model=model, messages=[HELLO], reasoning_effort=effort, api=api)
        with pytest.raises(BadRequestError) as raised:
            call(create_model(gateway), request)
        hint = f"reasoning_effort of {model} is one of {', '.join(map(repr, known))}."
        is_listed = effort not in {None, *known} and known and field == "reasoning_effort"
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
