"""The rooms that list models: all of them, those for texts, and those for pictures."""

from typing import Any

from xai_lowcode.emulator import models as cards
from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator.handler_types import Answer, Ask, absent


async def listing(ask: Ask) -> Answer:
    """Lists the models."""
    del ask
    return Answer({"data": catalogue.listing(), "object": "list"})


async def one(ask: Ask) -> Answer:
    """Describes one model."""
    return _found(ask, catalogue.described(ask.path["model_id"]))


async def language_listing(ask: Ask) -> Answer:
    """Lists the language models."""
    del ask
    return Answer({"models": cards.language_models()})


async def language_one(ask: Ask) -> Answer:
    """Describes one language model."""
    return _found(ask, cards.language_model(ask.path["model_id"]))


async def image_listing(ask: Ask) -> Answer:
    """Lists the models for pictures."""
    del ask
    return Answer({"models": cards.image_models()})


async def image_one(ask: Ask) -> Answer:
    """Describes one model for pictures."""
    return _found(ask, cards.image_model(ask.path["model_id"]))


def _found(ask: Ask, row: dict[str, Any] | None) -> Answer:
    if row is None:
        raise absent(f"Model not found: {ask.path['model_id']}")
    return Answer(row)
