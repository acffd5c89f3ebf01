"""Parse and serialize JSON with orjson, and with the standard library where orjson is too strict.

Parsing accepts what other clients accept: a byte order mark, control characters in strings, lone
surrogates (which become U+FFFD) and NaN. Serializing is strict: orjson writes NaN as null, which
xAI would treat as absent, so that it raises like a lone surrogate does. Integers of any size are
exact in tool arguments and in requests. The nesting of parsed documents is limited, so that
recursive code can process them and they can be serialized again as part of a request.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
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

# Python converts integers of at most 4,300 digits to text.
_MAX_INTEGER_BITS = 14_000

# An integer that may have more than 64 bits.
_LONG_NUMBER = re.compile(r"\d{19}")


def loads(content: bytes | str) -> Any:
    """Parse JSON.

    Args:
        content: The JSON text.

    Raises:
        JSONDecodeError: It is not valid JSON, or nested deeper than ``MAX_READ_DEPTH``.
    """
    document, may_have_surrogates = loads_chunk(content)
    return replace_surrogates(document) if may_have_surrogates else document


def loads_chunk(content: bytes | str) -> tuple[Any, bool]:
    """Parse a chunk of a stream; return it, and whether it may hold lone surrogates.

    They are kept, since the halves of one character may be in two chunks.

    Raises:
        JSONDecodeError: As for ``loads``.
    """
    document, is_strict = _loads_strictly(content)
    if not is_strict:
        return _loads_leniently(content), True
    _check_depth(content, document)
    return document, False


def _loads_strictly(content: bytes | str) -> tuple[Any, bool]:
    # orjson's error holds the whole content, which may quote the token: it is not raised further.
    try:
        return orjson.loads(content), True
    except orjson.JSONDecodeError:
        return None, False


def _check_depth(content: bytes | str, document: Any) -> None:
    if len(content) <= _MIN_DEEP_LENGTH:
        return
    if _has_many_brackets(content) and _is_too_deep(document):
        raise JSONDecodeError(f"more than {MAX_READ_DEPTH} levels deep", "", 0)


def _has_many_brackets(content: bytes | str) -> bool:
    """Return whether there are enough opening brackets for a document that is too deep."""
    # In a long text, count() takes longer than parsing it, and find() a tenth of that.
    brackets: Any = "[{" if isinstance(content, str) else (b"[", b"{")
    remaining = MAX_READ_DEPTH
    for bracket in brackets:
        position = -1
        while (position := content.find(bracket, position + 1)) >= 0:
            remaining -= 1
            if remaining < 0:
                return True
    return False


def _loads_leniently(content: bytes | str) -> Any:
    """Parse JSON that orjson rejects, as the standard library does."""
    document: Any = None
    try:
        text = content if isinstance(content, str) else content.decode()
        document = json.loads(text.removeprefix("\ufeff"), strict=False)
        message, position = "", 0
    except json.JSONDecodeError as error:
        message, position = error.msg, error.pos
    except UnicodeDecodeError as error:
        message, position = "invalid UTF-8", error.start
    except RecursionError:
        message, position = f"more than {MAX_READ_DEPTH} levels deep", 0
    except ValueError:  # Python converts integers of at most 4,300 digits
        message, position = "an integer with too many digits", 0
    if not message and _exceeds_depth(document):
        message = f"more than {MAX_READ_DEPTH} levels deep"
    if message:
        raise JSONDecodeError(message, "", position)
    return document


def _exceeds_depth(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_READ_DEPTH + 1):
        level = [
            item
            for value in level
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def replace_surrogates(document: Any) -> Any:
    """Return a document with lone surrogates replaced by U+FFFD, and pairs of surrogates joined."""
    match document:
        case str():
            return document.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {
                (replace_surrogates(key) if isinstance(key, str) else key): replace_surrogates(
                    value
                )
                for key, value in document.items()
            }
        case list() | tuple():
            return [replace_surrogates(item) for item in document]
        case _:
            return document


def loads_exactly(text: str) -> Any:
    """Parse JSON that a model wrote, with integers of any size.

    Raises:
        JSONDecodeError: As for ``loads``.

    Example:
        >>> loads_exactly("[25123456789012345678901]")
        [25123456789012345678901]
    """
    # orjson converts integers of more than 64 bits to floats.
    if _LONG_NUMBER.search(text) is None:
        return loads(text)
    return replace_surrogates(_loads_leniently(text))


def parse_arguments(arguments: str) -> dict[str, Any]:
    """Parse the arguments of a tool call, which are a JSON object; an empty string is ``{}``.

    Integers of any size are exact. Control characters in strings are accepted, since models write
    code with raw line ends.

    Raises:
        JSONDecodeError: They are not one JSON object.

    Example:
        >>> parse_arguments('{"wei": 25123456789012345678901}')
        {'wei': 25123456789012345678901}
    """
    if not arguments.strip():
        return {}
    document = loads_exactly(arguments)
    if not isinstance(document, dict):
        kind = "null" if document is None else type(document).__name__
        raise JSONDecodeError(f"expected a JSON object, got {kind}", "", 0)
    return document


def normalize_arguments(arguments: str) -> str:
    r"""Return the arguments of a tool call as the service accepts them: a strict JSON object.

    Arguments that are not one are kept below the key ``invalid_arguments``.

    Example:
        >>> normalize_arguments('["x"]')
        '{"invalid_arguments":"[\\"x\\"]"}'
    """
    try:
        if _LONG_NUMBER.search(arguments) is None:
            document, is_strict = _loads_strictly(arguments)
            if is_strict and isinstance(document, dict):
                _check_depth(arguments, document)
                return arguments
        document = parse_arguments(arguments)
        if arguments and _loads_strictly(arguments)[1]:
            return arguments
    except JSONDecodeError:
        document = {"invalid_arguments": replace_surrogates(arguments)}
    return dumps(_replace_nan(document)).decode()


def dumps_arguments(arguments: Mapping[str, Any]) -> str:
    """Return parsed arguments of a tool call as the service accepts them: NaN becomes null.

    Example:
        >>> dumps_arguments({"a": float("nan")})
        '{"a":null}'
    """
    try:
        return dumps(arguments).decode()
    except UsageError:
        return dumps(_replace_nan(arguments)).decode()


def _replace_nan(document: Any) -> Any:
    match document:
        case float() if not math.isfinite(document):
            return None
        case dict():
            return {key: _replace_nan(value) for key, value in document.items()}
        case list():
            return [_replace_nan(item) for item in document]
        case _:
            return document


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
    except TypeError:
        # Half a character in a tool result must not make a conversation unusable.
        with suppress(RecursionError):
            document = replace_surrogates(document)
        body = _dumps_exactly(document)
    # orjson writes NaN as null. The string "null" is frequent in JSON schemas, and cannot be NaN.
    has_null = b"null" in body and body.count(b"null") > body.count(b'"null"')
    if has_null and not _is_strict(document):
        location = next(_find_unserializable(document), "")
    else:
        location = ""
    if location:
        raise UsageError(
            f"{location}: NaN and infinity are not valid JSON.",
            field=location,
            hint="Use a finite number, or omit the field.",
        )
    return body


def _is_strict(document: Any) -> bool:
    """Return whether a document is JSON without NaN also for the standard library's encoder.

    It is several times faster than a walk in Python.
    """
    try:
        json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _dumps_exactly(document: Any) -> bytes:
    """Serialize a document with integers of more than 64 bits, or raise for what is not JSON."""
    try:
        return orjson.dumps(document)
    except TypeError as error:
        location = next(_find_unserializable(document), None)
        if location is not None:
            raise UsageError(
                f"{location}: not serializable as JSON ({error}).",
                field=location,
                hint="Use strings, numbers, bool, list, dict with string keys, or None.",
            ) from None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def dumps_text(value: Any) -> str:
    """Serialize any value as text for a model; what is not JSON becomes a string.

    Example:
        >>> dumps_text([{"type": "file", "name": "a.txt"}])
        '[{"type": "file", "name": "a.txt"}]'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # a key that is no string, or a circle
        text = str(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
    if type(value) is int:
        return value.bit_length() <= _MAX_INTEGER_BITS
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
