"""A chat model selects the API of a request and drops options that a model rejects."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core import sync_async
from tests.core.fake_server import TOKEN, FakeServer, json_reply, sse_reply
from tests.core.test_stream_reader import BODY, RESPONSE, STREAM_FORMATS
from tests.core.wire import refused
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import running
from xai_lowcode.errors import BadRequestError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import FilePart, Message, TextPart, ToolCallPart, ToolResultPart
from xai_lowcode.types.requests import ChatRequest, ServerTool

MODEL = "grok-4.20-0309-non-reasoning"
HELLO = Message("user", (TextPart("Hello"),))
TEXT_FILE = FilePart(data="SGk=", mime_type="text/plain", filename="a.txt")
CALL = Message("assistant", (ToolCallPart("c", "read", "{}"),))
ASSISTANT = Message(
    "assistant", (TextPart("x"),), items=({"type": "message"},), dialect="responses"
)


@pytest.fixture
def model(gateway: FakeServer) -> Iterator[ChatModel]:
    """Return a model that is connected to the loopback server."""
    chat_model = ChatModel(
        Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0)
    )
    yield chat_model
    chat_model.client.close()


SELECTIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "chat/completions"),
    ({"api": "messages"}, "messages"),
    ({"api": "responses"}, "responses"),
    ({"api": "chat_completions"}, "chat/completions"),
    ({"server_tools": (ServerTool("web_search"),)}, "responses"),
    ({"store": False}, "responses"),
    ({"include": ("reasoning.encrypted_content",)}, "responses"),
    ({"previous_response_id": "r"}, "responses"),
    ({"reasoning_summary": "auto"}, "responses"),
    ({"max_turns": 2}, "responses"),
    ({"model": "grok-4.20-multi-agent-0309"}, "responses"),
    ({"messages": (Message("user", (TEXT_FILE,)),)}, "responses"),
    ({"messages": (CALL, Message("tool", (ToolResultPart("c", (TEXT_FILE,)),)))}, "responses"),
    ({"messages": (HELLO, ASSISTANT, HELLO)}, "responses"),
    ({"messages": (HELLO, ASSISTANT, HELLO), "n": 2}, "chat/completions"),
    ({"messages": (HELLO, ASSISTANT, HELLO), "api": "messages"}, "messages"),
    (
        {"messages": (Message("user", (FilePart(url="https://a/b.pdf"),)),)},
        "chat/completions",
    ),
]


@pytest.mark.parametrize(("options", "path"), SELECTIONS)
def test_the_api_is_selected_by_the_request(
    gateway: FakeServer, model: ChatModel, options: dict[str, Any], path: str
) -> None:
    """The API that is set is used, else Chat Completions if it supports the request."""
    gateway.respond = lambda _request: json_reply(refused({"error": "seen"}), 400)
    request = ChatRequest(**{"model": "grok-4.7", "messages": (HELLO,), **options})
    with pytest.raises(BadRequestError, match="seen"):
        sync_async.generate(model, request)
    with pytest.raises(BadRequestError, match="seen"):
        sync_async.stream(model, request)
    assert {request.target.partition("?")[0] for request in gateway.requests} == {f"/xai/v1/{path}"}


@pytest.mark.parametrize("api", ["chat_completions", "messages"])
def test_an_api_that_is_set_is_not_replaced(model: ChatModel, api: Any) -> None:
    """An option that the API does not support raises an error that names the field."""
    request = ChatRequest(model="grok-4.7", messages=(HELLO,), api=api, store=True)
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="responses") as raised:
            call(request)
        assert raised.value.field == "store"


# Option, value, xAI's name in the error message, key in the request body.
REJECTED: list[tuple[str, Any, str, str]] = [
    ("stop", ["zzz"], "stop", "stop"),
    ("temperature", 0.5, "temperature", "temperature"),
    ("max_tokens", 9, "maxCompletionTokens", "max_completion_tokens"),
    ("logprobs", True, "logprobs", "logprobs"),
    ("user", "u", "user", "user"),
]


@pytest.mark.parametrize(("option", "value", "name_in_error", "key"), REJECTED)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_rejected_option_is_dropped(
    gateway: FakeServer,
    model: ChatModel,
    option: str,
    value: Any,
    name_in_error: str,
    key: str,
    streamed: bool,
) -> None:
    """An option that the model rejects is dropped in a retry and in later requests."""
    error_message = f"Argument not supported on this model: {name_in_error}"

    def play(request: Any) -> Any:
        if key in request.json:
            return json_reply(refused({"code": "invalid-argument", "error": error_message}), 400)
        return sse_reply(STREAM_FORMATS["live"]) if streamed else json_reply(BODY)

    gateway.respond = play
    request = ChatRequest(model=MODEL, messages=(HELLO,), **{option: value})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(2):
            responses = (
                sync_async.stream(model, request)
                if streamed
                else sync_async.generate(model, request)
            )
            assert [_to_response(response) for response in responses] == [RESPONSE, RESPONSE]
    assert [key in sent.json for sent in gateway.requests] == [True, *[False] * 4]
    # Stop sequences are applied client-side, without a warning.
    assert [f"{option}: not supported by" in str(warning.message) for warning in warned] == [
        True
    ] * (option != "stop")


def test_rejected_options_are_recorded_by_model(gateway: FakeServer, model: ChatModel) -> None:
    """The option is still sent to other models."""
    error_message = "Argument not supported on this model: temperature"

    def play(request: Any) -> Any:
        bad = request.json["model"] == "a" and "temperature" in request.json
        return json_reply(refused({"error": error_message}), 400) if bad else json_reply(BODY)

    gateway.respond = play
    with pytest.warns(UserWarning, match="temperature: not supported by a;"):
        model.generate(ChatRequest(model="a", messages=(HELLO,), temperature=1))
    model.generate(ChatRequest(model="b", messages=(HELLO,), temperature=1))
    assert ["temperature" in sent.json for sent in gateway.requests] == [True, False, True]


@pytest.mark.parametrize(
    "error_message",
    [
        "Argument not supported on this model: responseFormat",
        "Argument not supported on this model: seed",
        "Invalid arguments passed to the model.",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_other_rejections_are_not_retried(
    gateway: FakeServer, model: ChatModel, error_message: str, streamed: bool
) -> None:
    """A rejected option that was not set, or that must not be dropped, raises at once."""
    gateway.respond = lambda _request: json_reply(refused({"error": error_message}), 400)
    request = ChatRequest(model=MODEL, messages=(HELLO,), temperature=0.5)
    with pytest.raises(BadRequestError, match=error_message):
        sync_async.stream(model, request) if streamed else sync_async.generate(model, request)
    assert len(gateway.requests) in {1, 2}
    assert len({json.dumps(sent.json) for sent in gateway.requests}) == 1


def test_a_repeated_rejection_raises(gateway: FakeServer, model: ChatModel) -> None:
    """A rejection of an option that was not sent raises instead of being retried."""
    error_message = "Argument not supported on this model: temperature"
    gateway.respond = lambda _request: json_reply(refused({"error": error_message}), 400)
    request = ChatRequest(model=MODEL, messages=(HELLO,), temperature=0.5)
    with pytest.raises(BadRequestError), pytest.warns(UserWarning, match="not supported by"):
        model.generate(request)
    assert ["temperature" in sent.json for sent in gateway.requests] == [True, False]


def test_the_multi_agent_model() -> None:
    """The model is served by Responses only, and max_tokens is dropped with a warning."""
    with running() as gateway:
        connection = {"api_token": gateway.api_token, "base_url": gateway.base_url}
        model = ChatModel(Settings.create(**connection))
        name = "grok-4.20-multi-agent-0309"
        with pytest.warns(UserWarning, match="max_tokens"):
            response = model.generate(ChatRequest(model=name, messages=(HELLO,), max_tokens=50))
    assert (response.api, bool(response.text)) == ("responses", True)


def _to_response(response: Any) -> Any:
    if not isinstance(response, list):
        return response
    accumulator = ResponseAccumulator()
    for event in response:
        accumulator.add(event)
    return accumulator.build_response()
