"""Parse and serialize JSON with orjson.

orjson rejects lone surrogates but writes NaN as null, which xAI would treat as absent; both raise
an error with the location. The nesting of parsed documents is limited, so that recursive code can
process them and they can be serialized again as part of a request.
"""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from xai_lowcode.errors import UsageError, describe_value

MAX_WRITE_DEPTH = 254
"""Nesting depth that orjson can serialize."""

MAX_READ_DEPTH = 200
"""Nesting depth that ``loads`` accepts; orjson itself accepts 1,024."""

JSONDecodeError = orjson.JSONDecodeError

# A shorter document cannot be too deep: each level takes two characters.
_MIN_DEEP_LENGTH = 2 * MAX_READ_DEPTH


def loads(content: bytes | bytearray | memoryview | str) -> Any:
    """Parse JSON.

    Raises:
        JSONDecodeError: It is not valid JSON, or nested deeper than ``MAX_READ_DEPTH``.
    """
    document = orjson.loads(content)
    if (
        len(content) > _MIN_DEEP_LENGTH
        and _count_opening_brackets(content) > MAX_READ_DEPTH
        and _is_too_deep(document)
    ):
        raise JSONDecodeError(f"more than {MAX_READ_DEPTH} levels deep", "", 0)
    return document


def _count_opening_brackets(content: bytes | bytearray | memoryview | str) -> int:
    if isinstance(content, str):
        return content.count("[") + content.count("{")
    if isinstance(content, memoryview):
        content = content.tobytes()
    return content.count(b"[") + content.count(b"{")


def _is_too_deep(document: Any) -> bool:
    # orjson checks the depth when it serializes, which is faster than a walk in Python.
    for _ in range(MAX_WRITE_DEPTH - MAX_READ_DEPTH):
        document = [document]
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return True
    return False


def dumps(document: Any) -> bytes:
    """Serialize a request body.

    Raises:
        UsageError: A value cannot be serialized as JSON; ``field`` is its location.
    """
    try:
        body = orjson.dumps(document)
    except TypeError as error:
        location = next(_find_unserializable(document), "request body")
        raise UsageError(
            f"{location}: not serializable as JSON ({error}).",
            field=location,
            hint="Use strings without lone surrogates, numbers, booleans, lists, dicts or None.",
        ) from None
    # The string "null" is frequent in JSON schemas, and cannot be NaN.
    has_null = body.count(b"null") > body.count(b'"null"')
    if has_null and (location := next(_find_unserializable(document), "")):
        raise UsageError(
            f"{location}: NaN and infinity are not valid JSON.",
            field=location,
            hint="Use a finite number, or omit the field.",
        )
    return body


def _find_unserializable(document: Any) -> Iterator[str]:
    """Yield the locations of values that cannot be serialized, in document order."""
    stack = [("", document, 0)]
    while stack:
        location, value, depth = stack.pop()
        match value:
            case dict() | list() | tuple() if depth >= MAX_WRITE_DEPTH:
                yield location
            case dict():
                fields = [(_field_location(location, key), key, value[key]) for key in value]
                yield from (at for at, key, _ in fields if not _is_valid_key(key))
                stack += [(at, item, depth + 1) for at, _, item in reversed(fields)]
            case list() | tuple():
                items = [(f"{location}[{index}]", item) for index, item in enumerate(value)]
                stack += [(at, item, depth + 1) for at, item in reversed(items)]
            case _ if not _is_serializable(value):
                yield location or "request body"


def _field_location(location: str, key: Any) -> str:
    return f"{location}.{key if isinstance(key, str) else describe_value(key)}".removeprefix(".")


def _is_valid_key(key: Any) -> bool:
    return type(key) is str and _is_serializable(key)


def _is_serializable(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
