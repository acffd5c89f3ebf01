"""What the fake model generated, before a serializer formats it for an API, and its usage.

Usage and cost are computed as xAI does: reasoning tokens are not completion tokens.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.prompt_parsing import Conversation, join_text
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.store import make_uuid
from xai_lowcode.emulator.tokenizer import count_tokens

TOKENS_PER_MESSAGE = 4
TEMPLATE_TOKENS = 3


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One function call; the arguments are JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CompletionChoice:
    """One choice of a completion; `reasoning` is set also if the model does not show it."""

    text: str
    calls: tuple[FunctionCall, ...]
    reasoning: str
    finish_reason: str
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion of a chat request.

    Attributes:
        body: The request in the Chat Completions format.
        sequence: The number of the request, from which ids are derived.
        usage: The usage in the Chat Completions format.
    """

    body: Json
    sequence: int
    choices: Sequence[CompletionChoice]
    usage: Json
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def model(self) -> str:
        """The name of the model, as requested."""
        return str(self.body["model"])

    @property
    def shows_reasoning(self) -> bool:
        """Whether the reasoning is in the response as plain text."""
        return models.shows_reasoning(self.model)

    def make_id(self, kind: str) -> str:
        """Return the id of the response, which is the same in every run."""
        return make_uuid(f"{kind}/{self.sequence}")


def compute_usage(
    body: Json, conversation: Conversation, choices: Sequence[CompletionChoice]
) -> Json:
    """Return the usage of a completion; all messages but the last one are cached."""
    message_tokens = [_count_message(message) for message in body["messages"]]
    text = TEMPLATE_TOKENS + sum(message_tokens) + _count_tools(body)
    images = sum(image.tokens for image in conversation.images)
    cached = TEMPLATE_TOKENS + sum(message_tokens[:-1])
    visible = sum(
        count_tokens(choice.text) + sum(count_tokens(c.name + c.arguments) for c in choice.calls)
        for choice in choices
    )
    reasoning = sum(count_tokens(choice.reasoning) for choice in choices)
    prices = models.token_prices(body["model"])
    uncached = text + images - cached
    # A request with a long prompt costs double as a whole.
    factor = 2 if text + images >= models.LONG_CONTEXT else 1
    return {
        "prompt_tokens": text + images,
        "completion_tokens": visible,
        "total_tokens": text + images + visible + reasoning,
        "prompt_tokens_details": {
            "text_tokens": text,
            "audio_tokens": 0,
            "image_tokens": images,
            "cached_tokens": cached,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
        "cost_in_usd_ticks": factor
        * (
            uncached * prices.prompt
            + cached * prices.cached
            + (visible + reasoning) * prices.completion
        ),
    }


def replace_usage(usage: Json, counts: Mapping[str, int]) -> Json:
    """Return the usage with other counts, as `Reply.usage` has them."""
    details, output_details = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    prompt = counts.get("input_tokens", usage["prompt_tokens"])
    reasoning = counts.get("reasoning_tokens", output_details["reasoning_tokens"])
    output = counts.get("output_tokens", usage["completion_tokens"] + reasoning)
    if "reasoning_tokens" not in counts:
        reasoning = min(output, reasoning)
    cached = counts.get("cached_tokens", min(prompt, details["cached_tokens"]))
    return {
        **usage,
        "prompt_tokens": prompt,
        "completion_tokens": output - reasoning,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {
            **details,
            "text_tokens": max(0, prompt - details["image_tokens"]),
            "cached_tokens": cached,
        },
        "completion_tokens_details": {**output_details, "reasoning_tokens": reasoning},
        "cost_in_usd_ticks": counts.get("cost_in_usd_ticks", usage["cost_in_usd_ticks"]),
    }


def _count_message(message: Json) -> int:
    functions = [call["function"] for call in message.get("tool_calls") or []]
    calls = sum(count_tokens(function["name"] + function["arguments"]) for function in functions)
    return TOKENS_PER_MESSAGE + count_tokens(join_text(message.get("content"))) + calls


def _count_tools(body: Json) -> int:
    """Count the tokens of the tools, independently of the order of keys and of the API."""
    functions = [tool["function"] for tool in body.get("tools") or []]
    return sum(
        count_tokens(f"{function['name']} {function.get('description') or ''} ")
        + count_tokens(json.dumps(function["parameters"], sort_keys=True))
        for function in functions
    )
