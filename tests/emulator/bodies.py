"""Compare the structure of JSON bodies."""

from collections.abc import Iterator
from typing import Any


def members(value: Any, place: str = "") -> Iterator[str]:
    """Yield the paths of all fields."""
    if isinstance(value, dict):
        for name, member in value.items():
            spot = f"{place}.{name}" if place else name
            yield spot
            yield from members(member, spot)
    elif isinstance(value, list):
        for item in value:
            yield from members(item, f"{place}[]")
