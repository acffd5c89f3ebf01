"""Compare the structure of JSON bodies."""

from collections.abc import Iterator
from typing import Any


def field_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of all fields."""
    if isinstance(value, dict):
        for name, key in value.items():
            child_path = f"{path}.{name}" if path else name
            yield child_path
            yield from field_paths(key, child_path)
    elif isinstance(value, list):
        for item in value:
            yield from field_paths(item, f"{path}[]")
