"""The models: names, prices, capabilities and the parameters that each refuses.

Capabilities follow from patterns of the name. A name that no pattern has is a reasoning model with
text and image input, as all recent models are.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from zlib import crc32

from xai_lowcode.emulator.json_values import Json

# Names that another model serves. A name without a version is that of the newest model.
NEWEST = "grok-4.7"
SERVED_BY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(grok-)?latest$"), NEWEST),
    (re.compile(r"grok-build-latest$"), "grok-4.5"),
    (re.compile(r"grok-code-fast"), "grok-build-0.1"),
    (re.compile(r"grok-imagine-image-(quality|pro)"), "grok-imagine-image-2.0"),
)
IMAGE_MODEL = re.compile(r"grok-imagine-image|grok-2-image")
NO_TEXT = re.compile(r"grok-imagine|grok-2-image")
MULTI_AGENT = re.compile(r".*multi-agent")
DEPRECATED = {"grok-beta": ("2025-09-15", "grok-3"), "grok-vision-beta": ("2025-09-15", "grok-4")}
NOT_REASONING = re.compile(r".*non-reasoning|grok-2|grok-3(-fast)?(-latest|-beta)?$")
SHOWS_REASONING = re.compile(r"grok-3-mini|grok-code|grok-build-0|grok-4\.3")
# The Messages API has a fixed text in place of the reasoning of these.
HIDES_REASONING = re.compile(r"grok-4\.[67]|(grok-)?latest$")
# The Responses API has encrypted reasoning of these also without `include`.
ALWAYS_ENCRYPTED = re.compile(r"grok-4\.7|(grok-)?latest$")
TEXT_ONLY = re.compile(r"grok-3|grok-2(?!-vision|-image)|grok-code")
NO_LOGPROBS = re.compile(r"grok-4\.([3-9]|2\d)|grok-[5-9]|grok-build|(grok-)?latest$")
# These have the newer text for a parameter that is not supported.
NEWER_REFUSAL = re.compile(r"grok-4\.(20|[5-9])|grok-[5-9]|grok-build|(grok-)?latest$")
NOT_SUPPORTED = "Argument not supported on this model: {parameter}"
NOT_SUPPORTED_NEWER = "Model {model} does not support parameter {parameter}."
BAD_EFFORT = "This model does not support 'reasoning_effort' value '{effort}'"
LONG_CONTEXT = 200_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of one token, in ticks of 10^-10 US dollars; a long prompt doubles all of them."""

    prompt: int
    cached: int
    completion: int


STANDARD = Prices(12_500, 2_000, 25_000)
CODING = Prices(10_000, 2_000, 20_000)
NEW = Prices(20_000, 5_000, 60_000)
PRICES: tuple[tuple[re.Pattern[str], Prices], ...] = (
    (re.compile(r"grok-build|grok-code"), CODING),
    (re.compile(r"grok-[23]|grok-4(-|$|\.[123])"), STANDARD),
    (re.compile(r""), NEW),
)
# By quality and resolution. The price of 1.5k is not published; that of 2k is used.
IMAGE_PRICE = 200_000_000
IMAGE_2_PRICES = {
    ("low", "1k"): 400_000_000, ("low", "1.5k"): 600_000_000, ("low", "2k"): 600_000_000,
    ("medium", "1k"): 600_000_000, ("medium", "1.5k"): 800_000_000, ("medium", "2k"): 800_000_000,
}  # fmt: skip

# Model pattern and allowed efforts; None if it refuses the parameter. The first match applies.
EFFORT_RULES: tuple[tuple[re.Pattern[str], frozenset[str] | None], ...] = (
    (MULTI_AGENT, frozenset({"low", "medium", "high", "xhigh"})),
    (re.compile(r"grok-build|grok-4\.20|grok-2"), None),
    (re.compile(r"grok-4\.5"), frozenset({"low", "medium", "high"})),
    (re.compile(r"grok-4\.6"), frozenset({"minimal", "low", "medium", "high", "xhigh"})),
    (re.compile(r"grok-4\.7"), frozenset({"low", "medium", "high", "xhigh"})),
    # The other names of Grok 3 and 4 are served by Grok 4.3.
    (re.compile(r"grok-3|grok-4(-|$|\.[13])"), frozenset({"none", "low", "medium", "high"})),
    (re.compile(r""), frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})),
)

