"""Handlers of the two legacy completion endpoints, which reasoning models refuse."""

from collections.abc import Iterator, Sequence
from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.completion import Completion
from xai_lowcode.emulator.fake_model.decide import complete
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult, SSEFrame
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import bad_request, invalid_argument
from xai_lowcode.emulator.rules.chat import check_chat_model, check_request
from xai_lowcode.emulator.schemas.chat import STREAM_OPTIONS
from xai_lowcode.emulator.schemas.messages import METADATA
from xai_lowcode.emulator.tokenizer import split_tokens
from xai_lowcode.emulator.validation import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    ArrayOf,
    Struct,
    UntaggedEnum,
)

REASONING_MODEL = "Model {} is a reasoning model and does not support this endpoint."
MAX_CHOICES = 128
SAMPLE_REQUEST = Struct(
    "SampleRequest",
    {"prompt": UntaggedEnum("SampleContent", {str: STRING, list: ArrayOf(STRING)})},
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
        "stop": ArrayOf(STRING),
        "stream": BOOLEAN,
        "stream_options": STREAM_OPTIONS,
        "suffix": STRING,
        "temperature": NUMBER,
        "top_p": NUMBER,
        "user": STRING,
    },
)
COMPLETE_REQUEST = Struct(
    "CompleteRequest",
    {"prompt": STRING, "max_tokens_to_sample": INTEGER},
    {
        "model": STRING,
        "metadata": METADATA,
        "stop_sequences": ArrayOf(STRING),
        "stream": BOOLEAN,
        "temperature": NUMBER,
        "top_k": INTEGER,
        "top_p": NUMBER,
    },
)
CHAT_FIELDS = (
    *("model", "max_tokens", "n", "stop", "temperature", "top_p"),
    *("presence_penalty", "frequency_penalty"),
)


async def create(request: HandlerRequest) -> HandlerResult:
    """Complete one or several prompts (`/v1/completions`)."""
    body = request.body
    prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
    if not prompts:
        raise invalid_argument("prompt must not be empty")
    if len(prompts) * (body.get("n") or 1) > MAX_CHOICES:
        raise invalid_argument(f"a maximum of {MAX_CHOICES} choices")
    chat = {name: body[name] for name in CHAT_FIELDS if body.get(name) is not None}
    completions = [_complete_prompt(chat, prompt, request) for prompt in prompts]
    response = {
        "id": completions[0].make_id("sample"),
        "object": "text_completion",
        "created": completions[0].created,
        "model": body["model"],
        "choices": list(_choices(body, prompts, completions)),
        "usage": _sum_usage([completion.usage for completion in completions]),
        "system_fingerprint": models.fingerprint(body["model"]),
    }
    return HandlerResult(response, list(_frames(body, response)) if body.get("stream") else None)


async def create_anthropic(request: HandlerRequest) -> HandlerResult:
    """Complete a prompt with `Human:` and `Assistant:` turns (`/v1/complete`)."""
    body = request.body
    if body.get("stream"):
        raise bad_request("Argument not supported: stream")
    prompt = body["prompt"].strip()
    if prompt.startswith("Human:") and prompt.endswith("Assistant:"):
        prompt = prompt.removeprefix("Human:").removesuffix("Assistant:").strip()
    names = ("model", "temperature", "top_p")
    chat = {name: body[name] for name in names if body.get(name) is not None}
    chat |= {"max_tokens": body["max_tokens_to_sample"], "stop": body.get("stop_sequences")}
    completion = _complete_prompt(chat, prompt, request)
    choice = completion.choices[0]
    response = {
        "type": "completion",
        "id": completion.make_id("complete"),
        "completion": f" {choice.text}",
        "stop_reason": "max_tokens" if choice.finish_reason == "length" else "stop_sequence",
        "model": body["model"],
    }
    return HandlerResult(response)


def _complete_prompt(chat: Json, prompt: str, request: HandlerRequest) -> Completion:
    chat = {**chat, "messages": [{"role": "user", "content": prompt}]}
    check_chat_model(chat, request.emulator.models)
    if models.is_reasoning(chat["model"]):
        raise bad_request(REASONING_MODEL.format(chat["model"]))
    check_request(chat)
    return complete(chat, request)


def _choices(
    body: Json, prompts: Sequence[str], completions: Sequence[Completion]
) -> Iterator[Json]:
    index = 0
    for prompt, completion in zip(prompts, completions, strict=True):
        for choice in completion.choices:
            text = prompt + choice.text if body.get("echo") else choice.text
            yield {"index": index, "text": text, "finish_reason": choice.finish_reason}
            index += 1


def _frames(body: Json, response: Json) -> Iterator[SSEFrame]:
    head = {key: value for key, value in response.items() if key not in {"choices", "usage"}}
    for choice in response["choices"]:
        for token in split_tokens(choice["text"]):
            chunk = {"index": choice["index"], "text": token, "finish_reason": None}
            yield SSEFrame({**head, "choices": [chunk]})
    for choice in response["choices"]:
        yield SSEFrame({**head, "choices": [{**choice, "text": ""}]}, closing=True)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield SSEFrame({**head, "choices": [], "usage": response["usage"]}, closing=True)
    yield SSEFrame("[DONE]", closing=True)


def _sum_usage(parts: Sequence[Any]) -> Any:
    """Add usage objects field by field."""
    if isinstance(parts[0], dict):
        return {key: _sum_usage([part[key] for part in parts]) for key in parts[0]}
    return sum(parts)
