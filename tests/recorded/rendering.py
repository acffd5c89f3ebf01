"""Plain answers as the streams that the service would have sent, and streams as plain answers.

Written from the description of the wire and with the standard library alone, so that it shares no
mistake with the readers that it tests. A block is one server-sent event with its blank line.
"""

import json
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any

from tests.recorded.bodies import Case, cases

Json = dict[str, Any]
SIGN = b"data: [DONE]\n\n"
GROWING = ("text", "thinking", "signature")
FACTS = ("id", "created", "model", "system_fingerprint", "service_tier")


def blocks_of(case: Case) -> list[bytes]:
    """The stream of a case: as recorded, or written from the plain answer."""
    if case.stream:
        parts = case.content.split(b"\n\n")
        return [part + b"\n\n" for part in parts if part.strip()]
    return WRITERS[case.form](case.json)


def plain_of(case: Case) -> Json:
    """The plain answer of a case: as recorded, or put together from its stream."""
    if not case.stream:
        return dict(case.json)
    chunks = [data for block in blocks_of(case) if (data := data_of(block)) is not None]
    if case.form == "responses":
        return dict(chunks[-1]["response"])
    return _gathered(chunks)


def data_of(block: bytes) -> Json | None:
    """The JSON of a block; None for the end-of-stream marker."""
    (line,) = (line for line in block.split(b"\n") if line.startswith(b"data: "))
    return None if line == SIGN.strip() else dict(json.loads(line[6:]))


def block_of(data: Json, *, named: bool) -> bytes:
    """A block with this JSON, with or without the line that names the event."""
    lead = f"event: {data['type']}\n" if named else ""
    return f"{lead}data: {_compact(data)}\n\n".encode()


def _compact(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str) -> list[str]:
    """A text in pieces of 1, 2, 3, ... characters."""
    found, start = [], 0
    for size in count(1):
        if start >= len(text):
            return found
        found.append(text[start : start + size])
        start += size
    raise AssertionError


def chat_blocks(body: Json) -> list[bytes]:
    """Chunks as of 1.3: reasoning, text, whole calls, the finish, usage, the sign."""
    facts = {name: body[name] for name in FACTS if name in body}
    head = {**facts, "object": "chat.completion.chunk"}
    chunks = [
        {**head, "choices": [{"index": choice["index"], **part}]}
        for choice in body["choices"]
        for part in _chat_parts(choice)
    ]
    tail = {
        name: value for name, value in body.items() if name not in {*FACTS, "choices", "object"}
    }
    chunks.append({**head, "choices": [], **tail})
    return [*(block_of(chunk, named=False) for chunk in chunks), SIGN]


def _chat_parts(choice: Json) -> Iterator[Json]:
    said = choice["message"]
    yield {"delta": {"role": "assistant"}}
    for member in ("reasoning_content", "content", "refusal"):
        for piece in pieces(said.get(member) or ""):
            yield {"delta": {}}
            yield {"delta": {member: piece}}
    if choice.get("logprobs"):
        yield {"delta": {"content": ""}, "logprobs": choice["logprobs"]}
    for index, call in enumerate(said.get("tool_calls") or ()):
        yield {"delta": {"tool_calls": [{**call, "index": index}]}}
    yield {"delta": {}, "finish_reason": choice["finish_reason"]}


def _gathered(chunks: list[Json]) -> Json:
    """A chat's plain answer from its chunks."""
    body: Json = {name: chunks[0][name] for name in FACTS if name in chunks[0]}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        body |= {name: chunk[name] for name in ("citations", "usage") if name in chunk}
        for choice in chunk["choices"]:
            empty = {"index": choice["index"], "message": {"role": "assistant", "content": ""}}
            _gather(choices.setdefault(choice["index"], empty), choice)
    return {**body, "choices": list(choices.values())}


def _gather(whole: Json, part: Json) -> None:
    message, delta = whole["message"], part["delta"]
    for member in ("content", "reasoning_content"):
        if delta.get(member):
            message[member] = message.get(member, "") + delta[member]
    if delta.get("tool_calls"):
        # A recorded call is whole in one chunk.
        message.setdefault("tool_calls", []).extend(delta["tool_calls"])
    if part.get("finish_reason"):
        whole["finish_reason"] = part["finish_reason"]


def messages_blocks(body: Json) -> list[bytes]:
    """Anthropic's events as of 4: a start, deltas and a stop for each block."""
    used = {"usage": {**body["usage"], "output_tokens": 0}} if "usage" in body else {}
    opening = {**body, "content": [], "stop_reason": None, **used}
    end = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    events = [
        {"type": "message_start", "message": opening},
        {"type": "ping"},
        *(event for index, block in enumerate(body["content"]) for event in _block(index, block)),
        {"type": "message_delta", "delta": end, "usage": body.get("usage")},
        {"type": "message_stop"},
    ]
    return [block_of(event, named=True) for event in events]


def _block(index: int, block: Json) -> Iterator[Json]:
    grown = {name: pieces(block[name]) for name in GROWING if name in block}
    # A block may begin with its first piece, or with nothing: here every second one does.
    begun = index % 2
    begins = {name: "".join(parts[:begun]) for name, parts in grown.items()}
    opened = {**block, **begins, **({"input": {}} if "input" in block else {})}
    yield {"type": "content_block_start", "index": index, "content_block": opened}
    for name, parts in grown.items():
        for piece in parts[begun:]:
            yield {"type": "content_block_delta", "index": index, "delta": {name: piece}}
    for piece in pieces(_compact(block["input"]) if "input" in block else ""):
        delta = {"type": "input_json_delta", "partial_json": piece}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def responses_blocks(body: Json) -> list[bytes]:
    """Numbered events as of 5.3: each item added, grown and done, and the whole at the end."""
    begun = {**body, "output": [], "usage": None, "status": "in_progress"}
    steps = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
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
    opened = {**item, **{name: value for name, value in empty.items() if name in item}}
    yield {"type": "response.output_item.added", "item": opened}
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
    """The recorded chats in Anthropic's form; no response of the Messages API is recorded."""
    row = {"method": "POST", "endpoint": "/v1/messages", "stream": False, "evidence": "translated"}
    chats = [case for case in cases() if case.form == "chat_completions"]
    return tuple(
        Case(f"messages/{case.file}", json.dumps(_as_message(plain_of(case))).encode(), row)
        for case in chats
    )


def _as_message(body: Json) -> Json:
    choice = body["choices"][0]
    said, usage = choice["message"], body.get("usage")
    reasoning, text = said.get("reasoning_content"), said.get("content")
    blocks: list[Json] = []
    if reasoning:
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": "c2lnbmVk" * 30})
    if text:
        blocks.append({"type": "text", "text": text})
    for call in said.get("tool_calls") or ():
        called = {"name": call["function"]["name"], "input": json.loads(_arguments(call))}
        blocks.append({"type": "tool_use", "id": call["id"], **called})
    ends = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    return {
        "id": body["id"],
        "type": "message",
        "role": "assistant",
        "content": blocks,
        "model": body["model"],
        "stop_reason": ends[choice["finish_reason"]],
        "stop_sequence": None,
        **({"usage": _counted(usage)} if usage else {}),
    }


def _arguments(call: Json) -> str:
    return str(call["function"]["arguments"])


def _counted(usage: Json) -> Json:
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
