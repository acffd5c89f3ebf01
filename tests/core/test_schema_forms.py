"""Examples of sanitized schemas and of schemas that raise an error."""

import warnings
from math import inf, nan
from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import sanitize_schema


def sanitize_property(schema: Any, *, ignore_warnings: bool = True) -> Any:
    """Return the sanitized schema of a property."""
    root = {"type": "object", "properties": {"a": schema}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if ignore_warnings else "always")
        return sanitize_schema(root, field="tools", name="look")["properties"]["a"]


NULL = {"type": "null"}
EXAMPLES: list[tuple[str, Any, Any]] = [
    ("null in an enum", {"enum": ["a", None]}, {"anyOf": [{"enum": ["a"]}, NULL]}),
    (
        "null in an enum whose type has null",
        {"enum": ["a", None], "type": ["null", "string"], "title": "T"},
        {"anyOf": [{"enum": ["a"], "type": "string"}, NULL], "title": "T"},
    ),
    (
        "null in an enum with several types",
        {"enum": ["a", 1, None], "type": ["string", "null", "integer"]},
        {"anyOf": [{"enum": ["a", 1], "type": ["string", "integer"]}, NULL]},
    ),
    (
        "null in an enum whose type does not have null",
        {"enum": ["a", None], "type": "string"},
        {"enum": ["a"], "type": "string"},
    ),
    (
        "null in an enum with a union",
        {"enum": [1, None], "anyOf": [{"minimum": 1}], "allOf": [{"maximum": 1}]},
        {
            "anyOf": [{"minimum": 1}],
            "allOf": [{"maximum": 1}, {"anyOf": [{"enum": [1]}, NULL]}],
        },
    ),
    ("enum of null", {"enum": [None]}, NULL),
    ("null as const", {"const": None}, NULL),
    (
        "const null whose type is not null",
        {"const": None, "type": "string"},
        {"type": "string", "not": {}},
    ),
    ("additionalItems without a tuple", {"items": {}, "additionalItems": False}, {"items": {}}),
    ("empty enum", {"enum": []}, {"not": {}}),
    ("empty anyOf", {"anyOf": [], "title": "T"}, {"not": {}, "title": "T"}),
    ("true", True, {}),
    ("false", False, {"not": {}}),
    (
        "a tuple",
        {"items": [True, {"enum": [1]}], "additionalItems": False},
        {"prefixItems": [{}, {"enum": [1]}], "items": False},
    ),
    ("no additional properties", {"additionalProperties": False}, {"additionalProperties": False}),
    (
        "limits that xAI supports",
        {"maxLength": 2048, "maxItems": 256},
        {"maxLength": 2048, "maxItems": 256},
    ),
    ("keywords with null", {"items": None, "anyOf": None}, {}),
    ("an infinite default", {"default": inf, "type": "number"}, {"type": "number"}),
    ("NaN below a default", {"default": {"a": [1, {"b": nan}]}, "examples": [-inf]}, {}),
    (
        "finite defaults",
        {"default": [1e308], "examples": [0]},
        {"default": [1e308], "examples": [0]},
    ),
    (
        "keywords as names and values",
        {"properties": {"enum": {"default": None}, "$ref": {"const": {"enum": [None]}}}},
        {"properties": {"enum": {"default": None}, "$ref": {"const": {"enum": [None]}}}},
    ),
    (
        "maxLength that is too large",
        {"maxLength": 2049},
        {"description": "At most 2049 characters."},
    ),
    (
        "minItems that is too large, with a description",
        {"minItems": 300, "description": "Words."},
        {"description": "Words. At least 300 items."},
    ),
    (
        "minContains 2",
        {"contains": {"const": 1}, "minContains": 2},
        {"contains": {"const": 1}, "description": 'At least 2 items fit {"const":1}.'},
    ),
    ("minContains 0", {"contains": {"const": 1}, "minContains": 0}, {}),
]


@for_each(("given", "expected"), [row[1:] for row in EXAMPLES])
def test_subschemas(given: Any, expected: Any) -> None:
    """Each subschema is sanitized as expected."""
    assert sanitize_property(given) == expected


