"""Typed accessors for JSON responses.

Content (``get_str``, ``get_dict``, ``get_dicts``, ``get_list``) must be of its type or absent, else
the response is invalid. Metadata (``get_int``, ``get_nonempty_str``) of another type is None: it
does not invalidate a response.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from xai_lowcode._internal import json
from xai_lowcode.errors import InvalidResponseError, UsageError

T = TypeVar("T")

# JSON integers can have any length; Python cannot divide or print very long ones.
_MAX_BITS = 64


def get_str(document: Mapping[str, Any], key: str) -> str:
    """Return a string; empty if the key is absent or null.

    Raises:
        InvalidResponseError: The value is of another type.

    Example:
        >>> get_str({"id": "c1"}, "id"), get_str({}, "id")
        ('c1', '')
    """
    return _get(document, key, str)


def get_dict(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object; empty if the key is absent or null; raises like ``get_str``."""
    return _get(document, key, dict)


def get_list(document: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list; empty if the key is absent or null; raises like ``get_str``."""
    return _get(document, key, list)


def get_dicts(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects; empty if the key is absent or null; raises like ``get_str``."""
    items: list[dict[str, Any]] = _get(document, key, list)
    for item in items:
        if not isinstance(item, dict):
            raise InvalidResponseError(f"{key!r} in the response is not a list of objects.")
    return items


def get_int(document: Any, key: str) -> int | None:
    """Return an integer; None if there is none of at most 64 bits.

    Example:
        >>> get_int({"tokens": 3}, "tokens"), get_int({"tokens": "3"}, "tokens")
        (3, None)
    """
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > _MAX_BITS:
        return None
    return value


def get_nonempty_str(document: Any, key: str) -> str | None:
    """Return a string; None if it is empty, absent or of another type."""
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) and value else None


def get_logprobs(document: Mapping[str, Any], key: str) -> tuple[dict[str, Any], ...]:
    """Return the log probabilities of tokens, without invalid entries.

    Example:
        >>> get_logprobs({"content": [{"token": "a", "logprob": -0.1}, {"token": 3}]}, "content")
        ({'token': 'a', 'logprob': -0.1},)
    """
    return tuple(token for token in get_list(document, key) if _is_logprob(token))


def _is_logprob(token: Any) -> bool:
    if not _has_logprob(token):
        return False
    others = token.get("top_logprobs") or []
    return isinstance(others, list) and all(map(_has_logprob, others))


def _has_logprob(token: Any) -> bool:
    if not isinstance(token, dict) or not isinstance(token.get("token"), str):
        return False
    values = token.get("bytes") or []
    return (
        isinstance(token.get("logprob"), int | float)
        and isinstance(values, list)
        and all(isinstance(value, int) for value in values)
    )


def dump_arguments(value: Any) -> str:
    """Serialize the arguments of a tool call, which some APIs return as an object.

    Raises:
        InvalidResponseError: They are nested too deeply.
    """
    try:
        return json.dumps(value).decode()
    except UsageError as error:
        raise InvalidResponseError(
            f"The arguments of a tool call are not serializable ({error.message})"
        ) from None


def _get(document: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = document.get(key)
    if isinstance(value, kind):
        return value
    if value is None:
        return kind()
    raise InvalidResponseError(
        f"{key!r} in the response is a {type(value).__name__}, not a {kind.__name__}.",
        body=document,
    )
