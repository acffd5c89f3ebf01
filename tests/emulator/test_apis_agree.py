"""One conversation in three APIs: the same text, calls, finish reason and usage."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.cases import for_each

Json = dict[str, Any]
Send = Callable[..., httpx.Response]
TOOLS = [
    {
        "name": name,
        "description": f"{name} two numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    }
    for name in ("add", "multiply")
]
# Turns: a role and a text, or a tool call with its name, arguments and result.
CONVERSATIONS: dict[str, list[tuple[str, Any]]] = {
    "one": [("user", "Say 'pong'")],
    "system": [("system", "Be kind."), ("user", "Hello")],
    "turns": [("user", "Hi"), ("assistant", "Hello!"), ("user", "Tell a story")],
    "call": [("user", "add 2 and 3")],
    "calls": [("user", "add 2 and 3, then multiply 4 and 5")],
    "result": [("user", "add 2 and 3"), ("calls", [("add", {"a": 2, "b": 3}, "5")])],
    "results": [
        ("user", "add and multiply"),
        ("calls", [("add", {"a": 2, "b": 3}, "5"), ("multiply", {"a": 2, "b": 3}, "6")]),
    ],
    "after": [
        ("user", "add 2 and 3"),
        ("calls", [("add", {"a": 2, "b": 3}, "5")]),
        ("assistant", "It is 5."),
        ("user", "And now multiply 6 and 7"),
    ],
    "unicode": [("user", "你好 — é 🎉")],
}


def to_chat(turns: list[tuple[str, Any]]) -> Json:
    """Convert a conversation to messages of Chat Completions."""
    messages: list[Json] = []
    for role, content in turns:
        if role != "calls":
            messages.append({"role": role, "content": content})
            continue
        calls = [
            {
                "id": f"c{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(given)},
            }
            for index, (name, given, _) in enumerate(content)
        ]
        messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        messages += [
            {"role": "tool", "tool_call_id": f"c{index}", "content": found}
            for index, (_, _, found) in enumerate(content)
        ]
    return {
        "messages": messages,
        "tools": [{"type": "function", "function": tool} for tool in TOOLS],
    }


def to_messages(turns: list[tuple[str, Any]]) -> Json:
    """Convert a conversation to messages of the Messages API."""
    body: Json = {"messages": [], "max_tokens": 1000}
    for role, content in turns:
        if role == "system":
            body["system"] = content
        elif role != "calls":
            body["messages"].append({"role": role, "content": content})
        else:
            uses = [
                {"type": "tool_use", "id": f"c{index}", "name": name, "input": given}
                for index, (name, given, _) in enumerate(content)
            ]
            found = [
                {"type": "tool_result", "tool_use_id": f"c{index}", "content": text}
                for index, (_, _, text) in enumerate(content)
            ]
            body["messages"] += [
                {"role": "assistant", "content": uses},
                {"role": "user", "content": found},
            ]
    tools = [
        {
            "name": tool["name"],
            "description": tool["description"],
            "input_schema": tool["parameters"],
        }
        for tool in TOOLS
    ]
    return {**body, "tools": tools}


def to_items(turns: list[tuple[str, Any]]) -> Json:
    """Convert a conversation to items of the Responses API."""
    found: list[Json] = []
    for role, content in turns:
        if role != "calls":
            found.append({"role": role, "content": content})
            continue
        found += [
            {
                "type": "function_call",
                "call_id": f"c{index}",
                "name": name,
                "arguments": json.dumps(given),
            }
            for index, (name, given, _) in enumerate(content)
        ]
        found += [
            {"type": "function_call_output", "call_id": f"c{index}", "output": text}
            for index, (_, _, text) in enumerate(content)
        ]
    return {"input": found, "tools": [{"type": "function", **tool} for tool in TOOLS]}


def read_chat(body: Json) -> Any:
    """Return text, tool calls, finish reason and usage of a chat completion."""
    choice, usage = body["choices"][0], body["usage"]
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in choice["message"].get("tool_calls", [])
    ]
    details = usage["completion_tokens_details"]
    output_tokens = usage["completion_tokens"] + details["reasoning_tokens"]
    counts = (
        usage["prompt_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"],
        output_tokens,
    )
    return choice["message"]["content"], calls, choice["finish_reason"], counts


def read_message(body: Json) -> Any:
    """Return text, tool calls, finish reason and usage of a message."""
    text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
    calls = [
        (block["name"], block["input"]) for block in body["content"] if block["type"] == "tool_use"
    ]
    finish_reasons = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}
    usage = body["usage"]
    cached = usage["cache_read_input_tokens"]
    counts = (usage["input_tokens"] + cached, cached, usage["output_tokens"])
    return text, calls, finish_reasons[body["stop_reason"]], counts


def read_response(body: Json) -> Any:
    """Return text, tool calls, finish reason and usage of a response."""
    texts = [item["content"][0]["text"] for item in body["output"] if item["type"] == "message"]
    calls = [
        (item["name"], json.loads(item["arguments"]))
        for item in body["output"]
        if item["type"] == "function_call"
    ]
    finish_reasons = {"completed": "tool_calls" if calls else "stop", "incomplete": "length"}
    usage = body["usage"]
    cached = usage["input_tokens_details"]["cached_tokens"]
    counts = (usage["input_tokens"], cached, usage["output_tokens"])
    return "".join(texts), calls, finish_reasons[body["status"]], counts


DIALECTS: list[tuple[str, str, Callable[..., Json], Callable[[Json], Any]]] = [
    ("/v1/chat/completions", "max_tokens", to_chat, read_chat),
    ("/v1/messages", "max_tokens", to_messages, read_message),
    ("/v1/responses", "max_output_tokens", to_items, read_response),
]


@for_each("name", [*CONVERSATIONS])
@for_each("model", ["grok-3", "grok-4", "grok-4.3"])
@for_each("limit", [4, 1000])
def test_apis_return_the_same_completion(
    http: httpx.Client, name: str, model: str, limit: int
) -> None:
    """The three APIs return the same completion."""
    found = []
    for path, limiter, send_messages, read in DIALECTS:
        body = {"model": model, **send_messages(CONVERSATIONS[name]), limiter: limit}
        response = http.post(path, json=body)
        assert response.status_code == 200, response.text
        found.append(read(response.json()["result"]))
    assert found[0] == found[1] == found[2]
    assert found[0][0] or found[0][1]


def test_conversations_differ(http: httpx.Client) -> None:
    """No two of the conversations get the same response."""
    responses = [
        str(
            read_chat(
                http.post(
                    "/v1/chat/completions", json={"model": "grok-4.3", **to_chat(turns)}
                ).json()["result"]
            )
        )
        for turns in CONVERSATIONS.values()
    ]
    assert len(set(responses)) == len(responses)
