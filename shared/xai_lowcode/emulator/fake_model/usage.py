"""Counting and charging as xAI does: reasoning stands beside the completion, not inside it."""

import json
from collections.abc import Sequence

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model.decision import Decision
from xai_lowcode.emulator.fake_model.prompt_parsing import Conversation, text_of
from xai_lowcode.emulator.handler_types import Json

PER_MESSAGE = 4
TEMPLATE = 3


def usage(body: Json, conversation: Conversation, choices: Sequence[Decision]) -> Json:
    """Makes the usage of one answer; what was said before the last message is cached."""
    said = [_message_tokens(message) for message in body["messages"]]
    text = TEMPLATE + sum(said) + _tools_tokens(body)
    images = sum(picture.tokens for picture in conversation.pictures)
    cached = TEMPLATE + sum(said[:-1])
    visible = sum(_visible(choice) for choice in choices)
    reasoning = sum(tokens.count(choice.reasoning) for choice in choices)
    cost = catalogue.prices(body["model"])
    fresh = text + images - cached
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
        "cost_in_usd_ticks": (
            fresh * cost.prompt + cached * cost.cached + (visible + reasoning) * cost.completion
        ),
    }


def _message_tokens(message: Json) -> int:
    calls = message.get("tool_calls") or []
    called = sum(
        tokens.count(call["function"]["name"] + call["function"]["arguments"]) for call in calls
    )
    return PER_MESSAGE + tokens.count(text_of(message.get("content"))) + called


def _tools_tokens(body: Json) -> int:
    """Counts what a tool says of itself, in whichever order and dialect it says it."""
    functions = [tool["function"] for tool in body.get("tools") or []]
    return sum(
        tokens.count(f"{one['name']} {one.get('description') or ''} ")
        + tokens.count(json.dumps(one["parameters"], sort_keys=True))
        for one in functions
    )


def _visible(choice: Decision) -> int:
    called = sum(tokens.count(call.name + call.arguments) for call in choice.calls)
    return tokens.count(choice.text) + called
