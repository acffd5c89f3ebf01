"""The schema cleaner form by form: what each becomes, and what is refused with a reason."""

import warnings
from typing import Any

import pytest

from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import sanitize_schema


def member(schema: Any, *, quiet: bool = True) -> Any:
    """What becomes of a schema below the root."""
    whole = {"type": "object", "properties": {"a": schema}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "always")
        return sanitize_schema(whole, field="tools", name="look")["properties"]["a"]


NULL = {"type": "null"}
TABLE: list[tuple[str, Any, Any]] = [
    ("null in an enum", {"enum": ["a", None]}, {"anyOf": [{"enum": ["a"]}, NULL]}),
    (
        "with a type that takes it",
        {"enum": ["a", None], "type": ["null", "string"], "title": "T"},
        {"anyOf": [{"enum": ["a"], "type": "string"}, NULL], "title": "T"},
    ),
    (
        "with several types",
        {"enum": ["a", 1, None], "type": ["string", "null", "integer"]},
        {"anyOf": [{"enum": ["a", 1], "type": ["string", "integer"]}, NULL]},
    ),
    (
        "with one that does not",
        {"enum": ["a", None], "type": "string"},
        {"enum": ["a"], "type": "string"},
    ),
    (
        "beside a union",
        {"enum": [1, None], "anyOf": [{"minimum": 1}], "allOf": [{"maximum": 1}]},
        {
            "anyOf": [{"minimum": 1}],
            "allOf": [{"maximum": 1}, {"anyOf": [{"enum": [1]}, NULL]}],
        },
    ),
    ("null alone", {"enum": [None]}, NULL),
    ("null as const", {"const": None}, NULL),
    ("null where none fits", {"const": None, "type": "string"}, {"type": "string", "not": {}}),
    ("further items of no tuple", {"items": {}, "additionalItems": False}, {"items": {}}),
    ("no value", {"enum": []}, {"not": {}}),
    ("no branch", {"anyOf": [], "title": "T"}, {"not": {}, "title": "T"}),
    ("true", True, {}),
    ("false", False, {"not": {}}),
    (
        "a tuple",
        {"items": [True, {"enum": [1]}], "additionalItems": False},
        {"prefixItems": [{}, {"enum": [1]}], "items": False},
    ),
    ("an object that is closed", {"additionalProperties": False}, {"additionalProperties": False}),
    (
        "limits within bounds",
        {"maxLength": 2048, "maxItems": 256},
        {"maxLength": 2048, "maxItems": 256},
    ),
    ("what is not there", {"items": None, "anyOf": None}, {}),
    (
        "no keyword, but a name or a value",
        {"properties": {"enum": {"default": None}, "$ref": {"const": {"enum": [None]}}}},
        {"properties": {"enum": {"default": None}, "$ref": {"const": {"enum": [None]}}}},
    ),
    ("too long", {"maxLength": 2049}, {"description": "At most 2049 characters."}),
    (
        "too many, and described",
        {"minItems": 300, "description": "Words."},
        {"description": "Words. At least 300 items."},
    ),
    (
        "contained twice",
        {"contains": {"const": 1}, "minContains": 2},
        {"contains": {"const": 1}, "description": 'At least 2 items fit {"const":1}.'},
    ),
    ("contained perhaps", {"contains": {"const": 1}, "minContains": 0}, {}),
]


@pytest.mark.parametrize(
    ("given", "expected"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_forms(given: Any, expected: Any) -> None:
    """What each form becomes."""
    assert member(given) == expected


ROOTS: list[tuple[str, Any, Any]] = [
    ("nothing", {}, {"type": "object"}),
    ("a list of one type", {"type": ["object"]}, {"type": "object"}),
    (
        "a reference, as of recursive classes",
        {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "title": "N"}}, "title": "Mine"},
        {"type": "object", "title": "Mine", "$defs": {"N": {"type": "object", "title": "N"}}},
    ),
    (
        "an old one",
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
        "an old one, where nothing holds beside a reference",
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
        "a reference with more beside it",
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
        "names that need an escape",
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
        "schemas where none is looked for",
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
        "references to what goes: beside a reference of an old draft",
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
        "references to what goes: contained perhaps",
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
        "a reference beside other demands",
        {"$ref": "#/$defs/N", "allOf": [{"required": ["a"]}], "$defs": {"N": {}}},
        {
            "type": "object",
            "allOf": [{"required": ["a"]}, {"$ref": "#/$defs/N"}],
            "$defs": {"N": {}},
        },
    ),
    (
        "a union that leads back to itself",
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


@pytest.mark.parametrize(
    ("given", "expected"), [row[1:] for row in ROOTS], ids=[r[0] for r in ROOTS]
)
def test_roots(given: Any, expected: Any) -> None:
    """What each form of a root becomes."""
    assert sanitize_schema(given, field="tools", name="look") == expected


REFUSED: list[tuple[Any, str]] = [
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


@pytest.mark.parametrize(("schema", "said"), REFUSED)
@pytest.mark.parametrize("field", ["tools", "response_format"])
def test_what_cannot_be_sent_is_refused(field: str, schema: Any, said: str) -> None:
    """The error names the option, the tool, and what is wrong, and says what to do."""
    with pytest.raises(UsageError) as refusal:
        sanitize_schema(schema, field=field, name="look")
    assert refusal.value.field == field
    assert refusal.value.message.startswith(f"{field}: the schema of 'look' ")
    assert said in refusal.value.message
    assert refusal.value.hint


LONG = {"maxLength": 5000}
DESCRIBED = {"description": "At most 5000 characters."}


FIRST = "The first alternative if its first part fits, else the second."
EXACTLY_ONE = "Exactly one of the alternatives fits."
NOT_LONG = {"description": 'Must not fit {"maxLength":5000}.'}
BY_REFERENCE = {"not": {"$ref": "#/$defs/long"}}


@pytest.mark.parametrize(
    ("given", "expected", "left_out"),
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
            {"anyOf": [{"allOf": [DESCRIBED, NULL]}, {}], "description": FIRST},
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
def test_limits_that_are_left_out_are_described(given: Any, expected: Any, left_out: str) -> None:
    """With a warning. What negates a subschema with such a limit goes too, or would reject more."""
    schema = {"properties": {"a": given}, "$defs": {"long": dict(LONG)}}
    with pytest.warns(UserWarning, match=left_out):
        sanitized = sanitize_schema(schema, field="tools", name="look")
    assert sanitized["properties"]["a"] == expected


def test_negations_without_a_limit_that_is_left_out_stay() -> None:
    """A limit elsewhere, or one that only looks like it, changes nothing about them."""
    kept = {"not": {"const": LONG}, "oneOf": [{"maxLength": 2}, NULL], "if": {"enum": [LONG]}}
    schema = {"properties": {"a": kept, "b": LONG}}
    with pytest.warns(UserWarning, match="properties/b"):
        assert sanitize_schema(schema, field="tools", name="look")["properties"]["a"] == kept
