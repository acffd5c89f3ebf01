"""JSON on bytes: the one place that reads and writes it.

orjson refuses lone surrogates but writes NaN as null, which xAI would read as "not given"; both
become an error that names the place. What is read is never nested deeper than Python code can walk
through, and can be written again inside a request.
"""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from xai_lowcode.errors import UsageError, describe_value

MAX_WRITE_DEPTH = 254
"""How many lists and dicts deep orjson writes."""

MAX_READ_DEPTH = 200
"""How many lists and dicts deep a document that is read may be; orjson alone would read 1,024."""

JSONDecodeError = orjson.JSONDecodeError

# No text that is shorter can be too deep: each level takes two characters.
_SURELY_FLAT = 2 * MAX_READ_DEPTH


def loads(content: bytes | bytearray | memoryview | str) -> Any:
    """Reads JSON.

    Raises:
        JSONDecodeError: It is not JSON, or nested more than ``MAX_READ_DEPTH`` levels deep.
    """
    document = orjson.loads(content)
    if (
        len(content) > _SURELY_FLAT
        and _nesting(content) > MAX_READ_DEPTH
        and _is_too_deep(document)
    ):
        raise JSONDecodeError(f"more than {MAX_READ_DEPTH} levels deep", "", 0)
    return document


def _nesting(content: bytes | bytearray | memoryview | str) -> int:
    if isinstance(content, str):
        return content.count("[") + content.count("{")
    if isinstance(content, memoryview):
        content = content.tobytes()
    return content.count(b"[") + content.count(b"{")


def _is_too_deep(document: Any) -> bool:
    # orjson counts levels while it writes, which is faster than to walk through the document here.
    for _ in range(MAX_WRITE_DEPTH - MAX_READ_DEPTH):
        document = [document]
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return True
    return False


def dumps(document: Any) -> bytes:
    """Writes a request body.

    Raises:
        UsageError: Something in it has no JSON form; ``field`` names the place.
    """
    try:
        body = orjson.dumps(document)
    except TypeError as refusal:
        raise _unserializable_error(
            next(_find_unserializable(document), "request body"), str(refusal)
        ) from None
    # Schemas are full of the text "null", which is no reason to look closer.
    bare = body.count(b"null") > body.count(b'"null"')
    if bare and (place := next(_find_unserializable(document), None)):
        raise UsageError(
            f"{place}: NaN and infinity have no JSON form.",
            field=place,
            hint="Give a finite number, or leave the field out.",
        )
    return body


def _unserializable_error(place: str, refusal: str) -> UsageError:
    return UsageError(
        f"{place}: cannot be written as JSON ({refusal}).",
        field=place,
        hint="Use text without lone surrogates, numbers, booleans, lists, dicts or None.",
    )


def _find_unserializable(document: Any) -> Iterator[str]:
    """Places of what has no JSON form, in the order of the document."""
    waiting = [("", document, 0)]
    while waiting:
        place, value, depth = waiting.pop()
        match value:
            case dict() | list() | tuple() if depth >= MAX_WRITE_DEPTH:
                yield place
            case dict():
                members = [(_member_name(place, key), key, value[key]) for key in value]
                yield from (at for at, key, _ in members if not _is_valid_key(key))
                waiting += [(at, member, depth + 1) for at, _, member in reversed(members)]
            case list() | tuple():
                items = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
                waiting += [(at, item, depth + 1) for at, item in reversed(items)]
            case _ if not _is_serializable(value):
                yield place or "request body"


def _member_name(place: str, key: Any) -> str:
    return f"{place}.{key if isinstance(key, str) else describe_value(key)}".removeprefix(".")


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
