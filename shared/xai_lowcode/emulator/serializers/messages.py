"""Reading a messages request as a chat, so that the same model answers it."""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model.decision import Decision
from xai_lowcode.emulator.handler_types import Frame, Json, invalid
from xai_lowcode.emulator.serializers.chat_completions import Completion
from xai_lowcode.emulator.state import SPACE

# Which parts a message may hold, by who speaks.
ALLOWED = {
    "user": frozenset({"text", "image", "tool_result"}),
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
}
CHOICES = {"auto": "auto", "any": "required"}
SAME = ("model", "temperature", "top_p")


def as_chat(body: Json) -> Json:
    """Translates a request."""
    chat: Json = {name: body[name] for name in SAME if name in body}
    chat["max_completion_tokens"] = body["max_tokens"]
    chat["messages"] = list(_messages(body))
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    if body.get("tools"):
        chat["tools"] = [_tool(tool) for tool in body["tools"]]
    if body.get("tool_choice"):
        chat["tool_choice"] = _choice(body["tool_choice"])
    return chat


def _messages(body: Json) -> Iterator[Json]:
    if body.get("system"):
        yield {"role": "system", "content": _plain(_listed(body["system"]))}
    for message in body["messages"]:
        role, parts = message["role"], _listed(message["content"])
        for part in parts:
            if part["type"] not in ALLOWED[role]:
                raise invalid(f"Invalid argument: {part['type']} is not allowed in {role} messages")
        yield from _assistant(parts) if role == "assistant" else _others(role, parts)


def _assistant(parts: list[Json]) -> Iterator[Json]:
    said = [part for part in parts if part["type"] == "text"]
    calls = [_call(part) for part in parts if part["type"] == "tool_use"]
    message: Json = {"role": "assistant", "content": _plain(said)}
    yield {**message, "tool_calls": calls} if calls else message


def _others(role: str, parts: list[Json]) -> Iterator[Json]:
    """Puts the results of tools, each a message of its own, before what the user says."""
    results = [part for part in parts if part["type"] == "tool_result"]
    for part in results:
        content = _plain(_listed(part["content"]))
        yield {"role": "tool", "tool_call_id": part["tool_use_id"], "content": content}
    rest = [part for part in parts if part["type"] != "tool_result"]
    if rest or not results:
        yield {"role": role, "content": _plain(rest)}


def _listed(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _plain(parts: list[Json]) -> str | list[Json]:
    """Makes a content of parts, a mere text where it is one."""
    if all(part["type"] == "text" for part in parts) and len(parts) < 2:  # noqa: PLR2004 - one or none
        return "".join(part["text"] for part in parts)
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    source = part["source"]
    data = f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": source.get("url") or data}}


def _call(part: Json) -> Json:
    if not isinstance(part["input"], dict):
        raise invalid(f"Invalid argument: input of tool_use {part['id']} is not an object")
    arguments = json.dumps(part["input"], ensure_ascii=False, separators=(",", ":"))
    function = {"name": part["name"], "arguments": arguments}
    return {"id": part["id"], "type": "function", "function": function}


def _tool(tool: Json) -> Json:
    function = {
        "name": tool["name"],
        "description": tool["description"],
        "parameters": tool["input_schema"],
    }
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Any:
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    return CHOICES[choice["type"]]


VEIL = (
    "This model thinks before it answers, and keeps the words of its thoughts to itself. What you "
    "read here stands in their place, whatever was asked and however long it took; the answer "
    "follows below."
)
REASONS = {"length": "max_tokens", "tool_calls": "tool_use"}
PING = Frame({"type": "ping"}, event="ping")


def whole(completion: Completion) -> Json:
    """Writes the plain answer."""
    decision = completion.choices[0]
    return {
        "id": str(uuid.uuid5(SPACE, f"message/{completion.sequence}")),
        "type": "message",
        "role": "assistant",
        "content": list(_blocks(completion, decision)),
        "model": completion.body["model"],
        "stop_reason": _stop_reason(decision),
        "stop_sequence": decision.stopped_by,
        "usage": _usage(completion.usage),
    }


def frames(completion: Completion) -> list[Frame]:
    """Writes the stream."""
    message = whole(completion)
    usage = message["usage"]
    opening = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 0},
    }
    found = [_event("message_start", message=opening)]
    for index, block in enumerate(message["content"]):
        found.extend(_block_events(index, block))
    end = {key: message[key] for key in ("stop_reason", "stop_sequence")}
    spent = {"output_tokens": usage["output_tokens"]}
    found.append(_event("message_delta", closing=True, delta=end, usage=spent))
    found.append(_event("message_stop", closing=True))
    return found


def _event(kind: str, *, closing: bool = False, **members: object) -> Frame:
    return Frame({"type": kind, **members}, event=kind, closing=closing)


def _blocks(completion: Completion, decision: Decision) -> Iterator[Json]:
    thoughts = _thoughts(completion.body["model"], decision)
    if thoughts:
        yield {"type": "thinking", "thinking": thoughts, "signature": signature(decision.reasoning)}
    if decision.text or not decision.calls:
        yield {"type": "text", "text": decision.text}
    for call in decision.calls:
        called = json.loads(call.arguments)
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": called}


def _thoughts(model: str, decision: Decision) -> str:
    if decision.reasoning and catalogue.VEILS_REASONING.match(model):
        return VEIL
    return decision.reasoning if catalogue.shows_reasoning(model) else ""


def signature(text: str) -> str:
    """Makes what nobody but the provider can read; the same text always gives the same."""
    return base64.b64encode(hashlib.shake_256(text.encode("utf-8", "replace")).digest(240)).decode()


def _stop_reason(decision: Decision) -> str:
    if decision.stopped_by is not None:
        return "stop_sequence"
    return REASONS.get(decision.finish, "end_turn")


def _usage(usage: Json) -> Json:
    """Counts as Anthropic does: what comes from the cache beside the rest, thoughts inside."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {
        "input_tokens": usage["prompt_tokens"] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage["total_tokens"] - usage["prompt_tokens"],
    }


def _block_events(index: int, block: Json) -> Iterator[Frame]:
    opening, deltas = WRITERS[block["type"]](block)
    yield _event("content_block_start", index=index, content_block=opening)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _text(block: Json) -> tuple[Json, list[Json]]:
    deltas = [{"type": "text_delta", "text": piece} for piece in tokens.pieces(block["text"])]
    return {"type": "text", "text": ""}, deltas


def _thinking(block: Json) -> tuple[Json, list[Json]]:
    deltas = [
        {"type": "thinking_delta", "thinking": piece} for piece in tokens.pieces(block["thinking"])
    ]
    deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return {"type": "thinking", "thinking": "", "signature": ""}, deltas


def _tool_use(block: Json) -> tuple[Json, list[Json]]:
    arguments = json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": arguments}]


WRITERS = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}
