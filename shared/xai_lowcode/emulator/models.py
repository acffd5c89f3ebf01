"""The models: names, prices, capabilities and the parameters that each refuses.

Capabilities follow from patterns of the name. An unknown name is a reasoning model with text and
image input, as all recent models are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

Json = dict[str, Any]
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})
# Every name that begins with grok is a model, except those with `nonexistent` for tests.
MODEL_NAME = re.compile(r"grok(?!.*nonexistent)|latest$")
IMAGE_MODEL = re.compile(r"grok-imagine-image|grok-2-image")
NO_CHAT = re.compile(r"grok-imagine|grok-2-image|.*multi-agent")
DEPRECATED = {"grok-beta": ("2025-09-15", "grok-3"), "grok-vision-beta": ("2025-09-15", "grok-4")}
NOT_REASONING = re.compile(r".*non-reasoning|grok-2|grok-3(-fast)?(-latest|-beta)?$")
SHOWS_REASONING = re.compile(r"grok-3-mini|grok-code|grok-build|grok-4\.3|(grok-)?latest$")
# The Messages API has a fixed text in place of the reasoning of these.
HIDES_REASONING = re.compile(r"grok-4\.[67]")
# The Responses API has encrypted reasoning of these also without `include`.
ALWAYS_ENCRYPTED = re.compile(r"grok-4\.7")
TEXT_ONLY = re.compile(r"grok-3|grok-2(?!-vision|-image)|grok-code")
NO_LOGPROBS = re.compile(r"grok-4\.([3-9]|2\d)|grok-[5-9]|grok-build|(grok-)?latest$")


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of one token, in ticks of 10^-10 US dollars."""

    prompt: int
    cached: int
    completion: int


STANDARD = Prices(12_500, 2_000, 25_000)
CODING = Prices(10_000, 2_000, 20_000)
IMAGE_PRICES = {"quality": 400_000_000, "pro": 700_000_000, "": 200_000_000}

# Model pattern, allowed efforts, error text for others. The first pattern that matches applies.
EFFORT_RULES: tuple[tuple[re.Pattern[str], frozenset[str], str], ...] = (
    (
        re.compile(r"grok-build|grok-code|grok-4\.20"),
        frozenset(),
        "Model {model} does not support parameter reasoningEffort.",
    ),
    (
        re.compile(r".*non-reasoning|grok-2|grok-3(?!-mini)|grok-4($|-)"),
        frozenset(),
        "Argument not supported on this model: reasoningEffort",
    ),
    (
        re.compile(r"grok-4\.5"),
        frozenset({"low", "medium", "high"}),
        "This model does not support 'reasoning_effort' value '{effort}'",
    ),
    (
        re.compile(r"grok-4\.[67]"),
        frozenset({"low", "medium", "high", "xhigh"}),
        "This model does not support 'reasoning_effort' value '{effort}'",
    ),
    (
        re.compile(r"grok-4\.3|grok-3-mini|(grok-)?latest$"),
        frozenset({"none", "low", "medium", "high"}),
        "This model does not support 'reasoning_effort' value '{effort}'",
    ),
    (re.compile(r""), EFFORTS, "This model does not support 'reasoning_effort' value '{effort}'"),
)

LISTED: tuple[tuple[str, int, Prices | int | None], ...] = (
    ("grok-4.20-0309-non-reasoning", 1773014400, STANDARD),
    ("grok-4.20-0309-reasoning", 1773014400, STANDARD),
    ("grok-4.20-multi-agent-0309", 1773014400, STANDARD),
    ("grok-4.3", 1776384000, STANDARD),
    ("grok-4.7", 1788000000, STANDARD),
    ("grok-build-0.1", 1776297600, CODING),
    ("grok-imagine-image", 1769558400, IMAGE_PRICES[""]),
    ("grok-imagine-image-quality", 1775174400, IMAGE_PRICES["quality"]),
    ("grok-imagine-video", 1769558400, None),
)
DEFAULT_CREATED = 1776384000
ALIASES = {
    "grok-4.3": ["grok-4.3-latest", "grok-latest", "latest"],
    "grok-build-0.1": ["grok-code-fast-1", "grok-code-fast"],
    "grok-4.20-0309-reasoning": ["grok-4.20-reasoning"],
    "grok-4.20-0309-non-reasoning": ["grok-4.20-non-reasoning"],
}
MAX_IMAGE_PROMPT = 1024


