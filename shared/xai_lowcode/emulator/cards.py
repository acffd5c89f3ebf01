"""Describing models at length, as the lists by kind do: modalities, fingerprints, other names."""

from typing import Any
from zlib import crc32

from xai_lowcode.emulator import catalogue

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
