"""Members of JSON objects by the type they must have: the one way to look into an answer.

What an answer says (``get_str``, ``get_dict``, ``get_dicts``, ``get_list``) must be of its type or
absent, else the answer is unreadable. What it tells beside (``get_int``, ``get_nonempty_str``) is None
where it is odd: an odd figure is no reason to lose an answer.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from xai_lowcode._internal import json
from xai_lowcode.errors import InvalidResponseError, UsageError

T = TypeVar("T")

# JSON has integers of any length; what a longer one is divided by or printed in raises.
_MOST_BITS = 64


def get_str(holder: Mapping[str, Any], name: str) -> str:
    """A member that is text; empty where it is absent or null.

    Raises:
        InvalidResponseError: It is of another type.

    Example:
        >>> text_of({"id": "c1"}, "id"), text_of({}, "id")
        ('c1', '')
    """
    return _get(holder, name, str)


def get_dict(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; empty where it is absent or null; raises like ``get_str``."""
    return _get(holder, name, dict)


def get_list(holder: Mapping[str, Any], name: str) -> list[Any]:
    """A member that is a list; empty where it is absent or null; raises like ``get_str``."""
    return _get(holder, name, list)


def get_dicts(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A member that is a list of objects; empty where it is absent or null; raises as above."""
    items: list[dict[str, Any]] = _get(holder, name, list)
    for item in items:
        if not isinstance(item, dict):
            raise InvalidResponseError(f"{name!r} in the answer is not a list of objects.")
    return items


def get_int(holder: Any, name: str) -> int | None:
    """A whole number; None where there is none, or one that no 64 bits can hold.

    Example:
        >>> count_of({"tokens": 3}, "tokens"), count_of({"tokens": "3"}, "tokens")
        (3, None)
    """
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > _MOST_BITS:
        return None
    return value


def get_nonempty_str(holder: Any, name: str) -> str | None:
    """A text that says something; None where there is none."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, str) and value else None


def get_logprobs(holder: Mapping[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    """Probabilities of tokens; without those that are none.

    Example:
        >>> odds_of({"content": [{"token": "a", "logprob": -0.1}, {"token": 3}]}, "content")
        ({'token': 'a', 'logprob': -0.1},)
    """
    return tuple(token for token in get_list(holder, name) if _is_logprob(token))


def _is_logprob(token: Any) -> bool:
    if not _is_number(token):
        return False
    others = token.get("top_logprobs") or []
    return isinstance(others, list) and all(map(_is_number, others))


def _is_number(token: Any) -> bool:
    """Whether it is one token with its probability; alternatives have no alternatives."""
    if not isinstance(token, dict) or not isinstance(token.get("token"), str):
        return False
    signs = token.get("bytes") or []
    return (
        isinstance(token.get("logprob"), int | float)
        and isinstance(signs, list)
        and all(isinstance(sign, int) for sign in signs)
    )


def dump_arguments(value: Any) -> str:
    """A value of an answer as the JSON text it came from.

    Raises:
        InvalidResponseError: It is too deep to be written.
    """
    try:
        return json.dumps(value).decode()
    except UsageError as refusal:
        raise InvalidResponseError(
            f"The arguments of a call cannot be read ({refusal.message})"
        ) from None


def _get(holder: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = holder.get(name)
    if isinstance(value, kind):
        return value
    if value is None:
        return kind()
    raise InvalidResponseError(
        f"{name!r} in the answer is a {type(value).__name__}, not a {kind.__name__}.", body=holder
    )
