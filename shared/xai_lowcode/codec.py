"""JSON on bytes: the one place that reads and writes it.

orjson refuses lone surrogates but writes NaN as null, which xAI would read as "not given"; both
become an error that names the place.
"""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from xai_lowcode.errors import UsageError

JSONDecodeError = orjson.JSONDecodeError

load = orjson.loads


def dump(document: Any) -> bytes:
    """Writes a request body.

    Raises:
        UsageError: Something in it has no JSON form; ``field`` names the place.
    """
    try:
        body = orjson.dumps(document)
    except TypeError as refusal:
        raise _unwritable(document, str(refusal)) from None
    if b"null" in body and (places := list(_infinite(document))):
        raise UsageError(
            f"{places[0]}: NaN and infinity have no JSON form.",
            field=places[0],
            hint="Give a finite number, or leave the field out.",
        )
    return body


def _unwritable(document: Any, refusal: str) -> UsageError:
    place = next(
        (place for place, value in _leaves(document) if not _writable(value)), "request body"
    )
    return UsageError(
        f"{place}: cannot be written as JSON ({refusal}).",
        field=place,
        hint="Use text without lone surrogates, numbers, booleans, lists, dicts or None.",
    )


def _infinite(document: Any) -> Iterator[str]:
    for place, value in _leaves(document):
        if isinstance(value, float) and not math.isfinite(value):
            yield place


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, member in value.items():
                yield f"{place}.{key}" if place else str(key), key
                yield from _leaves(member, f"{place}.{key}" if place else str(key))
        case list() | tuple():
            for index, member in enumerate(value):
                yield from _leaves(member, f"{place}[{index}]")
        case _:
            yield place or "request body", value


def _writable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
