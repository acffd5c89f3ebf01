"""Each kind of schema that LangChain supports works for tools and structured output.

The emulator rejects the schemas that xAI rejects, so that a response shows that none was sent.
"""

import asyncio
import json
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from tests.cases import for_each
from xai_lowcode.errors import BadRequestError, UsageError
from xai_lowcode.json_schema import SanitizedSchema


class Shade(Enum):
    LIGHT = "light"
    NONE = None


class Choice(BaseModel):
    """A choice that may be none."""

    word: Literal["a", "b", None]
    shade: Shade = Shade.NONE
    nothing: Literal[None] = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: Literal[True, None]


class Pet(BaseModel):
    """A pet."""

    animal: Annotated[Cat | Dog, Field(discriminator="kind")]
    first_schema: list[Cat | Dog | None] = []


class Pair(BaseModel):
    """A pair."""

    both: tuple[int, str]
    some: tuple[Literal["x", None], ...] = ()
    anything: Any = None


class Typed(TypedDict):
    """Typed."""

    word: Literal["a", None]
    number: int | None


@dataclass
class Plain:
    """Plain."""

    word: Literal["a", None]
    number: int | None = None


CLASSES = [Choice, Pet, Pair]
OLD = {
    "title": "old",
    "description": "Of draft 7.",
    "type": "object",
    "properties": {
        "pair": {"type": "array", "items": [{"type": "integer"}, True]},
        "inner": {"$ref": "#/definitions/inner"},
    },
    "required": ["pair", "inner"],
    "definitions": {
        "inner": {
            "type": "object",
            "properties": {
                "word": {"enum": ["a", None]},
                "inner": {"$ref": "#/definitions/inner"},
            },
            "required": ["word"],
        }
    },
}


# A root without properties, of which LangChain's converter loses the keys.
COUNTS = {
    "title": "counts",
    "description": "Of anything.",
    "type": "object",
    "additionalProperties": {"type": "integer"},
}
BY_REFERENCE = {
    "title": "by_reference",
    "$ref": "#/$defs/A",
    "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
}


@for_each("use_async", [False, True])
@for_each("method", ["json_schema", "function_calling"])
@for_each("kind", [*CLASSES, Typed, Plain, OLD])
def test_structured_output_of_each_kind_of_schema(
    chat: Any, kind: Any, method: Any, use_async: bool
) -> None:
    """Classes give an instance, other schemas a valid dict."""
    chain = chat().with_structured_output(kind, method=method)
    result = asyncio.run(chain.ainvoke("Seven 7")) if use_async else chain.invoke("Seven 7")
    if kind in CLASSES:
        assert isinstance(result, kind)
    elif kind is OLD:
        assert isinstance(result["pair"][0], int)
        assert result["inner"]["word"] in {"a", None}
    else:
        TypeAdapter(kind).validate_python(result)


@tool
def paint(color: Literal["red", "blue", None], sizes: tuple[int, int]) -> str:
    """Paints the wall."""
    return f"{color} {sizes}"


@pytest.mark.parametrize("api", ["chat_completions", "messages", "responses"])
def test_a_tool_with_null_in_an_enum_is_called(chat: Any, gateway: Any, api: str) -> None:
    """A tool with null in an enum is accepted and called with valid arguments, in each API."""
    bound = chat().bind_tools([paint], tool_choice="paint", api=api)
    (call,) = bound.invoke("Paint it blue, 3 by 4").tool_calls
    assert paint.invoke(call["args"]).startswith("blue")
    assert '"enum": ["red", "blue", null]' not in json.dumps(gateway.requests[-1].body)


