"""Writing a decision as a message, or as the events of its stream."""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator

from xai_lowcode.emulator import catalogue, tokens
from xai_lowcode.emulator.answers import Frame, Json
from xai_lowcode.emulator.chat.completion import Completion
from xai_lowcode.emulator.chat.decisions import Decision
from xai_lowcode.emulator.switchboard import SPACE

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
