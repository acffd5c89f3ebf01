"""Laws of the schema cleaner: meaning is kept, nothing that xAI refuses is left, all that ends.

Meaning is judged by ``jsonschema``, which reads the schema as given by the draft it is written in.
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

from tests.core.schema_documents import Document, documents, instances, target
from xai_lowcode._internal import json as codec
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import SanitizedSchema, sanitize_schema
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, ResponseFormat, ToolSpec

LONGEST = {"minLength": 2048, "maxLength": 2048, "minItems": 256, "maxItems": 256}


def clean(schema: Any) -> SanitizedSchema:
    return sanitize_schema(schema, field="tools", name="look")


def cleaned(schema: Any) -> tuple[SanitizedSchema, list[str]]:
    """The clean schema and what was reported."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return clean(schema), [str(warning.message) for warning in caught]


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_the_meaning_is_kept(data: st.DataObject) -> None:
    """The same objects fit before and after; where a limit was left out, no fewer than before."""
    document = data.draw(documents())
    before = copy.deepcopy(document.schema)
    schema, reports = cleaned(document.schema)
    assert document.schema == before
    assert len(reports) <= 1
    after = Draft202012Validator(schema)
    for value in data.draw(st.lists(instances(document), min_size=1, max_size=4)):
        was, now = document.accepts(value), after.is_valid(value)
        event(f"old={document.old} reported={bool(reports)} fits={was}")
        assert now == was or (reports and now), value


@settings(max_examples=60)
@given(documents())
def test_nothing_that_xai_refuses_is_left(document: Document) -> None:
    """A walk over the clean schema finds none of the refused forms, and all references lead on."""
    schema, _ = cleaned(document.schema)
    assert list(faults(schema, schema)) == []
    assert json.loads(codec.dumps(schema)) == schema


@settings(max_examples=60)
@given(documents())
def test_a_clean_schema_stays_as_it_is(document: Document) -> None:
    """Cleaned again, it is the same, without a word; known to be clean, it is the very same."""
    schema, _ = cleaned(document.schema)
    assert cleaned(dict(schema)) == (schema, [])
    assert clean(schema) is schema


def faults(node: Any, root: Any) -> Iterator[str]:
    """What xAI would refuse, found by other means than the cleaner's."""
    if not isinstance(node, dict):
        yield f"no object: {node!r}"
        return
    yield from own_faults(node)
    if "$ref" in node and not isinstance(target(root, node["$ref"]), dict):
        yield f"{node['$ref']} leads nowhere"
    inner = [*itertools.chain(*(node.get(word, {}).values() for word in _MAPS))]
    inner += itertools.chain(*(node.get(word, []) for word in _LISTS))
    inner += [node[word] for word in _SINGLES if word in node]
    inner += [node[word] for word in _OPEN if not isinstance(node.get(word, True), bool)]
    for schema in inner:
        yield from faults(schema, root)


def own_faults(node: dict[str, Any]) -> Iterator[str]:
    """What is wrong with an object itself."""
    yield from (f"{word} left" for word in _GONE & node.keys())
    yield from (f"empty {word}" for word in _NEVER_EMPTY if node.get(word) == [])
    if "enum" in node and None in node["enum"]:
        yield "null in enum"
    if "const" in node and node["const"] is None:
        yield "null as const"
    yield from (f"{word} too high" for word in LONGEST if node.get(word, 0) > LONGEST[word])


_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("not", "contains", "if", "then", "else", "propertyNames")
_OPEN = ("items", "additionalProperties")
_GONE = {"minContains", "maxContains", "definitions", "additionalItems", "dependencies"}
_NEVER_EMPTY = ("enum", "anyOf", "oneOf", "allOf", "prefixItems")


def test_one_warning_names_all_places() -> None:
    """All that is left out is reported at once."""
    places = {"a": {"type": "string", "maxLength": 5000}, "b": {"items": {"maxLength": 5000}}}
    schema, (report,) = cleaned({"properties": places})
    assert "maxLength at #/properties/a, maxLength at #/properties/b/items" in report
    assert report.startswith("tools: ")
    assert "'look'" in report
    assert schema["properties"]["a"]["type"] == "string"


def test_depth_and_repetition_cost_nothing_extra() -> None:
    """However deep a schema is, and however often an object occurs in it, it is done at once."""
    schema: dict[str, Any] = {"enum": [None]}
    for _ in range(20_000):
        schema = {"properties": {"a": schema, "b": schema}}
    inner = clean(schema)
    for _ in range(20_000):
        assert inner["properties"]["a"] is inner["properties"]["b"]
        inner = inner["properties"]["a"]
    assert inner == {"type": "null"}


def test_objects_made_on_the_way_are_not_mixed_up() -> None:
    """What a rule made and the walk is done with is never taken for what is made later."""
    schema: dict[str, Any] = {}
    for level in range(300):
        schema = {"properties": {"level": {"enum": [level, None]}, "below": schema}}
    below: Any = clean(schema)
    for level in reversed(range(300)):
        (branch, _) = below["properties"]["level"]["anyOf"]
        assert branch == {"enum": [level]}
        below = below["properties"]["below"]


def test_a_schema_inside_itself_is_no_json() -> None:
    """An object that holds itself comes to an end here, and is refused where it is written."""
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema}
    endless = clean(schema)
    with pytest.raises(UsageError):
        codec.dumps(endless)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda schema: pickle.loads(pickle.dumps(schema)),  # noqa: S301 - made here
    ],
)
def test_copies_are_known_to_be_clean(copied: Any) -> None:
    """Copies and pickles, as workers get them, need no cleaning either."""
    schema = clean({"properties": {"a": {"enum": [1, None]}}})
    again = copied(schema)
    assert again == schema
    assert clean(again) is again


UNCLEAN = {"type": "object", "properties": {"a": {"enum": ["x", None]}}}


@pytest.mark.parametrize("dialect", [CHAT_COMPLETIONS, MESSAGES, RESPONSES], ids=lambda d: d.name)
@pytest.mark.parametrize("wanted", [True, False])
def test_every_form_sends_clean_schemas(dialect: Any, wanted: bool) -> None:
    """What was made by hand is cleaned when it is rendered, unless that is unwanted."""
    request = ChatRequest(
        model="grok-4.7",
        messages=(Message("user", (TextPart("Hello"),)),),
        tools=[ToolSpec("look", parameters=UNCLEAN)],
        response_format=None if dialect.name == "messages" else ResponseFormat(UNCLEAN),
        clean_schemas=wanted,
    )
    body = codec.dumps(dialect.render(request, stream=False))
    number = 1 if dialect.name == "messages" else 2
    assert body.count(b'{"enum":["x",null]}') == (0 if wanted else number)
    assert body.count(b'{"anyOf":[{"enum":["x"]},{"type":"null"}]}') == (number if wanted else 0)
    assert b"clean_schemas" not in body


@pytest.mark.parametrize("dialect", [CHAT_COMPLETIONS, MESSAGES, RESPONSES], ids=lambda d: d.name)
def test_clean_schemas_are_sent_as_they_are(dialect: Any) -> None:
    """Nothing is walked or copied for a call."""
    schema = clean(UNCLEAN)
    request = ChatRequest(
        model="m",
        messages=(Message("user", (TextPart("Hello"),)),),
        tools=[ToolSpec("look", parameters=schema)],
    )
    (tool,) = dialect.render(request, stream=False)["tools"]
    inner = tool.get("function", tool)
    assert inner.get("parameters", inner.get("input_schema")) is schema
