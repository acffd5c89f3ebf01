"""Serialize a completion for the Chat Completions API."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.completion import Completion, CompletionChoice, FunctionCall
from xai_lowcode.emulator.handler_types import SSEFrame
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.tokenizer import split_tokens

# Empty chunks in place of reasoning that the model does not show.
REASONING_HEARTBEATS = 4


def to_body(completion: Completion) -> Json:
    """Return the `chat.completion` object."""
    return {
        "id": completion.make_id("chat"),
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": [
            _choice_object(completion, index, choice)
            for index, choice in enumerate(completion.choices)
        ],
        "usage": completion.usage,
        **_trailing_fields(completion),
    }


def to_frames(completion: Completion) -> list[SSEFrame]:
    """Return the stream of `chat.completion.chunk` objects, up to `[DONE]`."""
    frames = [SSEFrame(_chunk(completion, delta)) for delta in _interleave(completion)]
    for index, choice in enumerate(completion.choices):
        end = {"index": index, "delta": {}, "finish_reason": choice.finish_reason}
        frames.append(SSEFrame(_chunk(completion, end), closing=True))
    if (completion.body.get("stream_options") or {}).get("include_usage"):
        frames.append(SSEFrame(_chunk(completion, None, completion.usage), closing=True))
    return [*frames, SSEFrame("[DONE]", closing=True)]


def heartbeat_frame(completion: Completion) -> SSEFrame:
    """Return a chunk with an empty delta."""
    return SSEFrame(_chunk(completion, {"index": 0, "delta": {}}))


def compute_logprobs(body: Json, tokens: list[str]) -> Json | None:
    """Return log probabilities; None if they are not requested or the model has none."""
    if not body.get("logprobs") or models.NO_LOGPROBS.match(body["model"]):
        return None
    alternatives = body.get("top_logprobs") or 0
    return {"content": [_token_logprob(token, alternatives) for token in tokens]}


def _token_logprob(token: str, alternatives: int) -> Json:
    chosen = _logprob(token, -0.01 - crc32(token.encode()) % 100 / 200)
    others = [
        _logprob(f" option{rank}", chosen["logprob"] - rank) for rank in range(1, alternatives)
    ]
    return {**chosen, "top_logprobs": [chosen, *others][:alternatives]}


def _logprob(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": round(logprob, 6), "bytes": list(token.encode())}


def _chunk(completion: Completion, choice: Json | None, usage: Json | None = None) -> Json:
    return {
        "id": completion.make_id("chat"),
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "choices": [] if choice is None else [choice],
        **({} if usage is None else {"usage": usage}),
        **_trailing_fields(completion),
    }


def _trailing_fields(completion: Completion) -> Json:
    fields = {"system_fingerprint": models.fingerprint(completion.model)}
    tier = completion.body.get("service_tier")
    if tier is not None:
        fields["service_tier"] = "priority" if tier == "priority" else "default"
    return fields


def _choice_object(completion: Completion, index: int, choice: CompletionChoice) -> Json:
    message: Json = {"role": "assistant", "content": choice.text}
    if completion.shows_reasoning and choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.calls:
        message["tool_calls"] = [_tool_call(call) for call in choice.calls]
    message["refusal"] = None
    fields = {"index": index, "message": message, "finish_reason": choice.finish_reason}
    logprobs = compute_logprobs(completion.body, split_tokens(choice.text))
    return fields if logprobs is None else {**fields, "logprobs": logprobs}


def _tool_call(call: FunctionCall, index: int | None = None) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    position = {} if index is None else {"index": index}
    return {"id": call.id, "function": function, **position, "type": "function"}


def _interleave(completion: Completion) -> Iterator[Json]:
    """Alternate between the choices, one delta each, as they are generated in parallel."""
    streams = [
        (index, _deltas(completion, choice)) for index, choice in enumerate(completion.choices)
    ]
    while streams:
        unfinished = []
        for index, deltas in streams:
            delta = next(deltas, None)
            if delta is not None:
                tokens = [delta["content"]] if delta.get("content") else []
                logprobs = compute_logprobs(completion.body, tokens) if tokens else None
                extra = {} if logprobs is None else {"logprobs": logprobs}
                yield {"index": index, "delta": delta, **extra}
                unfinished.append((index, deltas))
        streams = unfinished


def _deltas(completion: Completion, choice: CompletionChoice) -> Iterator[Json]:
    """Iterate over the deltas of one choice; the first one has the role."""
    role: Json = {"role": "assistant"}
    if choice.reasoning and not completion.shows_reasoning:
        yield role
        yield from ({} for _ in range(REASONING_HEARTBEATS))
        role = {}
    for delta in _content_deltas(completion, choice):
        yield {**delta, **role}
        role = {}
    if role:
        yield {"content": "", **role}


def _content_deltas(completion: Completion, choice: CompletionChoice) -> Iterator[Json]:
    if completion.shows_reasoning:
        yield from ({"reasoning_content": token} for token in split_tokens(choice.reasoning))
    yield from ({"content": token} for token in split_tokens(choice.text))
    for index, call in enumerate(choice.calls):
        yield {"tool_calls": [_tool_call(call, index)]}
