"""The Messages API: requests, errors, responses and streams."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator, ErrorInStream, Heartbeats

Send = Callable[..., httpx.Response]
Events = Callable[[str], list[Any]]
Json = dict[str, Any]
ADD: Json = {
    "name": "add",
    "description": "Adds numbers.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def text_of(body: Json) -> str:
    """Join the texts of a response."""
    return "".join(block["text"] for block in body["content"] if block["type"] == "text")


def test_response(send_messages: Send) -> None:
    """A response is a message with blocks, a stop reason, and Anthropic's usage."""
    body = result(send_messages("Say 'pong'"))
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert [block["type"] for block in body["content"]] == ["thinking", "text"]
    assert text_of(body) == "pong"
    assert body["content"][0]["signature"]
    assert body["stop_sequence"] is None


@for_each(
    ("model", "kinds"),
    [
        ("grok-3", ["text"]),
        ("grok-4", ["text"]),
        ("grok-4.3", ["thinking", "text"]),
        ("grok-4.6", ["thinking", "text"]),
    ],
)
def test_thinking(send_messages: Send, model: str, kinds: list[str]) -> None:
    """Only some models return reasoning."""
    assert [block["type"] for block in result(send_messages(model=model))["content"]] == kinds


def test_replaced_thinking(send_messages: Send) -> None:
    """Some models return a fixed text instead of the reasoning."""
    reasoning = [
        result(send_messages(text, model="grok-4.6"))["content"][0] for text in ("a", "b c d")
    ]
    assert reasoning[0]["thinking"] == reasoning[1]["thinking"]
    assert 180 < len(reasoning[0]["thinking"]) < 230
    assert reasoning[0]["signature"] != reasoning[1]["signature"]


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_system(send_messages: Send, system: Any) -> None:
    """The system prompt is a string or parts, and is counted."""
    usages = [result(send_messages(**extra))["usage"] for extra in ({}, {"system": system})]
    counts = [usage["input_tokens"] + usage["cache_read_input_tokens"] for usage in usages]
    assert counts[1] > counts[0]


def test_limit(send_messages: Send) -> None:
    """`max_tokens` truncates the text, and the stop reason is `max_tokens`."""
    body = result(send_messages("story", max_tokens=5))
    assert body["stop_reason"] == "max_tokens"
    assert body["usage"]["output_tokens"] > 5


def test_stop_sequences(send_messages: Send) -> None:
    """A stop sequence ends the text and is returned; reasoning models refuse it."""
    body = result(send_messages("Say 'a b c'", model="grok-3", stop_sequences=["z", " b"]))
    assert (text_of(body), body["stop_reason"], body["stop_sequence"]) == (
        "a",
        "stop_sequence",
        " b",
    )
    refused = send_messages(stop_sequences=["x"])
    assert refused.status_code == 400
    assert "not supported on this model: stop" in refused.text


def test_tool_use(send_messages: Send) -> None:
    """A tool call is a block with its input, and its result leads to a response."""
    body = result(send_messages("add 2 and 3", tools=[ADD]))
    call = body["content"][-1]
    assert (body["stop_reason"], call["type"], call["name"]) == ("tool_use", "tool_use", "add")
    assert call["input"] == {"a": 2, "b": 3}
    found = {"type": "tool_result", "tool_use_id": call["id"], "content": "5"}
    messages = [
        {"role": "user", "content": "add 2 and 3"},
        {"role": "assistant", "content": body["content"]},
        {"role": "user", "content": [found]},
    ]
    again = result(send_messages(messages=messages, tools=[ADD]))
    assert (again["stop_reason"], "The tools found: 5" in text_of(again)) == ("end_turn", True)


@pytest.mark.parametrize(
    ("choice", "prompt", "reason"),
    [
        ({"type": "auto"}, "Hello", "end_turn"),
        ({"type": "any"}, "Hello", "tool_use"),
        ({"type": "tool", "name": "add"}, "Hello", "tool_use"),
    ],
)
def test_tool_choice(send_messages: Send, choice: Json, prompt: str, reason: str) -> None:
    """A tool is called if the tool choice requires it."""
    body = result(send_messages(prompt, tools=[ADD], tool_choice=choice))
    assert body["stop_reason"] == reason


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/png", "data": DOT},
        {"type": "url", "url": "https://example.com/a.png"},
    ],
)
def test_images(send_messages: Send, source: Json) -> None:
    """Images are decoded and described."""
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    assert "I see 1 image" in text_of(result(send_messages(parts)))


def merged(events: list[Json]) -> Json:
    """Add the events up to a message."""
    message = dict(events[0]["message"])
    blocks: list[Json] = []
    for event in events[1:]:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
        if event["type"] == "content_block_delta":
            _add(blocks[event["index"]], event["delta"])
        if event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] = {**message["usage"], **event["usage"]}
    return {**message, "content": blocks}