# Name, time of creation, context length; None for other models than language models.
LISTED: tuple[tuple[str, int, int | None], ...] = (
    ("grok-4.20-0309-non-reasoning", 1773014400, 1_000_000),
    ("grok-4.20-0309-reasoning", 1773014400, 1_000_000),
    ("grok-4.20-multi-agent-0309", 1773014400, 1_000_000),
    ("grok-4.3", 1776384000, 1_000_000),
    ("grok-4.5", 1783468800, 500_000),
    ("grok-4.6", 1785888000, 500_000),
    (NEWEST, 1788000000, 500_000),
    ("grok-build-0.1", 1776297600, 256_000),
    ("grok-imagine-image", 1769558400, None),
    ("grok-imagine-image-2.0", 1787000000, None),
    ("grok-imagine-video", 1769558400, None),
    ("grok-imagine-video-1.5", 1780000000, None),
)
DEFAULT_CREATED = 1776384000
DEFAULT_CONTEXT = 500_000
ALIASES = {
    NEWEST: ["grok-4.7-latest", "grok-latest", "latest"],
    "grok-4.5": ["grok-4.5-latest", "grok-build-latest"],
    "grok-4.3": ["grok-4.3-latest"],
    "grok-build-0.1": ["grok-code-fast-1", "grok-code-fast"],
    "grok-4.20-0309-reasoning": ["grok-4.20-reasoning"],
    "grok-4.20-0309-non-reasoning": ["grok-4.20-non-reasoning"],
    "grok-imagine-image-2.0": ["grok-imagine-image-quality", "grok-imagine-image-pro"],
}
# Retired models whose names xAI still serves.
RETIRED = (
    *("grok-2", "grok-2-image", "grok-2-vision"),
    *("grok-3", "grok-3-fast", "grok-3-mini", "grok-3-mini-fast"),
    *("grok-4", "grok-4-fast", "grok-4-fast-reasoning", "grok-4-fast-non-reasoning"),
    *("grok-4-1-fast", "grok-4-1-fast-reasoning", "grok-4-1-fast-non-reasoning", "grok-4.1-fast"),
)
# A name may have a date, as `grok-4-0709` and `grok-4.20-0309-reasoning`, or a channel at its end.
DATE = re.compile(r"-(0[1-9]|1[0-2])([0-2]\d|3[01])(?=-|$)")
CHANNEL = re.compile(r"-(latest|beta)$")
MAX_IMAGE_PROMPT = 1024


def _without_date(name: str) -> str:
    return DATE.sub("", CHANNEL.sub("", name), count=1)


UNDATED = {_without_date(name) for name in (*(name for name, _, _ in LISTED), *RETIRED)}
KNOWN_ALIASES = {alias for aliases in ALIASES.values() for alias in aliases}


def exists(name: str, extra: Collection[str] = ()) -> bool:
    """Return True for a listed or retired model, dated or not, an alias, and the extra names."""
    return name in KNOWN_ALIASES or name in extra or _without_date(name) in UNDATED


def served_by(name: str) -> str:
    """Return the name of the model that serves a name."""
    return next((model for pattern, model in SERVED_BY if pattern.match(name)), name)


def is_reasoning(model: str) -> bool:
    """Return True if the model reasons before it responds."""
    return not NOT_REASONING.match(model)


def shows_reasoning(model: str) -> bool:
    """Return True if the reasoning is in the response as plain text."""
    return is_reasoning(model) and bool(SHOWS_REASONING.match(model))


def effort_error(model: str, effort: str) -> str | None:
    """Return the error text for a reasoning effort that the model refuses, else None."""
    served = served_by(model)
    allowed = next(allowed for pattern, allowed in EFFORT_RULES if pattern.match(served))
    if allowed is None:
        return refusal(model, "reasoningEffort")
    return None if effort in allowed else BAD_EFFORT.format(effort=effort)