def is_reasoning(model: str) -> bool:
    """Return True if the model reasons before it responds."""
    return not NOT_REASONING.match(model)


def shows_reasoning(model: str) -> bool:
    """Return True if the reasoning is in the response as plain text."""
    return is_reasoning(model) and bool(SHOWS_REASONING.match(model))


def effort_error(model: str, effort: str) -> str | None:
    """Return the error text for a reasoning effort that the model refuses, else None."""
    for pattern, allowed, text in EFFORT_RULES:
        if pattern.match(model):
            return None if effort in allowed else text.format(model=model, effort=effort)
    return None


def token_prices(model: str) -> Prices:
    """Return the token prices of a model."""
    return CODING if re.match(r"grok-build|grok-code", model) else STANDARD


def image_price(model: str) -> int:
    """Return the price of one generated image, in ticks."""
    return next(price for name, price in IMAGE_PRICES.items() if name in model)


def fingerprint(model: str) -> str:
    """Return the system fingerprint of a model."""
    return f"fp_{crc32(model.encode()):010x}"


def get_model(name: str) -> Json | None:
    """Return the model object of `/v1/models`; None for an unknown model."""
    if not MODEL_NAME.match(name):
        return None
    created, price = next(
        ((created, price) for listed, created, price in LISTED if listed == name),
        (DEFAULT_CREATED, image_price(name) if IMAGE_MODEL.match(name) else token_prices(name)),
    )
    model: Json = {"id": name, "created": created, "object": "model", "owned_by": "xai"}
    if isinstance(price, int):
        model["image_price"] = price
    elif price is not None:
        model |= {
            "prompt_text_token_price": price.prompt,
            "cached_prompt_text_token_price": price.cached,
            "prompt_image_token_price": price.prompt,
            "completion_text_token_price": price.completion,
            "prompt_text_token_price_long_context": 2 * price.prompt,
            "cached_prompt_text_token_price_long_context": 2 * price.cached,
            "completion_text_token_price_long_context": 2 * price.completion,
            "long_context_threshold": 200_000,
        }
    return model


def get_language_model(name: str) -> Json | None:
    """Return the model object of `/v1/language-models`; None if there is none of this name."""
    model = get_model(name)
    if model is None or "completion_text_token_price" not in model:
        return None
    return {
        **_describe(model),
        "input_modalities": ["text"] if TEXT_ONLY.match(name) else ["text", "image"],
        "output_modalities": ["text"],
        **{key: price for key, price in model.items() if "price" in key},
        "search_price": 0,
        "long_context_threshold": model["long_context_threshold"],
        "aliases": ALIASES.get(name, []),
    }


def get_image_model(name: str) -> Json | None:
    """Return the model object of `/v1/image-generation-models`; None if there is none."""
    model = get_model(name)
    if model is None or "image_price" not in model:
        return None
    return {
        **_describe(model),
        "max_prompt_length": MAX_IMAGE_PROMPT,
        "input_modalities": ["text", "image"],
        "output_modalities": ["image"],
        "image_price": model["image_price"],
        "aliases": ALIASES.get(name, []),
    }


def _describe(model: Json) -> Json:
    fields = {key: model[key] for key in ("id", "created", "object", "owned_by")}
    return {**fields, "fingerprint": fingerprint(model["id"]), "version": "1.0"}


def list_models(get: Callable[[str], Json | None] = get_model) -> list[Json]:
    """Return the listed models that `get` returns an object for."""
    return [model for name, _, _ in LISTED if (model := get(name))]
