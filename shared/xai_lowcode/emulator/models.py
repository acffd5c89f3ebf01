"""What is known of models: which exist, what they cost, what they can and what they refuse.

Everything goes by patterns on the name. A name nobody has heard of is a reasoning model that
takes text and pictures, as every recent one is.
"""

import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from xai_lowcode.emulator import models as catalogue

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})
# Whatever begins with grok exists, unless it says itself that it does not.
CHAT = re.compile(r"grok(?!.*nonexistent)|latest$")
PICTURES = re.compile(r"grok-imagine-image|grok-2-image")
NO_CHAT = re.compile(r"grok-imagine|grok-2-image|.*multi-agent")
DEPRECATED = {"grok-beta": ("2025-09-15", "grok-3"), "grok-vision-beta": ("2025-09-15", "grok-4")}
NOT_REASONING = re.compile(r".*non-reasoning|grok-2|grok-3(-fast)?(-latest|-beta)?$")
SHOWS_REASONING = re.compile(r"grok-3-mini|grok-code|grok-build|grok-4\.3|(grok-)?latest$")
# Messages of these show a fixed text in place of their thoughts.
VEILS_REASONING = re.compile(r"grok-4\.[67]")
# Responses of these bring encrypted thoughts also when nobody has asked for them.
ALWAYS_ENCRYPTED = re.compile(r"grok-4\.7")
TEXT_ONLY = re.compile(r"grok-3|grok-2(?!-vision|-image)|grok-code")
SILENT_ON_LOGPROBS = re.compile(r"grok-4\.([3-9]|2\d)|grok-[5-9]|grok-build|(grok-)?latest$")


@dataclass(frozen=True, slots=True)
class Prices:
    """US cents for 100 million tokens, which are ticks of 10^-10 dollars for one."""

    prompt: int
    cached: int
    completion: int


STANDARD = Prices(12_500, 2_000, 25_000)
CODING = Prices(10_000, 2_000, 20_000)
PICTURE_PRICES = {"quality": 400_000_000, "pro": 700_000_000, "": 200_000_000}

# What a pattern does not list it refuses with the text beside it; later rows are not looked at.
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
    ("grok-imagine-image", 1769558400, PICTURE_PRICES[""]),
    ("grok-imagine-image-quality", 1775174400, PICTURE_PRICES["quality"]),
    ("grok-imagine-video", 1769558400, None),
)


def reasons(model: str) -> bool:
    """Tells whether a model thinks before it answers."""
    return not NOT_REASONING.match(model)


def shows_reasoning(model: str) -> bool:
    """Tells whether a model lets its thoughts be read."""
    return reasons(model) and bool(SHOWS_REASONING.match(model))


def effort_problem(model: str, effort: str) -> str | None:
    """Says why a model does not take this effort."""
    for pattern, allowed, text in EFFORT_RULES:
        if pattern.match(model):
            return None if effort in allowed else text.format(model=model, effort=effort)
    return None


def prices(model: str) -> Prices:
    """Tells what the tokens of a model cost."""
    return CODING if re.match(r"grok-build|grok-code", model) else STANDARD


def picture_price(model: str) -> int:
    """Tells what a picture costs, in ticks."""
    return next(price for word, price in PICTURE_PRICES.items() if word in model)


def described(name: str) -> dict[str, Any] | None:
    """Describes a model as `/v1/models` does, or says that there is none."""
    if not CHAT.match(name):
        return None
    created, cost = next(
        ((created, cost) for listed, created, cost in LISTED if listed == name),
        (1776384000, picture_price(name) if PICTURES.match(name) else prices(name)),
    )
    row = {"id": name, "created": created, "object": "model", "owned_by": "xai"}
    return row | _priced(cost)


def listing() -> list[dict[str, Any]]:
    """Describes the models that are on offer."""
    return [row for name, _, _ in LISTED if (row := described(name))]


def _priced(cost: Prices | int | None) -> dict[str, Any]:
    if cost is None:
        return {}
    if isinstance(cost, int):
        return {"image_price": cost}
    return {
        "prompt_text_token_price": cost.prompt,
        "cached_prompt_text_token_price": cost.cached,
        "prompt_image_token_price": cost.prompt,
        "completion_text_token_price": cost.completion,
        "prompt_text_token_price_long_context": 2 * cost.prompt,
        "cached_prompt_text_token_price_long_context": 2 * cost.cached,
        "completion_text_token_price_long_context": 2 * cost.completion,
        "long_context_threshold": 200_000,
    }


Json = dict[str, Any]
ALIASES = {
    "grok-4.3": ["grok-4.3-latest", "grok-latest", "latest"],
    "grok-build-0.1": ["grok-code-fast-1", "grok-code-fast"],
    "grok-4.20-0309-reasoning": ["grok-4.20-reasoning"],
    "grok-4.20-0309-non-reasoning": ["grok-4.20-non-reasoning"],
}
LONGEST_PROMPT = 1024


def language_models() -> list[Json]:
    """Describes the language models that are on offer."""
    return [row for name, _, _ in catalogue.LISTED if (row := language_model(name))]


def language_model(name: str) -> Json | None:
    """Describes a language model, or says that there is none of this name."""
    row = catalogue.described(name)
    if row is None or "completion_text_token_price" not in row:
        return None
    return {
        **_card(row),
        "input_modalities": ["text"] if catalogue.TEXT_ONLY.match(name) else ["text", "image"],
        "output_modalities": ["text"],
        **{key: price for key, price in row.items() if "price" in key},
        "search_price": 0,
        "long_context_threshold": row["long_context_threshold"],
        "aliases": ALIASES.get(name, []),
    }


def image_models() -> list[Json]:
    """Describes the models for pictures that are on offer."""
    return [row for name, _, _ in catalogue.LISTED if (row := image_model(name))]


def image_model(name: str) -> Json | None:
    """Describes a model for pictures, or says that there is none of this name."""
    row = catalogue.described(name)
    if row is None or "image_price" not in row:
        return None
    return {
        **_card(row),
        "max_prompt_length": LONGEST_PROMPT,
        "input_modalities": ["text", "image"],
        "output_modalities": ["image"],
        "image_price": row["image_price"],
        "aliases": ALIASES.get(name, []),
    }


def fingerprint(model: str) -> str:
    """Tells which build of a model this is."""
    return f"fp_{crc32(model.encode()):010x}"


def _card(row: Json) -> Json:
    head = {key: row[key] for key in ("id", "created", "object", "owned_by")}
    return {**head, "fingerprint": fingerprint(row["id"]), "version": "1.0"}
