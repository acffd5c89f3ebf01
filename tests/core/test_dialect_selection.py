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
from xai_lowcode.errors import BadRequestError, UsageError, XAILowCodeError
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
    ({}, "responses"),
    ({"api": "messages"}, "messages"),
    ({"api": "responses"}, "responses"),
    ({"api": "chat_completions"}, "chat/completions"),
    ({"deferred": True}, "chat/completions"),
    ({"n": 2}, "chat/completions"),
    ({"n": 1}, "responses"),
    # Reasoning models reject these; others support them over Chat Completions only.
    ({"stop": ("x",)}, "responses"),
    ({"presence_penalty": 1}, "responses"),
    ({"model": MODEL, "stop": ("x",)}, "chat/completions"),
    ({"model": MODEL, "presence_penalty": 1}, "chat/completions"),
    ({"model": MODEL, "frequency_penalty": 0}, "responses"),
    ({"model": MODEL, "stop": ("x",), "prompt_cache_key": "k"}, "responses"),
    ({"model": MODEL, "stop": ("x",), "server_tools": (ServerTool("web_search"),)}, "responses"),
    ({"server_tools": (ServerTool("web_search"),)}, "responses"),
    ({"store": False}, "responses"),
    ({"previous_response_id": "r"}, "responses"),
    ({"model": "grok-4.20-multi-agent-0309"}, "responses"),
    ({"messages": (Message("user", (TEXT_FILE,)),)}, "responses"),
    ({"messages": (CALL, Message("tool", (ToolResultPart("c", (TEXT_FILE,)),)))}, "responses"),
    ({"messages": (HELLO, ASSISTANT, HELLO)}, "responses"),
    ({"messages": (HELLO, ASSISTANT, HELLO), "n": 2}, "chat/completions"),
    ({"messages": (HELLO, ASSISTANT, HELLO), "api": "messages"}, "messages"),
]


