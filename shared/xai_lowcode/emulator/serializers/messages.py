"""Convert requests of the Messages API to chat requests, and serialize completions for it."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.completion import Completion, CompletionChoice
from xai_lowcode.emulator.handler_types import SSEFrame
from xai_lowcode.emulator.json_values import Json, dump_json
from xai_lowcode.emulator.provider_errors import invalid_argument
from xai_lowcode.emulator.tokenizer import split_tokens

ALLOWED_PARTS = {
    "user": frozenset({"text", "image", "tool_result"}),
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
}
TOOL_CHOICES = {"auto": "auto", "any": "required"}
SHARED_FIELDS = ("model", "temperature", "top_p")
HIDDEN_REASONING = (
    "This model does not return its reasoning. This fixed text replaces it in every response, "
    "whatever the prompt is and however long the model reasons; the text of the response follows "
    "in the next content block."
)
STOP_REASONS = {"length": "max_tokens", "tool_calls": "tool_use"}
PING = SSEFrame({"type": "ping"}, event="ping")


# --- requests ---


def to_chat_request(body: Json) -> Json:
    """Convert a Messages request to a chat request."""
    chat: Json = {name: body[name] for name in SHARED_FIELDS if name in body}
    chat["max_completion_tokens"] = body["max_tokens"]
    chat["messages"] = list(_chat_messages(body))
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    if body.get("tools"):
        chat["tools"] = [_chat_tool(tool) for tool in body["tools"]]
    if body.get("tool_choice"):
        chat["tool_choice"] = _chat_tool_choice(body["tool_choice"])
        if body["tool_choice"].get("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
    return chat


def _chat_messages(body: Json) -> Iterator[Json]:
    if body.get("system"):
        yield {"role": "system", "content": _chat_content(_list_parts(body["system"]))}
    for message in body["messages"]:
        role, parts = message["role"], _list_parts(message["content"])
        for part in parts:
            if part["type"] not in ALLOWED_PARTS[role]:
                raise invalid_argument(f"{part['type']} is not allowed in {role} messages")
        if role == "assistant":
            yield _assistant_message(parts)
        else:
            yield from _other_messages(role, parts)


def _assistant_message(parts: list[Json]) -> Json:
    texts = [part for part in parts if part["type"] == "text"]
    calls = [_chat_tool_call(part) for part in parts if part["type"] == "tool_use"]
    message: Json = {"role": "assistant", "content": _chat_content(texts)}
    return {**message, "tool_calls": calls} if calls else message


def _other_messages(role: str, parts: list[Json]) -> Iterator[Json]:
    """Convert tool results to messages, which precede the message with the other parts."""
    results = [part for part in parts if part["type"] == "tool_result"]
    for part in results:
        content = _chat_content(_list_parts(part["content"]))
        yield {"role": "tool", "tool_call_id": part["tool_use_id"], "content": content}
    others = [part for part in parts if part["type"] != "tool_result"]
    if others or not results:
        yield {"role": role, "content": _chat_content(others)}


def _list_parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _chat_content(parts: list[Json]) -> str | list[Json]:
    """Return a string for at most one text part, else a list of parts."""
    if all(part["type"] == "text" for part in parts) and len(parts) < 2:  # noqa: PLR2004 - one or none
        return "".join(part["text"] for part in parts)
    return [_chat_part(part) for part in parts]


def _chat_part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    source = part["source"]
    data_url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": source.get("url") or data_url}}


def _chat_tool_call(part: Json) -> Json:
    if not isinstance(part["input"], dict):
        raise invalid_argument(f"input of tool_use {part['id']} is not an object")
    function = {"name": part["name"], "arguments": dump_json(part["input"])}
    return {"id": part["id"], "type": "function", "function": function}


def _chat_tool(tool: Json) -> Json:
    function = {
        "name": tool["name"],
        "description": tool["description"],
        "parameters": tool["input_schema"],
    }
    return {"type": "function", "function": function}


def _chat_tool_choice(choice: Json) -> Any:
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    return TOOL_CHOICES[choice["type"]]


# --- responses ---


def to_body(completion: Completion) -> Json:
    """Return the message object."""
    choice = completion.choices[0]
    reason = STOP_REASONS.get(choice.finish_reason, "end_turn")
    return {
        "id": completion.make_id("message"),
        "type": "message",
        "role": "assistant",
        "content": list(_content_blocks(completion, choice)),
        "model": completion.model,
        "stop_reason": reason if choice.stop_sequence is None else "stop_sequence",
        "stop_sequence": choice.stop_sequence,
        "usage": _usage_object(completion.usage),
    }


def to_frames(completion: Completion) -> list[SSEFrame]:
    """Return the stream of events."""
    message = to_body(completion)
    usage = message["usage"]
    start = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 0},
    }
    frames = [_event("message_start", message=start)]
    for index, block in enumerate(message["content"]):
        frames.extend(_block_events(index, block))
    delta = {key: message[key] for key in ("stop_reason", "stop_sequence")}
    output = {"output_tokens": usage["output_tokens"]}
    frames.append(_event("message_delta", closing=True, delta=delta, usage=output))
    frames.append(_event("message_stop", closing=True))
    return frames


def encrypt_reasoning(text: str) -> str:
    """Return a stand-in for encrypted reasoning, the same for the same text."""
    return base64.b64encode(hashlib.shake_256(text.encode("utf-8", "replace")).digest(240)).decode()


def _event(event_type: str, *, closing: bool = False, **fields: object) -> SSEFrame:
    return SSEFrame({"type": event_type, **fields}, event=event_type, closing=closing)


def _content_blocks(completion: Completion, choice: CompletionChoice) -> Iterator[Json]:
    thinking = choice.reasoning if completion.shows_reasoning else ""
    if choice.reasoning and models.HIDES_REASONING.match(completion.model):
        thinking = HIDDEN_REASONING
    if thinking:
        signature = encrypt_reasoning(choice.reasoning)
        yield {"type": "thinking", "thinking": thinking, "signature": signature}
    if choice.text or not choice.calls:
        yield {"type": "text", "text": choice.text}
    for call in choice.calls:
        try:
            arguments = json.loads(call.arguments)
        except json.JSONDecodeError:  # of a scripted reply
            arguments = call.arguments
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _usage_object(usage: Json) -> Json:
    """Convert the usage: cached tokens are not input tokens, reasoning tokens are output tokens."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {
        "input_tokens": usage["prompt_tokens"] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage["total_tokens"] - usage["prompt_tokens"],
    }


def _block_events(index: int, block: Json) -> Iterator[SSEFrame]:
    start: Json
    deltas: list[Json]
    match block["type"]:
        case "text":
            start = {"type": "text", "text": ""}
            deltas = [
                {"type": "text_delta", "text": token} for token in split_tokens(block["text"])
            ]
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": token}
                for token in split_tokens(block["thinking"])
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            start = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": dump_json(block["input"])}]
    yield _event("content_block_start", index=index, content_block=start)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)
