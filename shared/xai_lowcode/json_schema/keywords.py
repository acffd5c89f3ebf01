"""Where a JSON schema holds further schemas, and which words assert nothing.

What stands elsewhere is never read as one: values of ``enum``, ``const``, ``default`` and
``examples``, and the names of properties.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Any

MAPS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
SINGLES = frozenset(
    {
        "items",
        "additionalProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
        "not",
        "contains",
        "if",
        "then",
        "else",
        "propertyNames",
        "contentSchema",
    }
)

KINDS = {
    **dict.fromkeys(MAPS, "map"),
    **dict.fromkeys(LISTS, "list"),
    **dict.fromkeys(SINGLES, "single"),
}
"""How each of these words holds its schemas."""

HOLDERS: Mapping[str, type | UnionType] = {
    **dict.fromkeys((*MAPS, "definitions", "dependencies"), Mapping),
    **dict.fromkeys((*LISTS, "enum"), list | tuple),
}
"""What must stand at these words; None counts as nothing."""

# A boolean is the usual form here, and only booleans for named places are refused.
MAY_BE_BOOLEAN = frozenset(
    {"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}
)

ANNOTATIONS = frozenset(
    {
        "$id",
        "$schema",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    }
)

_LONGEST_TEXT = 2048
_LONGEST_ARRAY = 256

LIMITS = {
    "minLength": (_LONGEST_TEXT, "At least {} characters."),
    "maxLength": (_LONGEST_TEXT, "At most {} characters."),
    "minItems": (_LONGEST_ARRAY, "At least {} items."),
    "maxItems": (_LONGEST_ARRAY, "At most {} items."),
}
"""Limits: the highest that xAI keeps, and how a higher one is told in words."""


def definition_name(node: Mapping[str, Any], name: str) -> str:
    """The name in ``$defs`` of an entry of ``definitions``: its own, unless that is taken."""
    taken, free = node.get("$defs") or {}, name
    while free in taken or (free != name and free in node["definitions"]):
        free += "_"
    return free


def is_draft_4(root: Mapping[str, Any]) -> bool:
    """Whether a document says that it is written in draft 7 or older."""
    return "/draft-0" in str(root.get("$schema", ""))
