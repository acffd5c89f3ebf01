"""What the benchmark's server says: the bodies and streams of every shape, in every wire form."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 40,
    "prompt_tokens_details": {"text_tokens": 12, "cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 21},
    "cost_in_usd_ticks": 123_000,
}
HEAD = {"id": "4a7", "created": 1_760_000_000, "model": "grok-4.7", "system_fingerprint": "fp_1"}
ANSWER = "A lighthouse marks the way; a gateway needs one too."
PICTURE_BYTES = 1_500_000
LONG_BYTES = 1_000_000


@dataclass(frozen=True)
class Scenario:
    """How the server behaves at one address.

    Attributes:
        chunks: Pieces of text in a stream.
        delay: Seconds before the answer.
        pace: Seconds between the chunks; 0 for one burst.
        kind: What is answered: "text", "long", "calls" or "picture".
    """

    chunks: int = 200
    delay: float = 0
    pace: float = 0
    kind: str = "text"


SIZES_OF_STREAMS = (250, 1_000, 4_000, 16_000)
SCENARIOS = {
    "short": Scenario(),
    "slow": Scenario(delay=0.05),
    "s200": Scenario(200),
    "s5000": Scenario(5_000),
    "paced": Scenario(200, pace=0.001),
    "calls": Scenario(kind="calls"),
    "long": Scenario(kind="long"),
    "picture": Scenario(kind="picture"),
    **{f"s{size}": Scenario(size) for size in SIZES_OF_STREAMS},
}


@cache
def plain(name: str, endpoint: str) -> bytes:
    """The body of an answer that is no stream."""
    scenario = SCENARIOS[name]
    if endpoint == "images/generations":
        picture = base64.b64encode(bytes(range(256)) * (PICTURE_BYTES // 256)).decode()
        return _dump({"data": [{"b64_json": picture, "revised_prompt": "a lighthouse"}]})
    text = {"long": "word " * (LONG_BYTES // 5), "calls": ""}.get(scenario.kind, ANSWER)
    if endpoint == "responses":
        response = _response(text)
        if scenario.kind == "calls":
            response["output"] = [_call_item(0), _call_item(1)]
        return _dump(response)
    if endpoint == "messages":
        return _dump(_message(text))
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if scenario.kind == "calls":
        message["tool_calls"] = [_call(0), _call(1)]
    finish = "tool_calls" if scenario.kind == "calls" else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return _dump({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE})


@cache
def chunks(name: str, endpoint: str) -> tuple[bytes, ...]:
    """The events of a stream, each as its bytes."""
    words = [f"word{number % 10} " for number in range(SCENARIOS[name].chunks)]
    if endpoint == "responses":
        return tuple(_event(event) for event in _response_events(words))
    if endpoint == "messages":
        return tuple(_event(event) for event in _message_events(words))
    events = [_delta({"role": "assistant", "content": words[0]})]
    events += [_delta({"content": word}) for word in words[1:]]
    events += [_delta({}, finish="stop"), {**_delta({}), "choices": [], "usage": USAGE}]
    return (*(b"data: " + _dump(event) + b"\n\n" for event in events), b"data: [DONE]\n\n")


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _call(index: int) -> dict[str, Any]:
    function = {"name": f"tool_{index}", "arguments": '{"a":1,"b":"two"}'}
    return {"id": f"call_{index}0000000", "type": "function", "function": function}


def _call_item(index: int) -> dict[str, Any]:
    call = _call(index)
    ids = {"id": f"fc_{index}", "call_id": call["id"], "status": "completed"}
    return {"type": "function_call", **ids, **call["function"]}


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}


def _event(event: dict[str, Any]) -> bytes:
    return b"event: " + event["type"].encode() + b"\ndata: " + _dump(event) + b"\n\n"


def _response(text: str, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
    usage = {
        "input_tokens": 12,
        "output_tokens": 28,
        "total_tokens": 40,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens_details": {"reasoning_tokens": 21},
    }
    done = status == "completed"
    return {
        **HEAD,
        "object": "response",
        "created_at": HEAD["created"],
        "status": status,
        "output": [{**item, "status": "completed"}] if done else [],
        "usage": usage if done else None,
    }


def _response_events(words: list[str]) -> list[dict[str, Any]]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = _response("".join(words))
    item = whole["output"][0]
    events = [
        {"type": "response.created", "response": _response("", "in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "content": [], "status": "in_progress"},
        },
        *({"type": "response.output_text.delta", "delta": word, **place} for word in words),
        {"type": "response.output_text.done", "text": "".join(words), **place},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _message(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": HEAD["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 28},
    }


def _message_events(words: list[str]) -> list[dict[str, Any]]:
    start = {**_message(""), "stop_reason": None}
    block = {"type": "text", "text": ""}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in words
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 28},
        },
        {"type": "message_stop"},
    ]