def _add(block: Json, delta: Json) -> None:
    name = {
        "text_delta": "text",
        "thinking_delta": "thinking",
        "signature_delta": "signature",
        "input_json_delta": "partial_json",
    }[delta["type"]]
    if name == "partial_json":
        block["input"] = json.loads(delta[name])
    else:
        block[name] += delta[name]


REQUESTS: dict[str, Json] = {
    "reasoning": {},
    "no reasoning": {"model": "grok-3"},
    "veiled": {"model": "grok-4.6"},
    "call": {"prompt": "add 1 and 2", "tools": [ADD]},
    "limit": {"prompt": "story", "max_tokens": 3},
    "stop": {"model": "grok-3", "stop_sequences": ["How"]},
    "unicode": {"prompt": "你好\u2028 🎉"},
}


@for_each("name", [*REQUESTS])
def test_a_stream_adds_up_to_the_response(send_messages: Send, events: Events, name: str) -> None:
    """A stream adds up to the response without streaming and has its events in order."""
    found = events(send_messages(**REQUESTS[name], stream=True).text)
    plain = result(send_messages(**REQUESTS[name]))
    mine = merged(found)
    for body in (mine, plain):
        body.pop("id")
        for block in body["content"]:
            block.pop("id", None)
    assert mine == plain
    assert [found[0]["type"], found[-2]["type"], found[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


TURN: Json = {"role": "user", "content": "x"}
CALL: Json = {"type": "tool_use", "id": "1", "name": "add", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "1", "content": "5"}


@for_each(
    ("body", "status", "text"),
    [
        ({"model": "nope"}, 400, "Model not found: nope"),
        ({"model": "grok-beta"}, 404, "deprecated"),
        ({"model": "grok-imagine-image"}, 400, "does not support"),
        ({"max_tokens": None}, 422, "max_tokens: invalid type: null"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"messages": []}, 400, "must not be empty"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 422, "unknown variant `tool`"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "at least one content"),
        ({"messages": [{"role": "user", "content": 7}]}, 422, "untagged enum MessageContent"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, 422, "unknown variant"),
        ({"messages": [{"role": "user", "content": [CALL]}]}, 400, "tool_use is not allowed"),
        ({"messages": [{"role": "assistant", "content": [RESULT]}]}, 400, "tool_result is not"),
        ({"messages": [TURN, {"role": "assistant", "content": [CALL]}]}, 400, "No tool output"),
        ({"messages": [{"role": "user", "content": [RESULT]}]}, 400, "No tool call found"),
        (
            {"messages": [{"role": "assistant", "content": [{**CALL, "input": 7}]}]},
            400,
            "is not an object",
        ),
        ({"tools": [{"name": "add", "input_schema": {}}]}, 422, "missing field `description`"),
        (
            {"tools": [{**ADD, "input_schema": {"type": "object"}}]},
            422,
            "missing field `properties`",
        ),
        ({"tools": [ADD, ADD]}, 400, "duplicate tool names"),
        ({"tools": [ADD], "tool_choice": "auto"}, 422, "internally tagged enum"),
        ({"tools": [ADD], "tool_choice": {"type": "none"}}, 422, "unknown variant `none`"),
        ({"tools": [ADD], "tool_choice": {"type": "tool", "name": "x"}}, 400, "names no tool"),
        ({"tool_choice": {"type": "any"}}, 400, "no tools were specified"),
        ({"temperature": 3}, 400, "temperature"),
    ],
)
def test_refusals(send_messages: Send, body: Json, status: int, text: str) -> None:
    """Invalid requests get an error."""
    response = send_messages(**body)
    assert response.status_code == status, response.text
    assert text in response.json()["error"]["error"]


def test_ignored(gateway: Emulator, send_messages: Send) -> None:
    """Unknown fields are ignored and recorded."""
    send_messages(thinking={"type": "enabled"}, top_k=5, metadata={"user_id": "u"})
    assert gateway.requests[-1].ignored == ("thinking",)


def test_error_event(gateway: Emulator, send_messages: Send, events: Events) -> None:
    """An error in a stream has Anthropic's format."""
    gateway.inject(ErrorInStream(1, "busy", "overloaded_error", form="event"))
    found = events(send_messages(stream=True).text)
    error = {"type": "overloaded_error", "message": "busy"}
    assert (len(found), found[-1]) == (2, {"type": "error", "error": error})


def test_pings(gateway: Emulator, send_messages: Send, events: Events) -> None:
    """Heartbeats of a message are pings."""
    gateway.inject(Heartbeats(2))
    assert [event["type"] for event in events(send_messages(stream=True).text)[1:3]] == [
        "ping",
        "ping",
    ]
