"""Tools with a name that xAI reserves are sent under another name, which callers do not see."""

import json
from typing import Any

import httpx
import pytest

from tests.core import sync_async
from tests.core.clients import emulator_settings
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator, Refuse, Reply
from xai_lowcode.errors import BadRequestError
from xai_lowcode.types.messages import Message, TextPart, ToolCallPart, ToolResultPart
from xai_lowcode.types.requests import Api, ChatRequest, NamedTool, ToolSpec
from xai_lowcode.types.responses import ChatResponse

APIS: list[Api] = ["responses", "chat_completions", "messages"]
TOOLS = ("web_search", "tool_search", "web_search_tool", "fetch")
USER = Message.from_text("user", "Find 'x'")


def create_model(emulator: Emulator) -> ChatModel:
    return ChatModel(emulator_settings(emulator, max_retries=0))


def create_request(api: Api, *messages: Message, **options: Any) -> ChatRequest:
    tools = tuple(map(ToolSpec, TOOLS))
    return ChatRequest(
        model="grok-4.3", messages=(USER, *messages), tools=tools, api=api, **options
    )


def get_responses(model: ChatModel, request: ChatRequest) -> list[ChatResponse]:
    """Return the responses of all four methods."""
    responses = [*sync_async.generate(model, request)]
    for events in sync_async.stream(model, request):
        accumulator = ResponseAccumulator()
        for event in events:
            accumulator.add(event)
        responses.append(accumulator.build_response())
    return responses


def get_tool_names(body: Any) -> list[str]:
    return [tool.get("name") or tool["function"]["name"] for tool in body["tools"]]


@pytest.mark.parametrize("api", APIS)
def test_callers_see_their_own_names(emulator: Emulator, api: Api) -> None:
    """No reserved name is sent, names stay unique, and calls have the caller's names."""
    model = create_model(emulator)
    sent = ["web_search_tool_", "tool_search_tool", "web_search_tool", "fetch"]
    for own, name in zip(TOOLS, sent, strict=True):
        emulator.reset()
        emulator.reply(*[Reply("I look.", tool_calls=[(name, {})])] * 4)
        request = create_request(api, tool_choice=NamedTool(own))
        for response in get_responses(model, request):
            assert [call.name for call in response.choices[0].tool_calls] == [own]
        for recorded in emulator.requests:
            assert get_tool_names(recorded.body) == sent
            assert name in json.dumps(recorded.body["tool_choice"])
    model.client.close()


@pytest.mark.parametrize("api", APIS)
def test_responses_can_be_sent_back(emulator: Emulator, api: Api) -> None:
    """Calls in the history have the sent names, and output items are sent back unchanged."""
    model = create_model(emulator)
    emulator.reply(*[Reply("I look.", tool_calls=[("tool_search_tool", {})])] * 4, *["ok"] * 4)
    for response in get_responses(model, create_request(api)):
        choice = response.choices[0]
        call = choice.tool_calls[0]
        answer = Message("assistant", choice.parts, items=choice.items, dialect=choice.dialect)
        result = Message("tool", (ToolResultPart(call.id, (TextPart("found"),)),))
        model.generate(create_request(api, answer, result))
        text = json.dumps(emulator.requests[-1].body)
        assert '"tool_search"' not in text
        assert all(json.dumps(item)[1:-1] in text for item in choice.items)
    model.client.close()


@pytest.mark.parametrize("api", APIS)
def test_histories_without_items(emulator: Emulator, api: Api) -> None:
    """Calls of other providers' models are renamed with the tools."""
    model = create_model(emulator)
    calls = tuple(ToolCallPart(name, name, "{}") for name in TOOLS)
    results = (Message("tool", (ToolResultPart(name, (TextPart("x"),)),)) for name in TOOLS)
    model.generate(create_request(api, Message("assistant", calls), *results))
    text = json.dumps(emulator.requests[-1].body)
    assert '"name": "web_search"' not in text
    assert text.count('"name": "web_search_tool_"') == 2
    model.client.close()


@pytest.mark.parametrize(
    "error",
    [
        "The function name fetch is reserved for the fetch tool",
        'custom function name "fetch" is reserved',
    ],
)
def test_other_names_are_learned(emulator: Emulator, error: str) -> None:
    """A name that xAI rejects as reserved is replaced, in this request and in later ones."""
    model = create_model(emulator)
    emulator.inject(Refuse(400, error))
    sync_async.generate(model, create_request("responses"))
    names = [get_tool_names(request.body)[-1] for request in emulator.requests]
    assert names == ["fetch", "fetch_tool", "fetch_tool"]
    emulator.inject(Refuse(400, error))
    with pytest.raises(BadRequestError, match="reserved"):
        model.generate(create_request("responses"))
    model.client.close()


@pytest.mark.parametrize("api", APIS)
def test_the_emulator_reserves_the_name(emulator: Emulator, api: Api) -> None:
    """The emulator refuses a tool with a name that xAI refuses."""
    model = create_model(emulator)
    model.generate(create_request(api))
    sent = emulator.requests[-1]
    body = json.loads(json.dumps(sent.body).replace("tool_search_tool", "tool_search"))
    url = f"{emulator.base_url}{sent.path.removeprefix('/xai')}"
    response = httpx.post(url, params={"api_token": emulator.api_token}, json=body)
    assert response.status_code == 400
    assert "is reserved" in response.text
    model.client.close()
