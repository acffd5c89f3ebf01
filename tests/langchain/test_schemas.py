"""Each kind of schema that LangChain supports works for tools and structured output.

The emulator refuses what xAI refuses, so an answer says that nothing of that was sent.
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
    former: list[Cat | Dog | None] = []


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


# Without properties of its own, which is where LangChain's converter loses what stands there.
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


@pytest.mark.parametrize("twin", [False, True])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", [*CLASSES, Typed, Plain, OLD], ids=str)
def test_objects_of_every_kind_are_answered(chat: Any, kind: Any, method: Any, twin: bool) -> None:
    """Classes give an instance, other schemas a dict that fits them."""
    asking = chat().with_structured_output(kind, method=method)
    answer = asyncio.run(asking.ainvoke("Seven 7")) if twin else asking.invoke("Seven 7")
    if kind in CLASSES:
        assert isinstance(answer, kind)
    elif kind is OLD:
        assert isinstance(answer["pair"][0], int)
        assert answer["inner"]["word"] in {"a", None}
    else:
        TypeAdapter(kind).validate_python(answer)


@tool
def paint(color: Literal["red", "blue", None], sizes: tuple[int, int]) -> str:
    """Paints the wall."""
    return f"{color} {sizes}"


@pytest.mark.parametrize("api", ["chat_completions", "messages", "responses"])
def test_a_tool_with_null_in_an_enum_is_called(chat: Any, gateway: Any, api: str) -> None:
    """In every API such a tool is taken, called, and its arguments are what it takes."""
    bound = chat().bind_tools([paint], tool_choice="paint", api=api)
    (call,) = bound.invoke("Paint it blue, 3 by 4").tool_calls
    assert paint.invoke(call["args"]).startswith("blue")
    assert '"enum": ["red", "blue", null]' not in json.dumps(gateway.requests[-1].body)


def test_what_is_bound_is_clean_and_what_is_traced_is_not(chat: Any) -> None:
    """Schemas are cleaned once, when they are bound; tracers see what LangChain makes of them."""
    tools = chat().bind_tools([paint], response_format=Choice).kwargs
    assert isinstance(tools["tools"][0]["function"]["parameters"], SanitizedSchema)
    assert isinstance(tools["response_format"]["json_schema"]["schema"], SanitizedSchema)
    asking = chat().with_structured_output(Choice).first.kwargs
    assert isinstance(asking["response_format"]["json_schema"]["schema"], SanitizedSchema)
    traced = convert_to_json_schema(asking["ls_structured_output_format"]["schema"])
    assert traced["properties"]["word"] == {"enum": ["a", "b", None]}
    again = chat().bind_tools([paint], response_format=asking["response_format"]).kwargs
    sent = asking["response_format"]["json_schema"]["schema"]
    assert again["response_format"]["json_schema"]["schema"] is sent


OFF = [
    ({"clean_schemas": False}, {}),
    ({"model_kwargs": {"clean_schemas": False}}, {}),
    ({}, {"clean_schemas": False}),
]


@pytest.mark.parametrize(("fields", "call"), OFF)
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_cleaning_can_be_switched_off(chat: Any, fields: Any, call: Any, method: Any) -> None:
    """By a field, by model_kwargs or by the call; the service then judges for itself."""
    model = chat(**fields)
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.bind_tools([paint], **call).invoke("Hello")
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.with_structured_output(Plain, method=method, **call).invoke("Hello")
    with pytest.raises(BadRequestError, match="null inside enum"):
        model.bind_tools([], response_format=Plain, **call).invoke("Hello")


def test_a_bare_bound_schema_is_cleaned_too(chat: Any) -> None:
    """What LangChain's own ``bind`` was given is cleaned when the request is rendered."""
    assert chat().bind(response_format=Plain).invoke("Hello").text
    assert chat().bind(tools=[paint]).invoke("Paint it red, 3 by 4").tool_calls


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {}}, "'many' is not an object"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}, "http://x/y"),
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_bound(
    chat: Any, gateway: Any, schema: Any, said: str
) -> None:
    """Nothing is sent; the error names the tool or format."""
    function = {"name": "many", "description": "", "parameters": schema}
    with pytest.raises(UsageError, match=said):
        chat().bind_tools([{"type": "function", "function": function}])
    wish = {"type": "json_schema", "json_schema": {"name": "many", "schema": schema}}
    with pytest.raises(UsageError, match=said):
        chat().bind_tools([], response_format=wish)
    with pytest.raises(UsageError, match=said):
        chat().bind(response_format=wish).invoke("Hello")
    assert not gateway.requests


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (COUNTS, {"type": "object", "additionalProperties": {"type": "integer"}}),
        (BY_REFERENCE, {"type": "object", "required": ["a"]}),
    ],
)
def test_schemas_without_properties_are_sent_whole(
    chat: Any, gateway: Any, method: Any, schema: Any, sent: Any
) -> None:
    """References and open objects at the root say all that an object must be."""
    chat().with_structured_output(schema, method=method, include_raw=True).invoke("Hello")
    body = gateway.requests[-1].body
    if method == "json_schema":
        asked = body["text"]["format"]
        assert (asked["name"], asked["schema"].items() >= sent.items()) == (schema["title"], True)
    else:
        asked = body["tools"][0]
        assert asked["parameters"].items() >= sent.items()
        assert asked["description"] == schema.get("description", "")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", ["array", "string", "integer", "number", "boolean", "null"])
def test_a_root_that_is_no_object_is_refused(
    chat: Any, gateway: Any, method: Any, kind: str
) -> None:
    """In the words of a schema, whatever the method; nothing is sent."""
    with pytest.raises(UsageError, match="'many' is not an object at its root"):
        chat().with_structured_output({"title": "many", "type": kind}, method=method)
    assert not gateway.requests
