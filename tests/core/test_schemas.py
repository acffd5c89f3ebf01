"""Sanitized schemas accept the same instances, and xAI accepts them.

``jsonschema`` validates the instances, with the draft in which the original schema is written.
"""

import copy
import itertools
import json
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.cases import for_each
from tests.core.schema_documents import Document, documents, instances, resolve_reference
from xai_lowcode._internal import json as codec
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import SanitizedSchema, sanitize_schema
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, ResponseFormat, ToolSpec

MAX_LIMITS = {"minLength": 2048, "maxLength": 2048, "minItems": 256, "maxItems": 256}


def sanitize(schema: Any) -> SanitizedSchema:
    return sanitize_schema(schema, field="tools", name="look")


def sanitize_and_record(schema: Any) -> tuple[SanitizedSchema, list[str]]:
    """Return the sanitized schema and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return sanitize(schema), [str(warning.message) for warning in caught]


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_sanitized_schemas_accept_the_same_instances(data: st.DataObject) -> None:
    """The same instances are valid before and after; if a limit was omitted, also others may be."""
    document = data.draw(documents())
    original = copy.deepcopy(document.schema)
    schema, reports = sanitize_and_record(document.schema)
    assert document.schema == original
    assert len(reports) <= 1
    validator = Draft202012Validator(schema)
    for value in data.draw(st.lists(instances(document), min_size=1, max_size=4)):
        valid_before, valid_after = document.accepts(value), validator.is_valid(value)
        event(f"old={document.old} reported={bool(reports)} fits={valid_before}")
        assert valid_after == valid_before or (reports and valid_after), value


@settings(max_examples=60)
@given(documents())
def test_xai_accepts_sanitized_schemas(document: Document) -> None:
    """A sanitized schema has no keyword that xAI rejects, and all references are resolvable."""
    schema, _ = sanitize_and_record(document.schema)
    assert list(find_problems(schema, schema)) == []
    assert json.loads(codec.dumps(schema)) == schema


@settings(max_examples=60)
@given(documents())
def test_sanitizing_is_idempotent(document: Document) -> None:
    """A sanitized schema is returned itself; an equal dict is returned equal, without warnings."""
    schema, _ = sanitize_and_record(document.schema)
    assert sanitize_and_record(dict(schema)) == (schema, [])
    assert sanitize(schema) is schema


def find_problems(node: Any, root: Any) -> Iterator[str]:
    """Yield what xAI would reject, found without code of the package."""
    if not isinstance(node, dict):
        yield f"no object: {node!r}"
        return
    yield from find_problems_of_node(node)
    if "$ref" in node and not isinstance(resolve_reference(root, node["$ref"]), dict):
        yield f"{node['$ref']} leads nowhere"
    subschemas = [
        *itertools.chain(*(node.get(keyword, {}).values() for keyword in _OBJECTS_OF_SCHEMAS))
    ]
    subschemas += itertools.chain(*(node.get(keyword, []) for keyword in _LISTS_OF_SCHEMAS))
    subschemas += [node[keyword] for keyword in _SCHEMAS if keyword in node]
    subschemas += [
        node[keyword]
        for keyword in _SCHEMAS_OR_BOOLEANS
        if not isinstance(node.get(keyword, True), bool)
    ]
    for schema in subschemas:
        yield from find_problems(schema, root)


def find_problems_of_node(node: dict[str, Any]) -> Iterator[str]:
    """Yield what xAI would reject in a schema itself, without its subschemas."""
    yield from (f"{keyword} left" for keyword in _REMOVED & node.keys())
    yield from (f"empty {keyword}" for keyword in _NOT_EMPTY if node.get(keyword) == [])
    if "enum" in node and None in node["enum"]:
        yield "null in enum"
    if "const" in node and node["const"] is None:
        yield "null as const"
    yield from (
        f"{keyword} too high"
        for keyword in MAX_LIMITS
        if node.get(keyword, 0) > MAX_LIMITS[keyword]
    )


_OBJECTS_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("not", "contains", "if", "then", "else", "propertyNames")
_SCHEMAS_OR_BOOLEANS = ("items", "additionalProperties")
_REMOVED = {"minContains", "maxContains", "definitions", "additionalItems", "dependencies"}
_NOT_EMPTY = ("enum", "anyOf", "oneOf", "allOf", "prefixItems")


def test_one_warning_has_all_omitted_limits() -> None:
    """One warning has the paths of all omitted limits."""
    properties = {"a": {"type": "string", "maxLength": 5000}, "b": {"items": {"maxLength": 5000}}}
    schema, (report,) = sanitize_and_record({"properties": properties})
    assert "maxLength at #/properties/a, maxLength at #/properties/b/items" in report
    assert report.startswith("tools: ")
    assert "'look'" in report
    assert schema["properties"]["a"]["type"] == "string"


def test_deep_and_repeated_schemas() -> None:
    """A schema of any depth is sanitized in linear time, and a repeated subschema only once."""
    schema: dict[str, Any] = {"enum": [None]}
    for _ in range(20_000):
        schema = {"properties": {"a": schema, "b": schema}}
    inner = sanitize(schema)
    for _ in range(20_000):
        assert inner["properties"]["a"] is inner["properties"]["b"]
        inner = inner["properties"]["a"]
    assert inner == {"type": "null"}


def test_temporary_schemas_are_not_confused() -> None:
    """A temporary schema is not confused with a later one that has the same ``id``."""
    schema: dict[str, Any] = {}
    for level in range(300):
        schema = {"properties": {"level": {"enum": [level, None]}, "below": schema}}
    nested: Any = sanitize(schema)
    for level in reversed(range(300)):
        (branch, _) = nested["properties"]["level"]["anyOf"]
        assert branch == {"enum": [level]}
        nested = nested["properties"]["below"]


def test_circular_schemas() -> None:
    """A schema that contains itself can be sanitized, but not encoded as JSON."""
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema}
    circular = sanitize(schema)
    with pytest.raises(UsageError):
        codec.dumps(circular)


@pytest.mark.parametrize(
    "copy_schema",
    [
        copy.copy,
        copy.deepcopy,
        lambda schema: pickle.loads(pickle.dumps(schema)),  # noqa: S301 - made here
    ],
)
def test_copies_are_not_sanitized_again(copy_schema: Any) -> None:
    """Copies and unpickled schemas are returned unchanged."""
    schema = sanitize({"properties": {"a": {"enum": [1, None]}}})
    duplicate = copy_schema(schema)
    assert duplicate == schema
    assert sanitize(duplicate) is duplicate


UNSANITIZED = {"type": "object", "properties": {"a": {"enum": ["x", None]}}}


@for_each("dialect", [CHAT_COMPLETIONS, MESSAGES, RESPONSES])
@for_each("clean_schemas", [True, False])
def test_every_api_sends_sanitized_schemas(dialect: Any, clean_schemas: bool) -> None:
    """Schemas are sanitized when the request is rendered, unless ``clean_schemas`` is False."""
    request = ChatRequest(
        model="grok-4.7",
        messages=(Message("user", (TextPart("Hello"),)),),
        tools=[ToolSpec("look", parameters=UNSANITIZED)],
        response_format=None if dialect.name == "messages" else ResponseFormat(UNSANITIZED),
        clean_schemas=clean_schemas,
    )
    body = codec.dumps(dialect.render(request, stream=False))
    count = 1 if dialect.name == "messages" else 2
    assert body.count(b'{"enum":["x",null]}') == (0 if clean_schemas else count)
    assert body.count(b'{"anyOf":[{"enum":["x"]},{"type":"null"}]}') == (
        count if clean_schemas else 0
    )
    assert b"clean_schemas" not in body


@pytest.mark.parametrize("dialect", [CHAT_COMPLETIONS, MESSAGES, RESPONSES], ids=lambda d: d.name)
def test_sanitized_schemas_are_not_copied(dialect: Any) -> None:
    """The body contains the sanitized schema itself."""
    schema = sanitize(UNSANITIZED)
    request = ChatRequest(
        model="m",
        messages=(Message("user", (TextPart("Hello"),)),),
        tools=[ToolSpec("look", parameters=schema)],
    )
    (tool,) = dialect.render(request, stream=False)["tools"]
    inner = tool.get("function", tool)
    assert inner.get("parameters", inner.get("input_schema")) is schema
