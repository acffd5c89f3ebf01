"""The rooms that list models."""

from xai_lowcode.emulator import catalogue
from xai_lowcode.emulator.answers import Answer, Ask, absent


async def listing(ask: Ask) -> Answer:
    """Lists the models."""
    del ask
    return Answer({"data": catalogue.listing(), "object": "list"})


async def one(ask: Ask) -> Answer:
    """Describes one model."""
    name = ask.path["model_id"]
    row = catalogue.described(name)
    if row is None:
        raise absent(f"Model not found: {name}")
    return Answer(row)