@pytest.mark.parametrize(("options", "path"), SELECTIONS)
def test_the_api_is_selected_by_the_request(
    gateway: FakeServer, model: ChatModel, options: dict[str, Any], path: str
) -> None:
    """The API that is set is used, else Responses unless only Chat Completions can serve it."""
    gateway.respond = lambda _request: json_reply(refused({"error": "seen"}), 400)
    request = ChatRequest(**{"model": "grok-4.7", "messages": (HELLO,), **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(BadRequestError, match="seen"):
            sync_async.generate(model, request)
        with pytest.raises(BadRequestError, match="seen"):
            sync_async.stream(model, request)
    assert {request.target.partition("?")[0] for request in gateway.requests} == {f"/xai/v1/{path}"}


# Status and body of errors of a gateway, or of xAI behind it, that does not serve Responses; and
# whether that holds for all models.
NOT_SERVED: list[tuple[int, Any, bool]] = [
    (404, "Cannot POST /xai/v1/responses", True),
    (404, {"error": "Not found"}, True),
    (405, {"error": "Method not allowed"}, True),
    (422, refused({"error": "Failed to deserialize the JSON body: missing field `input`"}), True),
    (400, refused({"code": "400", "error": "input is required"}), True),
    (400, refused({"error": "Missing required parameter: 'input'."}), True),
    (
        422,
        refused({"error": "Failed to deserialize the JSON body: missing field `messages`"}),
        True,
    ),
    (400, refused({"error": "Unrecognized request argument supplied: input"}), True),
    (400, refused({"error": "Unknown parameter: 'input'."}), True),
    (422, {"detail": [{"loc": ["body", "input"], "msg": "Field required"}]}, True),
    (501, {"error": "Not implemented"}, True),
    (400, refused({"error": "Unknown endpoint: responses"}), False),
    (400, refused({"error": "This model only supports chat/completions"}), False),
    (400, refused({"error": "Model x is not supported by the Responses API."}), False),
    (400, refused({"error": "Not supported: use /v1/chat/completions with this model."}), False),
]


@pytest.mark.parametrize(("status", "body", "all_models"), NOT_SERVED)
@pytest.mark.parametrize("streamed", [False, True])
def test_chat_completions_replaces_responses(
    gateway: FakeServer,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: Any,
    all_models: bool,
    streamed: bool,
) -> None:
    """Without Responses the request is sent over Chat Completions, by all later clients at once."""

    def respond(request: Any) -> Any:
        if "/responses" in request.target:
            return json_reply(body, status)
        return sse_reply(STREAM_FORMATS["live"]) if streamed else json_reply(BODY)

    gateway.respond = respond
    settings = Settings.create(
        api_token=TOKEN, base_url=gateway.base_url, max_retries=0, url_format="new"
    )
    caplog.set_level("INFO", logger="xai_lowcode")
    for name in ("grok-4.7", "grok-4.7", "grok-4.3"):
        request = ChatRequest(model=name, messages=(HELLO,))
        model = ChatModel(settings)
        responses = (
            sync_async.stream(model, request) if streamed else sync_async.generate(model, request)
        )
        assert [_to_response(response) for response in responses] == [RESPONSE, RESPONSE]
        model.client.close()
    paths = [sent.target.partition("?")[0].rpartition("/")[2] for sent in gateway.requests]
    others = ["completions"] if all_models else ["responses", "completions"]
    assert paths == ["responses", *["completions"] * 4, *others, "completions"]
    messages = [record.getMessage() for record in caplog.records if "Responses" in record.message]
    assert len(messages) == (1 if all_models else 2)
    assert all(TOKEN not in message for message in messages)


@pytest.mark.parametrize(
    "options",
    [
        {"api": "responses"},
        {"server_tools": (ServerTool("web_search"),)},
        {"previous_response_id": "r"},
        {"store": True},
        {"include": ("web_search_call.action.sources",)},
        {"max_turns": 2},
    ],
)
def test_a_request_that_needs_responses_fails_without(
    gateway: FakeServer, model: ChatModel, options: dict[str, Any]
) -> None:
    """What Chat Completions cannot do is not sent there."""
    gateway.respond = lambda _request: json_reply({"error": "Method not allowed"}, 405)
    request = ChatRequest(model="grok-4.7", messages=(HELLO,), **options)
    with pytest.raises(BadRequestError, match="Method not allowed"):
        sync_async.generate(model, request)
    assert all("/responses" in sent.target for sent in gateway.requests)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, refused({"error": "Model not found: x", "code": "invalid-argument"})),
        (404, refused({"error": "The model x does not exist", "code": "not-found"})),
        (404, refused({"error": "File file_1 was not found"})),
        (422, refused({"error": "Invalid type of field `input`"})),
        (400, refused({"error": "Image inputs are not supported"})),
        (400, refused({"error": "Images are not supported in tool responses"})),
        (400, refused({"error": "Structured responses are not supported by this model"})),
        (400, refused({"error": "Streaming responses are not supported"})),
        (404, {"error": "Resource not found."}),
        (404, {"message": "Image not found"}),
        (404, {"message": "model grok-9 not available"}),
        (500, {"error": "Responses are not supported right now"}),
        (503, {"error": "The Responses API is not available"}),
    ],
)
def test_other_errors_are_raised(
    gateway: FakeServer, model: ChatModel, status: int, body: Any
) -> None:
    """An error that Chat Completions would return too is not sent again."""
    gateway.respond = lambda _request: json_reply(body, status)
    with pytest.raises(XAILowCodeError):
        sync_async.generate(model, ChatRequest(model="grok-4.7", messages=(HELLO,)))
    assert all("/responses" in sent.target for sent in gateway.requests)


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

    def respond(request: Any) -> Any:
        if key in request.json:
            return json_reply(refused({"code": "invalid-argument", "error": error_message}), 400)
        return sse_reply(STREAM_FORMATS["live"]) if streamed else json_reply(BODY)

    gateway.respond = respond
    request = ChatRequest(model=MODEL, messages=(HELLO,), api="chat_completions", **{option: value})
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

    def respond(request: Any) -> Any:
        bad = request.json["model"] == "a" and "temperature" in request.json
        return json_reply(refused({"error": error_message}), 400) if bad else json_reply(BODY)

    gateway.respond = respond
    with pytest.warns(UserWarning, match="temperature: not supported by a;"):
        model.generate(
            ChatRequest(model="a", messages=(HELLO,), api="chat_completions", temperature=1)
        )
    model.generate(ChatRequest(model="b", messages=(HELLO,), api="chat_completions", temperature=1))
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
    request = ChatRequest(model=MODEL, messages=(HELLO,), api="chat_completions", temperature=0.5)
    with pytest.raises(BadRequestError, match=error_message):
        sync_async.stream(model, request) if streamed else sync_async.generate(model, request)
    assert len(gateway.requests) in {1, 2}
    assert len({json.dumps(sent.json) for sent in gateway.requests}) == 1


def test_a_repeated_rejection_raises(gateway: FakeServer, model: ChatModel) -> None:
    """A rejection of an option that was not sent raises instead of being retried."""
    error_message = "Argument not supported on this model: temperature"
    gateway.respond = lambda _request: json_reply(refused({"error": error_message}), 400)
    request = ChatRequest(model=MODEL, messages=(HELLO,), api="chat_completions", temperature=0.5)
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


@pytest.mark.parametrize("api", ["auto", "responses"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("stop", [(), ("zzz",)])
def test_a_chat_completion_is_parsed(
    gateway: FakeServer, model: ChatModel, api: Any, streamed: bool, stop: tuple[str, ...]
) -> None:
    """A gateway or mock server may answer a request over Responses with a chat completion."""
    request = ChatRequest(model="grok-4.7", messages=(HELLO,), api=api, stop=stop)
    texts = STREAM_FORMATS.values() if streamed else [json.dumps(BODY)]
    for text in texts:
        gateway.respond = lambda _request, text=text: (
            sse_reply(text) if streamed else json_reply(json.loads(text))
        )
        responses = (
            sync_async.stream(model, request) if streamed else sync_async.generate(model, request)
        )
        assert [_to_response(response) for response in responses] == [RESPONSE, RESPONSE]
    assert all("/responses" in sent.target for sent in gateway.requests)