def refusal(model: str, parameter: str) -> str:
    """Return the error text for a parameter that the model refuses."""
    text = NOT_SUPPORTED_NEWER if NEWER_REFUSAL.match(served_by(model)) else NOT_SUPPORTED
    return text.format(model=model, parameter=parameter)


def token_prices(model: str) -> Prices:
    """Return the token prices of a model."""
    served = served_by(model)
    return next(prices for pattern, prices in PRICES if pattern.match(served))


def image_price(model: str, quality: str | None = None, resolution: str | None = None) -> int:
    """Return the price of one generated image, in ticks."""
    if served_by(model) != "grok-imagine-image-2.0":
        return IMAGE_PRICE
    return IMAGE_2_PRICES["medium" if quality == "medium" else "low", resolution or "1k"]


def fingerprint(model: str) -> str:
    """Return the system fingerprint of a model."""
    return f"fp_{crc32(model.encode()):010x}"


def get_model(name: str, extra: Collection[str] = ()) -> Json | None:
    """Return the model object of `/v1/models`; None for an unknown model."""
    if not exists(name, extra):
        return None
    created, context = next(
        ((created, context) for listed, created, context in LISTED if listed == name),
        (DEFAULT_CREATED, None if name.startswith("grok-imagine") else DEFAULT_CONTEXT),
    )
    model: Json = {"id": name, "created": created, "object": "model", "owned_by": "xai"}
    model["aliases"] = ALIASES.get(name, [])
    if IMAGE_MODEL.match(name):
        model["image_price"] = image_price(name)
        if served_by(name) == "grok-imagine-image-2.0":
            model["pricing"] = [
                {"quality": quality, "resolution": resolution, "price_per_image": price}
                for (quality, resolution), price in IMAGE_2_PRICES.items()
            ]
    elif context is not None:
        price = token_prices(name)
        model |= {
            "context_length": context,
            "prompt_text_token_price": price.prompt,
            "cached_prompt_text_token_price": price.cached,
            "prompt_image_token_price": price.prompt,
            "completion_text_token_price": price.completion,
            "prompt_text_token_price_long_context": 2 * price.prompt,
            "cached_prompt_text_token_price_long_context": 2 * price.cached,
            "completion_text_token_price_long_context": 2 * price.completion,
            "long_context_threshold": LONG_CONTEXT,
        }
    return model


def get_language_model(name: str, extra: Collection[str] = ()) -> Json | None:
    """Return the model object of `/v1/language-models`; None if there is none of this name."""
    model = get_model(name, extra)
    if model is None or "completion_text_token_price" not in model:
        return None
    return {
        **_describe(model),
        "input_modalities": ["text"] if TEXT_ONLY.match(name) else ["text", "image"],
        "output_modalities": ["text"],
        **{key: price for key, price in model.items() if "price" in key},
        "search_price": 0,
        "long_context_threshold": LONG_CONTEXT,
        "aliases": model["aliases"],
    }


def get_image_model(name: str, extra: Collection[str] = ()) -> Json | None:
    """Return the model object of `/v1/image-generation-models`; None if there is none."""
    model = get_model(name, extra)
    if model is None or "image_price" not in model:
        return None
    return {
        **_describe(model),
        "max_prompt_length": MAX_IMAGE_PROMPT,
        "input_modalities": ["text", "image"],
        "output_modalities": ["image"],
        **{key: model[key] for key in ("image_price", "pricing", "aliases") if key in model},
    }


def _describe(model: Json) -> Json:
    fields = {key: model[key] for key in ("id", "created", "object", "owned_by")}
    return {**fields, "fingerprint": fingerprint(model["id"]), "version": "1.0"}


def list_models(
    get: Callable[[str, Collection[str]], Json | None], extra: Collection[str]
) -> list[Json]:
    """Return the listed models, and the extra ones, that `get` returns an object for."""
    names = dict.fromkeys([*(name for name, _, _ in LISTED), *extra])
    return [model for name in names if (model := get(name, extra))]