def test_bound_schemas_are_sanitized_and_traced_ones_are_not(chat: Any) -> None:
    """Schemas are sanitized when they are bound; tracers get LangChain's schemas."""
    tools = chat().bind_tools([paint], response_format=Choice).kwargs
    assert isinstance(tools["tools"][0]["function"]["parameters"], SanitizedSchema)
    assert isinstance(tools["response_format"]["json_schema"]["schema"], SanitizedSchema)
    chain = chat().with_structured_output(Choice).first.kwargs
    assert isinstance(chain["response_format"]["json_schema"]["schema"], SanitizedSchema)
    traced = convert_to_json_schema(chain["ls_structured_output_format"]["schema"])
    assert traced["properties"]["word"] == {"enum": ["a", "b", None]}
    again = chat().bind_tools([paint], response_format=chain["response_format"]).kwargs
    sent = chain["response_format"]["json_schema"]["schema"]
    assert again["response_format"]["json_schema"]["schema"] is sent


OFF = [
    ({"clean_schemas": False}, {}),
    ({"model_kwargs": {"clean_schemas": False}}, {}),
    ({}, {"clean_schemas": False}),
]


@for_each(("fields", "call"), OFF)
@for_each("method", ["json_schema", "function_calling"])
def test_sanitizing_can_be_disabled(chat: Any, fields: Any, call: Any, method: Any) -> None:
    """Sanitizing can be disabled by a field, model_kwargs or the call; xAI then gets the schema."""
    model = chat(**fields)
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.bind_tools([paint], **call).invoke("Hello")
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.with_structured_output(Plain, method=method, **call).invoke("Hello")
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.bind_tools([], response_format=Plain, **call).invoke("Hello")


def test_schemas_of_bind_are_sanitized(chat: Any) -> None:
    """A schema that was passed to ``bind`` is sanitized when the request is rendered."""
    assert chat().bind(response_format=Plain).invoke("Hello").text
    assert chat().bind(tools=[paint]).invoke("Paint it red, 3 by 4").tool_calls


@pytest.mark.parametrize(
    ("schema", "error_text"),
    [
        ({"type": "array", "items": {}}, "'many' is not an object"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}, "http://x/y"),
    ],
)
def test_unsupported_schemas_are_rejected_when_bound(
    chat: Any, gateway: Any, schema: Any, error_text: str
) -> None:
    """An unsupported schema raises when it is bound; the error names the tool or format."""
    function = {"name": "many", "description": "", "parameters": schema}
    with pytest.raises(UsageError, match=error_text):
        chat().bind_tools([{"type": "function", "function": function}])
    prompt = {"type": "json_schema", "json_schema": {"name": "many", "schema": schema}}
    with pytest.raises(UsageError, match=error_text):
        chat().bind_tools([], response_format=prompt)
    with pytest.raises(UsageError, match=error_text):
        chat().bind(response_format=prompt).invoke("Hello")
    assert not gateway.requests


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (COUNTS, {"type": "object", "additionalProperties": {"type": "integer"}}),
        (BY_REFERENCE, {"type": "object", "required": ["a"]}),
    ],
)
def test_schemas_without_properties_are_sent_unchanged(
    chat: Any, gateway: Any, method: Any, schema: Any, sent: Any
) -> None:
    """References and open objects at the root are sent unchanged."""
    chat().with_structured_output(schema, method=method, include_raw=True).invoke("Hello")
    body = gateway.requests[-1].body
    if method == "json_schema":
        sent_format = body["text"]["format"]
        assert (sent_format["name"], sent_format["schema"].items() >= sent.items()) == (
            schema["title"],
            True,
        )
    else:
        sent_format = body["tools"][0]
        assert sent_format["parameters"].items() >= sent.items()
        assert sent_format["description"] == schema.get("description", "")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", ["array", "string", "integer", "number", "boolean", "null"])
def test_a_root_that_is_not_an_object_is_rejected(
    chat: Any, gateway: Any, method: Any, kind: str
) -> None:
    """A root that is not an object raises with each method, and no request is sent."""
    with pytest.raises(UsageError, match="'many' is not an object at its root"):
        chat().with_structured_output({"title": "many", "type": kind}, method=method)
    assert not gateway.requests
