"""Chat streams: their chunks, and that they add up to the response without streaming."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.cases import for_each

Send = Callable[..., httpx.Response]
Chunks = Callable[[str], list[Any]]
Json = dict[str, Any]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
        },
    }
    for name in ("add", "multiply")
]
REQUESTS: dict[str, Json] = {
    "text": {"model": "grok-3"},
    "hidden reasoning": {"model": "grok-4"},
    "visible reasoning": {"model": "grok-4.3"},
    "one call": {"model": "grok-4", "prompt": "add 1", "tools": TOOLS},
    "calls": {"model": "grok-3-mini", "prompt": "add and multiply", "tools": TOOLS},
    "limited": {"model": "grok-4", "max_tokens": 2},
    "choices": {"model": "grok-3", "n": 3},
    "unicode": {"model": "grok-4.3", "prompt": "你好\u2028line 🎉"},
}


def merged(found: list[Any]) -> list[Json]:
    """Add the chunks up to choices."""
    choices: dict[int, Json] = {}
    for chunk in found[:-1]:
        for part in chunk["choices"]:
            whole = choices.setdefault(part["index"], {"index": part["index"], "message": {}})
            _add(whole["message"], part["delta"])
            if "finish_reason" in part:
                whole["finish_reason"] = part["finish_reason"]
    return [choices[index] for index in sorted(choices)]


def _add(message: Json, delta: Json) -> None:
    for name in ("content", "reasoning_content"):
        if name in delta:
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls", []):
        calls = message.setdefault("tool_calls", [])
        assert call["index"] == len(calls)
        calls.append({key: value for key, value in call.items() if key != "index"})
    if "role" in delta:
        assert "role" not in message
        message["role"] = delta["role"]


@for_each("name", [*REQUESTS])
def test_chunks_add_up_to_the_response(send_chat: Send, chunks: Chunks, name: str) -> None:
    """The chunks add up to the response without streaming."""
    request = REQUESTS[name]
    plain = send_chat(**request).json()["result"]["choices"]
    for choice in plain:
        del choice["message"]["refusal"]
        for call in choice["message"].get("tool_calls", []):
            call.pop("id")
    streamed = merged(chunks(send_chat(**request, stream=True).text))
    for choice in streamed:
        choice["message"].setdefault("content", "")
        for call in choice["message"].get("tool_calls", []):
            assert call.pop("id").startswith("call_")
    assert streamed == plain


@for_each("name", [*REQUESTS])
def test_fields_of_each_chunk(send_chat: Send, chunks: Chunks, name: str) -> None:
    """Every chunk repeats id, created, model and fingerprint; `[DONE]` comes once and last."""
    found = chunks(send_chat(**REQUESTS[name], stream=True).text)
    assert found.count("[DONE]") == 1
    assert found[-1] == "[DONE]"
    for fact in ("id", "created", "model", "system_fingerprint"):
        assert len({chunk[fact] for chunk in found[:-1]}) == 1
    assert {chunk["object"] for chunk in found[:-1]} == {"chat.completion.chunk"}


@for_each("name", [*REQUESTS])
def test_usage_chunk(send_chat: Send, chunks: Chunks, name: str) -> None:
    """Usage is in one chunk without choices, and only if requested."""
    request = REQUESTS[name]
    asked = chunks(send_chat(**request, stream=True, stream_options={"include_usage": True}).text)
    assert asked[-2]["choices"] == []
    assert asked[-2]["usage"] == send_chat(**request).json()["result"]["usage"]
    for found in (asked[:-2], chunks(send_chat(**request, stream=True).text)[:-1]):
        assert all("usage" not in chunk for chunk in found)


def test_hidden_reasoning_sends_empty_deltas(send_chat: Send, chunks: Chunks) -> None:
    """A model that hides its reasoning sends the role and then empty deltas."""
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(send_chat(stream=True).text)[:-1]]
    assert deltas[0] == {"role": "assistant"}
    assert deltas[1:4] == [{}, {}, {}]
    text = [index for index, delta in enumerate(deltas) if "content" in delta]
    assert text[0] > 3


def test_reasoning_before_content(send_chat: Send, chunks: Chunks) -> None:
    """Visible reasoning precedes the text."""
    found = chunks(send_chat(model="grok-4.3", stream=True).text)[:-1]
    kinds = [key for chunk in found for key in chunk["choices"][0]["delta"] if key != "role"]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"reasoning_content", "content"}


def test_tool_calls_are_in_one_chunk(send_chat: Send, chunks: Chunks) -> None:
    """Each tool call is in one chunk with its index, and only the finish reason follows."""
    found = chunks(send_chat(**REQUESTS["calls"], stream=True).text)[:-1]
    calls = [chunk["choices"][0]["delta"]["tool_calls"] for chunk in found[-3:-1]]
    assert [[call["index"] for call in one] for one in calls] == [[0], [1]]
    assert found[-1]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "tool_calls"}


def test_choices_are_interleaved(send_chat: Send, chunks: Chunks) -> None:
    """The chunks of several choices are interleaved."""
    found = chunks(send_chat(**REQUESTS["choices"], stream=True).text)[:-1]
    assert [chunk["choices"][0]["index"] for chunk in found[:6]] == [0, 1, 2, 0, 1, 2]


def test_logprobs(send_chat: Send, chunks: Chunks) -> None:
    """Each chunk of text has its own log probability."""
    found = chunks(send_chat(model="grok-3", logprobs=True, stream=True).text)[:-2]
    for chunk in found:
        choice = chunk["choices"][0]
        assert [one["token"] for one in choice["logprobs"]["content"]] == [
            choice["delta"]["content"]
        ]


def test_rejected_before_the_stream(send_chat: Send) -> None:
    """A rejected streaming request gets a JSON error with its status."""
    response = send_chat(model="nope", stream=True)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/json")