ROOT_EXAMPLES: list[tuple[str, Any, Any]] = [
    ("empty", {}, {"type": "object"}),
    ("a list of one type", {"type": ["object"]}, {"type": "object"}),
    (
        "reference of a recursive class",
        {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "title": "N"}}, "title": "Mine"},
        {"type": "object", "title": "Mine", "$defs": {"N": {"type": "object", "title": "N"}}},
    ),
    (
        "draft 7",
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": "#/definitions/N",
            "definitions": {"N": {"type": "object", "properties": {"n": {"$ref": "#"}}}},
        },
        {
            "type": "object",
            "properties": {"n": {"$ref": "#"}},
            "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#"}}}},
        },
    ),
    (
        "draft 7, which ignores keywords next to a reference",
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"a": {"$ref": "#/definitions/N", "enum": [1], "title": "A"}},
            "definitions": {"N": {"type": "string"}},
        },
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/N", "title": "A"}},
            "$defs": {"N": {"type": "string"}},
        },
    ),
    (
        "reference with other keywords",
        {"$ref": "#/$defs/N", "required": ["a"], "$defs": {"N": {"additionalProperties": False}}},
        {
            "type": "object",
            "required": ["a"],
            "allOf": [{"$ref": "#/$defs/N"}],
            "$defs": {"N": {"additionalProperties": False}},
        },
    ),
    (
        "a union of objects",
        {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "object"}], "$defs": {"N": {"type": "object"}}},
        {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "object"}], "$defs": {"N": {"type": "object"}}},
    ),
    (
        "names with escapes",
        {
            "properties": {
                "a": {"$ref": "#/definitions/~01"},
                "b": {"$ref": "#/definitions/%2541"},
                "c": {"$ref": "#/definitions/x~1y"},
            },
            "definitions": {"~1": {"title": "1"}, "%41": {"title": "2"}, "x/y": {"title": "3"}},
        },
        {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/$defs/~01"},
                "b": {"$ref": "#/$defs/%2541"},
                "c": {"$ref": "#/$defs/x~1y"},
            },
            "$defs": {"~1": {"title": "1"}, "%41": {"title": "2"}, "x/y": {"title": "3"}},
        },
    ),
    (
        "reference outside of definitions",
        {
            "properties": {"a": {"$ref": "#/components/N"}, "b": {"$ref": "#/definitions/N"}},
            "definitions": {"N": {"title": "known"}},
            "components": {"N": {"const": None}},
        },
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/N_"}, "b": {"$ref": "#/$defs/N"}},
            "components": {"N": {"const": None}},
            "$defs": {"N": {"title": "known"}, "N_": {"type": "null"}},
        },
    ),
    (
        "reference to a removed schema: next to a reference in draft 7",
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {
                "a": {"$ref": "#/definitions/N", "items": {"const": None}},
                "b": {"$ref": "#/properties/a/items"},
            },
            "definitions": {"N": {}},
        },
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/N"}, "b": {"$ref": "#/$defs/items"}},
            "$defs": {"N": {}, "items": {"type": "null"}},
        },
    ),
    (
        "reference to a removed schema: minContains 0",
        {
            "properties": {
                "a": {"contains": {"const": None}, "minContains": 0},
                "b": {"$ref": "#/properties/a/contains"},
            }
        },
        {
            "type": "object",
            "properties": {"a": {}, "b": {"$ref": "#/$defs/contains"}},
            "$defs": {"contains": {"type": "null"}},
        },
    ),
    (
        "reference with allOf",
        {"$ref": "#/$defs/N", "allOf": [{"required": ["a"]}], "$defs": {"N": {}}},
        {
            "type": "object",
            "allOf": [{"required": ["a"]}, {"$ref": "#/$defs/N"}],
            "$defs": {"N": {}},
        },
    ),
    (
        "circular union",
        {"anyOf": [{"$ref": "#"}, {"type": "object"}]},
        {"anyOf": [{"$ref": "#"}, {"type": "object"}]},
    ),
    (
        "definitions of both drafts under one name",
        {
            "properties": {"a": {"$ref": "#/definitions/N"}, "b": {"$ref": "#/$defs/N"}},
            "definitions": {"N": {"title": "old"}},
            "$defs": {"N": {"title": "new"}},
        },
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/N_"}, "b": {"$ref": "#/$defs/N"}},
            "$defs": {"N": {"title": "new"}, "N_": {"title": "old"}},
        },
    ),
]


@for_each(("given", "expected"), [row[1:] for row in ROOT_EXAMPLES])
def test_roots(given: Any, expected: Any) -> None:
    """Each root schema is sanitized as expected."""
    assert sanitize_schema(given, field="tools", name="look") == expected


