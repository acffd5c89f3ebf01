"""Render plain responses as the streams that xAI would send, and streams as plain responses.

Only the standard library is used, so that no mistake is shared with the parsers under test. A
block is one server-sent event with its blank line.
"""

import json
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any

from tests.recorded.bodies import Case, cases

Json = dict[str, Any]
END_MARKER = b"data: [DONE]\n\n"
STREAMED_FIELDS = ("text", "thinking", "signature")
COMMON_FIELDS = ("id", "created", "model", "system_fingerprint", "service_tier")


def blocks_of(case: Case) -> list[bytes]:
    """Return the stream of a case: as recorded, or rendered from the plain response."""
    if case.stream:
        parts = case.content.split(b"\n\n")
        return [part + b"\n\n" for part in parts if part.strip()]
    return WRITERS[case.api](case.json)


def plain_of(case: Case) -> Json:
    """Return the plain response of a case: as recorded, or merged from its stream."""
    if not case.stream:
        return dict(case.json)
    chunks = [data for block in blocks_of(case) if (data := data_of(block)) is not None]
    if case.api == "responses":
        return dict(chunks[-1]["response"])
    return _merge_chunks(chunks)


def data_of(block: bytes) -> Json | None:
    """Return the JSON of a block; None for the end-of-stream marker."""
    (line,) = (line for line in block.split(b"\n") if line.startswith(b"data: "))
    return None if line == END_MARKER.strip() else dict(json.loads(line[6:]))


def block_of(data: Json, *, named: bool) -> bytes:
    """Return a block with this JSON, with or without an ``event:`` line."""
    lead = f"event: {data['type']}\n" if named else ""
    return f"{lead}data: {_compact(data)}\n\n".encode()


def _compact(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str) -> list[str]:
    """Split a text into pieces of 1, 2, 3, ... characters."""
    parts, start = [], 0
    for size in count(1):
        if start >= len(text):
            return parts
        parts.append(text[start : start + size])
        start += size
    raise AssertionError


def chat_blocks(body: Json) -> list[bytes]:
    """Return chunks: reasoning, text, tool calls, finish reason, usage, end-of-stream marker."""
    facts = {name: body[name] for name in COMMON_FIELDS if name in body}
    head = {**facts, "object": "chat.completion.chunk"}
    chunks = [
        {**head, "choices": [{"index": choice["index"], **part}]}
        for choice in body["choices"]
        for part in _chat_parts(choice)
    ]
    tail = {
        name: value
        for name, value in body.items()
        if name not in {*COMMON_FIELDS, "choices", "object"}
    }
    chunks.append({**head, "choices": [], **tail})
    return [*(block_of(chunk, named=False) for chunk in chunks), END_MARKER]


def _chat_parts(choice: Json) -> Iterator[Json]:
    message = choice["message"]
    yield {"delta": {"role": "assistant"}}
    for key in ("reasoning_content", "content", "refusal"):
        for piece in pieces(message.get(key) or ""):
            yield {"delta": {}}
            yield {"delta": {key: piece}}
    if choice.get("logprobs"):
        yield {"delta": {"content": ""}, "logprobs": choice["logprobs"]}
    for index, call in enumerate(message.get("tool_calls") or ()):
        yield {"delta": {"tool_calls": [{**call, "index": index}]}}
    yield {"delta": {}, "finish_reason": choice["finish_reason"]}


def _merge_chunks(chunks: list[Json]) -> Json:
    """Return the plain response of the chunks of Chat Completions."""
    body: Json = {name: chunks[0][name] for name in COMMON_FIELDS if name in chunks[0]}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        body |= {name: chunk[name] for name in ("citations", "usage") if name in chunk}
        for choice in chunk["choices"]:
            empty = {"index": choice["index"], "message": {"role": "assistant", "content": ""}}
            _merge_choice(choices.setdefault(choice["index"], empty), choice)
    return {**body, "choices": list(choices.values())}


def _merge_choice(whole: Json, part: Json) -> None:
    message, delta = whole["message"], part["delta"]
    for key in ("content", "reasoning_content"):
        if delta.get(key):
            message[key] = message.get(key, "") + delta[key]
    if delta.get("tool_calls"):
        # Each recorded tool call is in one chunk.
        message.setdefault("tool_calls", []).extend(delta["tool_calls"])
    if part.get("finish_reason"):
        whole["finish_reason"] = part["finish_reason"]


