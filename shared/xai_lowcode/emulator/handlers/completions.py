"""The rooms of the two legacy forms, which models that think refuse."""

import re
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model.decide import considered
from xai_lowcode.emulator.handler_types import Answer, Ask, Frame, Json, invalid
from xai_lowcode.emulator.models import fingerprint
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.serializers.chat_completions import Completion
from xai_lowcode.emulator.state import SPACE
from xai_lowcode.emulator.validation import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Either,
    Listed,
    Struct,
)

THINKS = "Model {} is a reasoning model and does not support this endpoint."
TURN = re.compile(r"\A\s*Human:\s*(.*?)\s*Assistant:\s*\Z", re.DOTALL)
SAMPLE = Struct(
    "SampleRequest",
    {"prompt": Either("SampleContent", {str: STRING, list: Listed(STRING)})},
    {
        "model": STRING,
        "best_of": INTEGER,
        "echo": BOOLEAN,
        "frequency_penalty": NUMBER,
        "logit_bias": OBJECT,
        "logprobs": BOOLEAN,
        "max_tokens": INTEGER,
        "n": INTEGER,
        "presence_penalty": NUMBER,
        "seed": INTEGER,
        "stop": Listed(STRING),
        "stream": BOOLEAN,
        "stream_options": Struct("StreamOptions", {"include_usage": BOOLEAN}),
        "suffix": STRING,
        "temperature": NUMBER,
        "top_p": NUMBER,
        "user": STRING,
    },
)
COMPLETE = Struct(
    "CompleteRequest",
    {"prompt": STRING, "max_tokens_to_sample": INTEGER},
    {
        "model": STRING,
        "metadata": Struct("MessageMetadata", {}, {"user_id": STRING}),
        "stop_sequences": Listed(STRING),
        "stream": BOOLEAN,
        "temperature": NUMBER,
        "top_k": INTEGER,
        "top_p": NUMBER,
    },
)
PASSED_ON = (
    *("model", "max_tokens", "n", "stop", "temperature", "top_p"),
    *("presence_penalty", "frequency_penalty"),
)


async def sample(ask: Ask) -> Answer:
    """Goes on where one or several prompts end."""
    body = ask.body
    prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
    if not prompts:
        raise invalid("Invalid argument: prompt must not be empty")
    shared = {name: body[name] for name in PASSED_ON if body.get(name) is not None}
    found = [_considered({**shared, "messages": _said(prompt)}, ask) for prompt in prompts]
    choices = list(_choices(body, prompts, found))
    head = {
        "id": str(uuid.uuid5(SPACE, f"sample/{ask.sequence}")),
        "object": "text_completion",
        "created": int(time.time()),
        "model": body["model"],
    }
    tail = {"system_fingerprint": fingerprint(body["model"])}
    usage = _summed([completion.usage for completion in found])
    whole = {**head, "choices": choices, "usage": usage, **tail}
    return Answer(whole, list(_frames(body, whole)) if body.get("stream") else None)


async def complete(ask: Ask) -> Answer:
    """Goes on where a conversation in one text ends."""
    body = ask.body
    if body.get("stream"):
        raise invalid("Argument not supported: stream")
    turn = TURN.match(body["prompt"])
    names = ("model", "temperature", "top_p")
    chat = {name: body[name] for name in names if body.get(name) is not None}
    chat |= {"max_tokens": body["max_tokens_to_sample"], "stop": body.get("stop_sequences")}
    chat["messages"] = _said(turn[1] if turn else body["prompt"])
    decision = _considered(chat, ask).choices[0]
    return Answer(
        {
            "type": "completion",
            "id": str(uuid.uuid5(SPACE, f"complete/{ask.sequence}")),
            "completion": f" {decision.text}",
            "stop_reason": "max_tokens" if decision.finish == "length" else "stop_sequence",
            "model": body["model"],
        }
    )


def _said(prompt: str) -> list[Json]:
    return [{"role": "user", "content": prompt}]


def _considered(chat: Json, ask: Ask) -> Completion:
    check_chat_model(chat)
    if catalogue.reasons(chat["model"]):
        raise invalid(THINKS.format(chat["model"]))
    check_request(chat)
    return considered(chat, ask.sequence)


def _choices(body: Json, prompts: Sequence[str], found: Sequence[Completion]) -> Iterator[Json]:
    index = 0
    for prompt, completion in zip(prompts, found, strict=True):
        for decision in completion.choices:
            text = prompt + decision.text if body.get("echo") else decision.text
            yield {"index": index, "text": text, "finish_reason": decision.finish}
            index += 1


def _frames(body: Json, whole: Json) -> Iterator[Frame]:
    head = {key: value for key, value in whole.items() if key not in {"choices", "usage"}}
    for choice in whole["choices"]:
        for piece in tokens.pieces(choice["text"]):
            part = {"index": choice["index"], "text": piece, "finish_reason": None}
            yield Frame({**head, "choices": [part]})
    for choice in whole["choices"]:
        yield Frame({**head, "choices": [{**choice, "text": ""}]}, closing=True)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield Frame({**head, "choices": [], "usage": whole["usage"]}, closing=True)
    yield Frame("[DONE]", closing=True)


def _summed(parts: Sequence[Any]) -> Any:
    """Adds usages member by member."""
    if isinstance(parts[0], dict):
        return {key: _summed([part[key] for part in parts]) for key in parts[0]}
    return sum(parts)
