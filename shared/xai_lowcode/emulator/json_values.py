"""JSON values: their type, their encodings and their depth."""

import json
from typing import Any

Json = dict[str, Any]


def dump_json(value: Any) -> str:
    """Return a value as JavaScript writes it: without white space, with non-ASCII characters."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode_json(value: Any) -> bytes:
    """Encode a value in UTF-8; a lone surrogate, which UTF-8 does not have, becomes an escape."""
    try:
        return dump_json(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def has_lone_surrogate(value: Any) -> bool:
    """Return True if a string of the value has half of a surrogate pair."""
    try:
        dump_json(value).encode()
    except UnicodeEncodeError:
        return True
    return False


def is_deeper(value: Any, depth: int) -> bool:
    """Return True if arrays and objects are nested deeper than that."""
    level = [value]
    for _ in range(depth + 1):
        nested = [node for node in level if isinstance(node, dict | list)]
        if not nested:
            return False
        level = [
            child
            for node in nested
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return True