REJECTED: list[tuple[Any, str]] = [
    ({"type": "string"}, "not an object at its root"),
    ({"type": ["object", "null"]}, "not an object at its root"),
    ({"anyOf": [{"type": "object"}, NULL]}, "not an object at its root"),
    ({"oneOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "array"}}}, "not an object"),
    ({"$ref": "#/$defs/A", "$defs": {"A": {"enum": [1]}}}, "not an object at its root"),
    ({"enum": [{}, None]}, "not an object at its root"),
    ({"$ref": "#"}, "reference to itself"),
    ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "reference to itself"),
    ({"properties": {"a": {"$ref": "https://example.com/s"}}}, "https://example.com/s"),
    ({"properties": {"a": {"$ref": "other.json#/a"}}}, "other.json"),
    ({"properties": {"a": {"$ref": "#anchor"}}}, "#anchor"),
    ({"properties": {"a": {"$ref": 5}}}, "5"),
    ({"properties": {"a": {"$ref": "#/$defs/A"}}}, "points to no schema"),
    (
        {"properties": {"a": {"$ref": "#/properties/b/items/7"}, "b": {"items": [{}]}}},
        "points to no schema",
    ),
    ({"properties": {"a": "string"}}, "#/properties/a"),
    ({"properties": []}, "#/properties"),
    ({"anyOf": {}}, "#/anyOf"),
]


@for_each(("schema", "message"), REJECTED)
@for_each("field", ["tools", "response_format"])
def test_invalid_schemas_raise(field: str, schema: Any, message: str) -> None:
    """The error has the option, the tool, the problem and a hint."""
    with pytest.raises(UsageError) as raised:
        sanitize_schema(schema, field=field, name="look")
    assert raised.value.field == field
    assert raised.value.message.startswith(f"{field}: the schema of 'look' ")
    assert message in raised.value.message
    assert raised.value.hint


LONG = {"maxLength": 5000}
DESCRIBED = {"description": "At most 5000 characters."}


IF_THEN_ELSE = "The first alternative if its first part fits, else the second."
EXACTLY_ONE = "Exactly one of the alternatives fits."
NOT_LONG = {"description": 'Must not fit {"maxLength":5000}.'}
BY_REFERENCE = {"not": {"$ref": "#/$defs/long"}}


@for_each(
    ("given", "expected", "omitted"),
    [
        ({"allOf": [LONG]}, {"allOf": [DESCRIBED]}, "maxLength at #/properties/a/allOf/0"),
        ({"not": LONG}, NOT_LONG, "maxLength below not at #/properties/a"),
        ({"anyOf": [{"not": LONG}]}, {"anyOf": [NOT_LONG]}, "maxLength below not"),
        (
            {"not": {"not": LONG}},
            {"description": 'Must not fit {"not":{"maxLength":5000}}.'},
            "maxLength below not at #/properties/a",
        ),
        (
            BY_REFERENCE,
            {"description": 'Must not fit {"$ref":"#/$defs/long"}.'},
            "maxLength below not",
        ),
        (
            {"oneOf": [{"items": LONG}, NULL]},
            {"anyOf": [{"items": DESCRIBED}, NULL], "description": EXACTLY_ONE},
            "maxLength below oneOf",
        ),
        (
            {"oneOf": [LONG, NULL], "anyOf": [{}]},
            {
                "anyOf": [{}],
                "allOf": [{"anyOf": [DESCRIBED, NULL]}],
                "description": EXACTLY_ONE,
            },
            "maxLength below oneOf",
        ),
        (
            {"if": LONG, "then": NULL},
            {"anyOf": [{"allOf": [DESCRIBED, NULL]}, {}], "description": IF_THEN_ELSE},
            "maxLength below if",
        ),
        ({"if": {}, "then": LONG}, {"if": {}, "then": DESCRIBED}, "maxLength at"),
        (
            {"not": {"contains": {"const": 1}, "minContains": 2}},
            {"description": 'Must not fit {"contains":{"const":1},"minContains":2}.'},
            "minContains below not",
        ),
    ],
)
def test_omitted_limits_are_in_the_description(given: Any, expected: Any, omitted: str) -> None:
    """An omitted limit causes a warning and is described; a negation around it is omitted too."""
    schema = {"properties": {"a": given}, "$defs": {"long": dict(LONG)}}
    with pytest.warns(UserWarning, match=omitted):
        sanitized = sanitize_schema(schema, field="tools", name="look")
    assert sanitized["properties"]["a"] == expected


def test_negations_without_an_omitted_limit_are_unchanged() -> None:
    """A negation is unchanged if the omitted limit is elsewhere or is part of a value."""
    unchanged = {"not": {"const": LONG}, "oneOf": [{"maxLength": 2}, NULL], "if": {"enum": [LONG]}}
    schema = {"properties": {"a": unchanged, "b": LONG}}
    with pytest.warns(UserWarning, match="properties/b"):
        assert sanitize_schema(schema, field="tools", name="look")["properties"]["a"] == unchanged
