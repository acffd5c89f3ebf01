"""What the server sends: the body or the stream of each scenario, for each API."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

USAGE: dict[str, Any] = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 40,
    "prompt_tokens_details": {"text_tokens": 12, "cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 21},
    "cost_in_usd_ticks": 123_000,
}
METADATA: dict[str, Any] = {
    "id": "4a7",
    "created": 1_760_000_000,
    "model": "grok-4.7",
    "system_fingerprint": "fp_1",
}
TEXT = "A lighthouse marks the way; a gateway needs one too."
IMAGE_BYTES = 1_500_000
LONG_BYTES = 1_000_000


@dataclass(frozen=True)
class Scenario:
    """How the server responds below one base URL.

    Attributes:
        chunks: Number of text chunks in a stream.
        delay: Seconds before the response.
        interval: Seconds between the chunks; with 0, all chunks are sent at once.
        content: Content of a response that is not a stream.
    """

    chunks: int = 200
    delay: float = 0
    interval: float = 0
    content: Literal["text", "long text", "tool calls"] = "text"


STREAM_SIZES = (250, 1_000, 4_000, 16_000)
SCENARIOS = {
    "short": Scenario(),
    "slow": Scenario(delay=0.05),
    "paced": Scenario(interval=0.001),
    "tool_calls": Scenario(content="tool calls"),
    "long": Scenario(content="long text"),
    "image": Scenario(),
    **{f"stream_{size}": Scenario(size) for size in (200, 5_000, *STREAM_SIZES)},
}


@cache
def build_body(scenario_name: str, endpoint: str) -> bytes:
    """Build the body of a response that is not a stream, without the gateway's envelope.

    Args:
        scenario_name: Key of `SCENARIOS`.
        endpoint: Path of the endpoint below ``v1/``.
    """
    if endpoint == "images/generations":
        image = base64.b64encode(bytes(range(256)) * (IMAGE_BYTES // 256)).decode()
        return _dump({"data": [{"b64_json": image, "revised_prompt": "a lighthouse"}]})
    content = SCENARIOS[scenario_name].content
    text = {"long text": "word " * (LONG_BYTES // 5), "tool calls": ""}.get(content, TEXT)
    has_tool_calls = content == "tool calls"
    if endpoint == "responses":
        response = _response(text)
        if has_tool_calls:
            response["output"] = [_function_call_item(0), _function_call_item(1)]
        return _dump(response)
    if endpoint == "messages":
        return _dump(_message(text))
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if has_tool_calls:
        message["tool_calls"] = [_tool_call(0), _tool_call(1)]
    finish_reason = "tool_calls" if has_tool_calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return _dump({**METADATA, "object": "chat.completion", "choices": [choice], "usage": USAGE})


@cache
def build_events(scenario_name: str, endpoint: str) -> tuple[bytes, ...]:
    """Build the server-sent events of a stream.

    Args:
        scenario_name: Key of `SCENARIOS`.
        endpoint: Path of the endpoint below ``v1/``.
    """
    texts = [f"word{number % 10} " for number in range(SCENARIOS[scenario_name].chunks)]
    if endpoint == "responses":
        return tuple(_named_event(event) for event in _response_events(texts))
    if endpoint == "messages":
        return tuple(_named_event(event) for event in _message_events(texts))
    chunks = [_chunk({"role": "assistant", "content": texts[0]})]
    chunks += [_chunk({"content": text}) for text in texts[1:]]
    chunks += [_chunk({}, finish_reason="stop"), {**_chunk({}), "choices": [], "usage": USAGE}]
    return (*(b"data: " + _dump(chunk) + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n")


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _tool_call(index: int) -> dict[str, Any]:
    function = {"name": f"tool_{index}", "arguments": '{"a":1,"b":"two"}'}
    return {"id": f"call_{index}0000000", "type": "function", "function": function}


def _function_call_item(index: int) -> dict[str, Any]:
    call = _tool_call(index)
    ids = {"id": f"fc_{index}", "call_id": call["id"], "status": "completed"}
    return {"type": "function_call", **ids, **call["function"]}


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**METADATA, "object": "chat.completion.chunk", "choices": [choice]}


def _named_event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + _dump(event) + b"\n\n"


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
    is_completed = status == "completed"
    return {
        **METADATA,
        "object": "response",
        "created_at": METADATA["created"],
        "status": status,
        "output": [{**item, "status": "completed"}] if is_completed else [],
        "usage": usage if is_completed else None,
    }


def _response_events(texts: list[str]) -> list[dict[str, Any]]:
    position = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    completed = _response("".join(texts))
    item = completed["output"][0]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response("", "in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "content": [], "status": "in_progress"},
        },
        *({"type": "response.output_text.delta", "delta": text, **position} for text in texts),
        {"type": "response.output_text.done", "text": "".join(texts), **position},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": completed},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _message(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": METADATA["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 28},
    }


def _message_events(texts: list[str]) -> list[dict[str, Any]]:
    start = {**_message(""), "stop_reason": None}
    block = {"type": "text", "text": ""}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in texts
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 28},
        },
        {"type": "message_stop"},
    ]
