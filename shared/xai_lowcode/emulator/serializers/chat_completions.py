"""Writing a decision as `chat.completion`, or as the chunks of its stream."""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model.decision import Call, Decision
from xai_lowcode.emulator.handler_types import Frame, Json
from xai_lowcode.emulator.models import fingerprint
from xai_lowcode.emulator.state import SPACE


def odds(body: Json, found: list[str]) -> Json | None:
    """Makes log probabilities, where they are asked for and the model has not given them up."""
    if not body.get("logprobs") or catalogue.SILENT_ON_LOGPROBS.match(body["model"]):
        return None
    return {"content": [_one(piece, body.get("top_logprobs") or 0) for piece in found]}


def _one(piece: str, alternatives: int) -> Json:
    likely = _likely(piece, -0.01 - crc32(piece.encode()) % 100 / 200)
    others = [
        _likely(f" option{rank}", likely["logprob"] - rank) for rank in range(1, alternatives)
    ]
    return {**likely, "top_logprobs": [likely, *others][:alternatives]}


def _likely(piece: str, logprob: float) -> dict[str, Any]:
    return {"token": piece, "logprob": round(logprob, 6), "bytes": list(piece.encode())}


HEARTBEATS = 4


@dataclass(frozen=True, slots=True)
class Completion:
    """Everything that is to be written."""

    body: Json
    sequence: int
    choices: Sequence[Decision]
    usage: Json

    @property
    def head(self) -> Json:
        """The facts that every chunk repeats; ids are the same from run to run."""
        return {
            "id": str(uuid.uuid5(SPACE, f"chat/{self.sequence}")),
            "created": int(time.time()),
            "model": self.body["model"],
        }

    @property
    def tail(self) -> Json:
        """The facts that stand at the end."""
        tier = self.body.get("service_tier")
        mark = {"system_fingerprint": fingerprint(self.body["model"])}
        return (
            mark
            if tier is None
            else {**mark, "service_tier": "priority" if tier == "priority" else "default"}
        )


def whole(completion: Completion) -> Json:
    """Writes the plain answer."""
    head = completion.head
    return {
        "id": head["id"],
        "object": "chat.completion",
        "created": head["created"],
        "model": head["model"],
        "choices": [_choice(completion, index) for index in range(len(completion.choices))],
        "usage": completion.usage,
        **completion.tail,
    }


def frames(completion: Completion) -> list[Frame]:
    """Writes the stream, down to `[DONE]`."""
    writer = _Chunks(completion)
    found = [Frame(writer.chunk(choice)) for choice in _interleaved(completion)]
    found.extend(
        Frame(
            writer.chunk({"index": index, "delta": {}, "finish_reason": choice.finish}),
            closing=True,
        )
        for index, choice in enumerate(completion.choices)
    )
    if (completion.body.get("stream_options") or {}).get("include_usage"):
        found.append(Frame(writer.chunk(None, completion.usage), closing=True))
    return [*found, Frame("[DONE]", closing=True)]


def heartbeat(completion: Completion) -> Frame:
    """Writes a chunk that says nothing."""
    return Frame(_Chunks(completion).chunk({"index": 0, "delta": {}}))


class _Chunks:
    """Makes the chunks of one stream."""

    def __init__(self, completion: Completion) -> None:
        head = completion.head
        self._head = {
            "id": head["id"],
            "object": "chat.completion.chunk",
            "created": head["created"],
            "model": head["model"],
        }
        self._tail = completion.tail

    def chunk(self, choice: Json | None, usage: Json | None = None) -> Json:
        spent = {} if usage is None else {"usage": usage}
        return {**self._head, "choices": [] if choice is None else [choice], **spent, **self._tail}


def _choice(completion: Completion, index: int) -> Json:
    decision = completion.choices[index]
    message: Json = {"role": "assistant", "content": decision.text}
    if _readable(completion) and decision.reasoning:
        message["reasoning_content"] = decision.reasoning
    if decision.calls:
        message["tool_calls"] = [_call(call) for call in decision.calls]
    message["refusal"] = None
    choice = {"index": index, "message": message, "finish_reason": decision.finish}
    chances = odds(completion.body, tokens.pieces(decision.text))
    return choice if chances is None else {**choice, "logprobs": chances}


def _call(call: Call, index: int | None = None) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    place = {} if index is None else {"index": index}
    return {"id": call.id, "function": function, **place, "type": "function"}


def _readable(completion: Completion) -> bool:
    return catalogue.shows_reasoning(completion.body["model"])


def _interleaved(completion: Completion) -> Iterator[Json]:
    """Takes turns between the choices, a delta each, as they are generated side by side."""
    running = [
        (index, _deltas(completion, decision)) for index, decision in enumerate(completion.choices)
    ]
    while running:
        still = []
        for index, deltas in running:
            delta = next(deltas, None)
            if delta is not None:
                chances = odds(completion.body, [delta["content"]] if delta.get("content") else [])
                extra = {} if not chances or not chances["content"] else {"logprobs": chances}
                yield {"index": index, "delta": delta, **extra}
                still.append((index, deltas))
        running = still


def _deltas(completion: Completion, decision: Decision) -> Iterator[Json]:
    """Makes the deltas of one choice, of which the first one names the role."""
    role: Json = {"role": "assistant"}
    if decision.reasoning and not _readable(completion):
        yield role
        yield from ({} for _ in range(HEARTBEATS))
        role = {}
    for delta in _payload(completion, decision):
        yield {**delta, **role}
        role = {}
    if role:
        yield {"content": "", **role}


def _payload(completion: Completion, decision: Decision) -> Iterator[Json]:
    if _readable(completion):
        yield from ({"reasoning_content": piece} for piece in tokens.pieces(decision.reasoning))
    yield from ({"content": piece} for piece in tokens.pieces(decision.text))
    for index, call in enumerate(decision.calls):
        yield {"tool_calls": [_call(call, index)]}
