"""Instances to judge by a schema: one that fits, and its neighbours."""

import copy
from collections.abc import Iterator
from typing import Any


def vary(value: Any) -> Iterator[Any]:
    """Yield a value, and values with one change: another type, a missing or an unknown key."""
    yield value
    yield from (None, True, 0, 7, "a", [], {}, [None], {"name": "a"})
    if isinstance(value, dict):
        for key in value:
            rest = {name: copy.deepcopy(old) for name, old in value.items() if name != key}
            yield rest
            yield from ({**rest, key: changed} for changed in vary(value[key]))
        yield {**value, "unknown": 1}
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from ([*value[:i], changed, *value[i + 1 :]] for changed in vary(item))