def messages_blocks(body: Json) -> list[bytes]:
    """Return events of the Messages API: a start, deltas and a stop for each content block."""
    used = {"usage": {**body["usage"], "output_tokens": 0}} if "usage" in body else {}
    start_message = {**body, "content": [], "stop_reason": None, **used}
    end = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    events = [
        {"type": "message_start", "message": start_message},
        {"type": "ping"},
        *(event for index, block in enumerate(body["content"]) for event in _block(index, block)),
        {"type": "message_delta", "delta": end, "usage": body.get("usage")},
        {"type": "message_stop"},
    ]
    return [block_of(event, named=True) for event in events]


def _block(index: int, block: Json) -> Iterator[Json]:
    streamed = {name: pieces(block[name]) for name in STREAMED_FIELDS if name in block}
    # The start of a content block may have its first piece: here that of every second one has.
    initial = index % 2
    initial_values = {name: "".join(parts[:initial]) for name, parts in streamed.items()}
    started = {**block, **initial_values, **({"input": {}} if "input" in block else {})}
    yield {"type": "content_block_start", "index": index, "content_block": started}
    for name, parts in streamed.items():
        for piece in parts[initial:]:
            yield {"type": "content_block_delta", "index": index, "delta": {name: piece}}
    for piece in pieces(_compact(block["input"]) if "input" in block else ""):
        delta = {"type": "input_json_delta", "partial_json": piece}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def responses_blocks(body: Json) -> list[bytes]:
    """Return numbered events: each item added, its deltas and done; the response at the end."""
    initial = {**body, "output": [], "usage": None, "status": "in_progress"}
    steps = [
        {"type": "response.created", "response": initial},
        {"type": "response.in_progress", "response": initial},
        *(
            {**step, "output_index": index}
            for index, item in enumerate(body["output"])
            for step in _item(item)
        ),
        {"type": f"response.{body['status']}", "response": body},
    ]
    numbered = [{**step, "sequence_number": number} for number, step in enumerate(steps)]
    return [block_of(step, named=True) for step in numbered]


def _item(item: Json) -> Iterator[Json]:
    empty = {"summary": [], "content": [], "arguments": "", "input": "", "result": None}
    started = {**item, **{name: value for name, value in empty.items() if name in item}}
    yield {"type": "response.output_item.added", "item": started}
    for part in item.get("summary") or ():
        for piece in pieces(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", "text": part["text"]}
    for index, part in enumerate(item.get("content") or ()):
        for step in _content(part):
            yield {**step, "content_index": index}
    if item["type"] == "function_call":
        yield {"type": "response.function_call_arguments.delta", "delta": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "item": item}


def _content(part: Json) -> Iterator[Json]:
    yield {"type": "response.content_part.added", "part": {**part, "text": ""}}
    for piece in pieces(part.get("refusal") or ""):
        yield {"type": "response.refusal.delta", "delta": piece}
    for piece in pieces(part.get("text") or ""):
        yield {"type": "response.output_text.delta", "delta": piece}
    if part.get("logprobs"):
        yield {"type": "response.output_text.delta", "delta": "", "logprobs": part["logprobs"]}
    for annotation in part.get("annotations") or ():
        yield {"type": "response.output_text.annotation.added", "annotation": annotation}
    yield {"type": "response.content_part.done", "part": part}


@cache
def translated() -> tuple[Case, ...]:
    """Return the recorded chats as Messages responses, since none of that API is recorded."""
    row = {"method": "POST", "endpoint": "/v1/messages", "stream": False, "evidence": "translated"}
    chats = [case for case in cases() if case.api == "chat_completions"]
    return tuple(
        Case(f"messages/{case.file}", json.dumps(_as_message(plain_of(case))).encode(), row)
        for case in chats
    )


def _as_message(body: Json) -> Json:
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage")
    reasoning, text = message.get("reasoning_content"), message.get("content")
    blocks: list[Json] = []
    if reasoning:
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": "c2lnbmVk" * 30})
    if text:
        blocks.append({"type": "text", "text": text})
    for call in message.get("tool_calls") or ():
        tool_use = {"name": call["function"]["name"], "input": json.loads(_arguments(call))}
        blocks.append({"type": "tool_use", "id": call["id"], **tool_use})
    stop_reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    return {
        "id": body["id"],
        "type": "message",
        "role": "assistant",
        "content": blocks,
        "model": body["model"],
        "stop_reason": stop_reasons[choice["finish_reason"]],
        "stop_sequence": None,
        **({"usage": _message_usage(usage)} if usage else {}),
    }


def _arguments(call: Json) -> str:
    return str(call["function"]["arguments"])


def _message_usage(usage: Json) -> Json:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return {
        "input_tokens": usage["prompt_tokens"] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage["total_tokens"] - usage["prompt_tokens"],
    }


WRITERS = {
    "chat_completions": chat_blocks,
    "messages": messages_blocks,
    "responses": responses_blocks,
}
