"""Responses in which the model refuses, calls a tool, or answers, in the format of each API."""

import json
from collections.abc import Callable
from typing import Any

import httpx

REFUSAL = "I will not do that."
ANSWER = "Her name is Ada."
CALL = {"id": "call_1", "name": "get_time", "arguments": '{"city": "Vienna"}'}


def create_clients(handler: Callable[[httpx.Request], httpx.Response]) -> dict[str, Any]:
    """Return the fields of a model that uses a handler instead of a network."""
    transport = httpx.MockTransport(handler)
    return {
        "api_token": "at_r" + "0" * 32,
        "base_url": "http://localhost:1/",
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }


def refuse(request: httpx.Request) -> httpx.Response:
    """Respond with a refusal."""
    return _respond(request, _REFUSALS)


def call_tool(request: httpx.Request) -> httpx.Response:
    """Respond with a call of the tool ``get_time``."""
    return _respond(request, _CALLS)


def answer(request: httpx.Request) -> httpx.Response:
    """Respond with a text, without a tool call."""
    return _respond(request, _ANSWERS)


def _respond(request: httpx.Request, responses: dict[str, tuple[Any, list[Any]]]) -> httpx.Response:
    api = next(api for api in responses if request.url.path.endswith(api))
    body, events = responses[api]
    if not json.loads(request.content).get("stream"):
        return httpx.Response(200, json=body)
    lines = [
        (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    ]
    content = "".join(lines) + ("data: [DONE]\n\n" if api == "/chat/completions" else "")
    return httpx.Response(200, text=content, headers={"content-type": "text/event-stream"})


def _chat(message: dict[str, Any], deltas: list[Any], reason: str) -> tuple[Any, list[Any]]:
    def choose(key: str, value: Any, finish_reason: Any) -> dict[str, Any]:
        choice = {"index": 0, key: value, "finish_reason": finish_reason}
        return {"id": "1", "created": 1, "model": "grok-4.7", "choices": [choice]}

    chunks = [choose("delta", delta, None) for delta in deltas]
    message = {"role": "assistant", "content": "", **message}
    return choose("message", message, reason), [*chunks, choose("delta", {}, reason)]


def _responses(item: dict[str, Any], events: list[Any]) -> tuple[Any, list[Any]]:
    body = {"id": "1", "created_at": 1, "model": "grok-4.7", "status": "completed"}
    body = {**body, "object": "response", "output": [item]}
    created = {"type": "response.created", "response": {**body, "output": []}}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    return body, [created, added, *events, done, {"type": "response.completed", "response": body}]


def _messages(block: dict[str, Any], delta: Any, reason: str) -> tuple[Any, list[Any]]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    body = {"id": "1", "type": "message", "role": "assistant", "model": "grok-4.7"}
    started = {**body, "content": [], "stop_reason": None, "usage": usage}
    events = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
        {"type": "message_stop"},
    ]
    if "input" in block:
        full = {**block, "input": json.loads(CALL["arguments"])}
    else:
        full = {**block, "text": delta["text"]}
    return {**body, "content": [full], "stop_reason": reason, "usage": usage}, events


_REFUSED_ITEM = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "refusal", "refusal": REFUSAL}],
}
_REFUSALS = {
    "/chat/completions": _chat(
        {"refusal": REFUSAL}, [{"refusal": REFUSAL[:6]}, {"refusal": REFUSAL[6:]}], "stop"
    ),
    "/responses": _responses(
        _REFUSED_ITEM,
        [
            {"type": "response.refusal.delta", "output_index": 0, "delta": part}
            for part in (REFUSAL[:6], REFUSAL[6:])
        ],
    ),
    "/messages": _messages(
        {"type": "text", "text": ""}, {"type": "text_delta", "text": REFUSAL}, "refusal"
    ),
}
_ANSWERED_ITEM = {
    **_REFUSED_ITEM,
    "content": [{"type": "output_text", "text": ANSWER, "annotations": []}],
}
_ANSWERS = {
    "/chat/completions": _chat({"content": ANSWER}, [{"content": ANSWER}], "stop"),
    "/responses": _responses(
        _ANSWERED_ITEM,
        [{"type": "response.output_text.delta", "output_index": 0, "delta": ANSWER}],
    ),
    "/messages": _messages(
        {"type": "text", "text": ""}, {"type": "text_delta", "text": ANSWER}, "end_turn"
    ),
}
_FUNCTION = {"name": CALL["name"], "arguments": CALL["arguments"]}
_CALLS = {
    "/chat/completions": _chat(
        {"tool_calls": [{"id": CALL["id"], "type": "function", "function": _FUNCTION}]},
        [
            {
                "tool_calls": [
                    {"index": 0, "id": CALL["id"], "type": "function", "function": _FUNCTION}
                ]
            }
        ],
        "tool_calls",
    ),
    "/responses": _responses(
        {
            "id": "fc_1",
            "type": "function_call",
            "call_id": CALL["id"],
            "status": "completed",
            **_FUNCTION,
        },
        [],
    ),
    "/messages": _messages(
        {"type": "tool_use", "id": CALL["id"], "name": CALL["name"], "input": {}},
        {"type": "input_json_delta", "partial_json": CALL["arguments"]},
        "tool_use",
    ),
}
