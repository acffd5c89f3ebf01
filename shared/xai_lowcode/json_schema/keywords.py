"""JSON Schema keywords: which ones hold subschemas, and which assert nothing.

Values of other keywords, such as ``enum``, ``const``, ``default`` and ``examples``, are never
read as schemas.
"""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any

_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = (
    *("items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    *("not", "contains", "if", "then", "else", "propertyNames", "contentSchema"),
)

SUBSCHEMA_KEYWORDS = {
    **dict.fromkeys(_MAPS, "map"),
    **dict.fromkeys(_LISTS, "list"),
    **dict.fromkeys(_SINGLES, "single"),
}
"""Keywords with subschemas, and how they hold them."""

_ALL_MAPS = frozenset({*_MAPS, "definitions", "dependencies"})

CONTAINER_TYPES: Mapping[str, type | UnionType] = {
    **dict.fromkeys(_ALL_MAPS, Mapping),
    **dict.fromkeys((*_LISTS, "enum"), list | tuple),
}
"""Required types of keyword values; None counts as absent."""

# xAI accepts booleans as the value of these keywords, but not as a property or an item.
MAY_BE_BOOLEAN = frozenset(
    {"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}
)

# Of subschemas that reject a value because it fits, or choose by it.
NEGATING = ("not", "oneOf", "if")

ANNOTATIONS = frozenset(
    {
        *("$id", "$schema", "$comment", "$defs", "definitions", "title", "description"),
        *("default", "examples", "deprecated", "readOnly", "writeOnly"),
    }
)

_MAX_STRING_LENGTH = 2048
_MAX_ARRAY_LENGTH = 256

LIMITS = {
    "minLength": (_MAX_STRING_LENGTH, "At least {} characters."),
    "maxLength": (_MAX_STRING_LENGTH, "At most {} characters."),
    "minItems": (_MAX_ARRAY_LENGTH, "At least {} items."),
    "maxItems": (_MAX_ARRAY_LENGTH, "At most {} items."),
}
"""Limits: the highest value that xAI accepts, and the description of a higher one."""

RELAXED: Mapping[str, str] = {
    "pattern": "Must match the regular expression {}.",
    "format": "Format: {}.",
    "enum": "One of {}.",
    "const": "Must be {}.",
}
"""Constraints that xAI rejects at times, and the description in place of one; see
``may_be_rejected``."""


def may_be_rejected(keyword: str, value: Any) -> bool:
    """Return whether xAI is known to have rejected a constraint of ``RELAXED``.

    Strings with a slash were rejected as values, ``pattern`` and ``format`` with any.
    """
    if keyword in {"pattern", "format"}:
        return isinstance(value, str)
    values = value if isinstance(value, list | tuple) else (value,)
    return any(isinstance(item, str) and "/" in item for item in values)


def is_legacy_draft(root: Mapping[str, Any]) -> bool:
    """Return whether ``$schema`` declares draft 7 or older, where ``$ref`` excludes siblings."""
    return "/draft-0" in str(root.get("$schema", ""))


def iter_subschemas(node: Any) -> Iterator[Any]:
    """Yield the subschemas of a schema object of any draft."""
    for keyword, value in node.items() if isinstance(node, Mapping) else ():
        if keyword in _ALL_MAPS:
            yield from value.values() if isinstance(value, Mapping) else ()
        elif keyword in SUBSCHEMA_KEYWORDS or keyword == "additionalItems":
            yield from value if isinstance(value, list | tuple) else (value,)
