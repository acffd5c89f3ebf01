"""Each kind of schema is sent with its meaning.

``jsonschema`` checks that the sent schema accepts what pydantic or the given schema accepts.
"""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NewType, NotRequired, TypeVar

import pytest
from jsonschema import Draft202012Validator
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel, Field, RootModel, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode._schemas import read_schema
from tests.cases import for_each
from tests.core.schema_instances import vary
from tests.langchain.helpers import APIS
from tests.schema_kinds import (
    COMPANY,
    PART,
    Closed,
    Company,
    Part,
    Shade,
    Unlimited,
    check_meaning,
    get_sent_schema,
    get_validator,
)
from xai_lowcode.errors import UsageError

Chat = Callable[..., ChatXAILowCode]


class TypedPart(TypedDict):
    """A part."""

    name: Annotated[str, ..., "Its name."]
    parts: list["TypedPart"]
    note: NotRequired[Annotated[int, Field(ge=0)]]


@dataclass
class DataPart:
    """A part."""

    name: str
    parts: list["DataPart"] = field(default_factory=list)


Parts = TypeAliasType("Parts", list[Part])
T = TypeVar("T")
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Count = NewType("Count", int)


class Names(RootModel[list[str]]):
    """Names."""


SCHEMA = {
    "title": "part",
    "type": "object",
    "properties": {"name": {"type": "string"}, "parts": {"items": {"$ref": "#/$defs/part"}}},
    "required": ["name"],
    "$defs": {
        "part": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "parts": {"items": {"$ref": "#/$defs/part"}},
            },
            "required": ["name"],
        }
    },
}


@tool
def order(part: Part, count: int = 1) -> str:
    """Order a part."""
    return f"{count} {part}"


def order_part(part: Part, count: int = 1) -> str:
    """Order a part.

    Args:
        part: The part.
        count: The number of parts.
    """
    return f"{count} {part}"


def tool_with_args(**_: Any) -> str:
    return ""


class Order(BaseModel):
    part: Part
    count: int = 1


TYPED = {"name": "a", "parts": [{"name": "b", "parts": []}], "note": 2}
DATA = {"name": "a", "parts": [{"name": "b", "parts": []}]}
PARAMETERS = {key: value for key, value in SCHEMA.items() if key != "title"}
ORDER = {"part": PART, "count": 2}

OBJECTS: dict[str, tuple[Any, Any, Any]] = {
    "recursive class": (Part, Part, PART),
    "shared class": (Company, Company, COMPANY),
    "closed class": (Closed, Closed, {"size": 2}),
    "infinite defaults": (Unlimited, Unlimited, {"most": 1.5, "ranges": [{"least": 0.5}]}),
    "TypedDict": (TypedPart, TypedPart, TYPED),
    "dataclass": (DataPart, DataPart, DATA),
    "map": (RootModel[dict[str, int]], dict[str, int], {"a": 1}),
    "JSON schema": (SCHEMA, SCHEMA, DATA),
    "OpenAI's schema": ({"name": "p", "schema": PARAMETERS, "strict": True}, SCHEMA, DATA),
    "OpenAI's format": (
        {"type": "json_schema", "json_schema": {"name": "p", "schema": PARAMETERS}},
        SCHEMA,
        DATA,
    ),
    "Responses format": ({"type": "json_schema", "name": "p", "schema": PARAMETERS}, SCHEMA, DATA),
    "OpenAI's function": (
        {"type": "function", "function": {"name": "p", "parameters": PARAMETERS}},
        SCHEMA,
        DATA,
    ),
    "flat function": ({"type": "function", "name": "p", "parameters": PARAMETERS}, SCHEMA, DATA),
    "schema with a name": ({**PARAMETERS, "name": "p"}, SCHEMA, DATA),
    "Anthropic's tool": ({"name": "p", "input_schema": PARAMETERS}, SCHEMA, DATA),
    "MCP's tool": ({"name": "p", "inputSchema": PARAMETERS}, SCHEMA, DATA),
    "Bedrock's tool": (
        {"toolSpec": {"name": "p", "inputSchema": {"json": PARAMETERS}}},
        SCHEMA,
        DATA,
    ),
}
TOOLS: dict[str, tuple[Any, Any, Any]] = {
    **{name: row for name, row in OBJECTS.items() if "format" not in name},
    "tool": (order, Order, ORDER),
    "function": (order_part, Order, ORDER),
    "tool with a JSON schema": (
        StructuredTool.from_function(
            tool_with_args, name="p", description="d", args_schema=PARAMETERS
        ),
        SCHEMA,
        DATA,
    ),
    "MCP's object": (
        SimpleNamespace(name="p", description=None, inputSchema=PARAMETERS),
        SCHEMA,
        DATA,
    ),
}
OTHERS: dict[str, tuple[Any, Any]] = {
    "Enum": (Shade, "light"),
    "list": (list[Part], [PART]),
    "union with None": (Part | None, None),
    "integer": (int, 7),
    "literal": (Literal["a", "b"], "a"),
    "root model": (Names, ["a"]),
    "list of TypedDicts": (list[TypedPart], [TYPED]),
    "alias": (Parts, [PART]),
    "generic alias": (Pair[int], [1, 2]),
    "NewType": (Count, 7),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_structured_output_schemas_keep_their_meaning(
    chat: Chat, gateway: Any, kind: str, method: Any, api: Any
) -> None:
    """The schema of structured output accepts the same objects, for each kind of schema."""
    if (method, api) == ("json_schema", "messages"):
        pytest.skip("Messages has no response formats")
    source, reference, instance = OBJECTS[kind]
    llm = chat(api=api).with_structured_output(source, method=method, include_raw=True)
    llm.invoke("Hello")
    check_meaning(get_sent_schema(gateway.requests[-1].body), reference, instance)


@for_each("clean", [True, False])
@for_each("kind", [*TOOLS])
def test_tool_parameters_keep_their_meaning(chat: Chat, kind: str, *, clean: bool) -> None:
    """The parameters of a bound tool accept the same objects, also if bound again."""
    source, reference, instance = TOOLS[kind]
    (bound,) = chat().bind_tools([source], clean_schemas=clean).kwargs["tools"]
    (again,) = chat().bind_tools([bound], clean_schemas=clean).kwargs["tools"]
    assert again == bound
    if clean:
        check_meaning(bound["function"]["parameters"], reference, instance)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_values_are_wrapped(chat: Chat, gateway: Any, kind: str, method: Any) -> None:
    """A type that is not an object is sent as a field of one, and returned as its value."""
    source, instance = OTHERS[kind]
    llm = chat().with_structured_output(source, method=method, include_raw=True)
    result = llm.invoke("Hello 7")
    assert result["parsing_error"] is None
    TypeAdapter(source).validate_python(result["parsed"])
    schema = get_sent_schema(gateway.requests[-1].body)
    accepts, sent = get_validator(source), Draft202012Validator(schema)
    assert accepts(instance)
    for value in vary(instance):
        assert sent.is_valid({"value": value}) == accepts(value), value
        assert not sent.is_valid(value)
    with pytest.raises(UsageError, match="not an object"):
        chat().with_structured_output(source, method="json_mode")
    with pytest.raises(UsageError, match="not an object at its root"):
        chat().bind_tools([], response_format=source)


@for_each("include_raw", [False, True])
@for_each("method", ["json_schema", "function_calling"])
@for_each("kind", [*OBJECTS, *OTHERS])
def test_structured_output_can_be_pickled(
    chat: Chat, kind: str, method: Any, *, include_raw: bool
) -> None:
    """Copies and pickles of a runnable with structured output return the same object."""
    source = {**OBJECTS, **OTHERS}[kind][0]
    llm: Any = chat().with_structured_output(source, method=method, include_raw=include_raw)

    def call(runnable: Any) -> Any:
        result = runnable.invoke("Hello 7")
        assert not include_raw or result["parsing_error"] is None
        return result["parsed"] if include_raw else result

    expected = call(llm)
    assert call(copy.deepcopy(llm)) == expected
    assert call(pickle.loads(pickle.dumps(llm))) == expected  # noqa: S301 - our own bytes


def test_unions_of_classes_are_wrapped(chat: Chat, gateway: Any) -> None:
    """An instance of the matching class of a union is returned, in each API."""
    for api in APIS:
        llm: Any = chat(api=api).with_structured_output(Part | Closed, include_raw=True)
        assert isinstance(llm.invoke("Hello 7")["parsed"], Part | Closed)
        schema = get_sent_schema(gateway.requests[-1].body)
        check_meaning(
            schema["properties"]["value"] | {"$defs": schema["$defs"]}, Part | Closed, PART
        )


@for_each("source", [Callable[[int], int], {"unknown": 1}, 5, ["a"]])
def test_invalid_schemas_are_rejected(chat: Chat, source: Any) -> None:
    """An invalid schema raises when it is bound; the error names it."""
    for method in ("json_schema", "function_calling"):
        with pytest.raises(UsageError, match=r"^schema: "):
            chat().with_structured_output(source, method=method)


def test_shared_classes_are_sent_once(chat: Chat) -> None:
    """A class that is used many times is in $defs once, without titles that repeat its names."""

    class Wide(BaseModel):
        first: Company
        second: Company
        third: list[Company]

    tool_, format_ = chat().bind_tools([Wide], response_format=Wide).kwargs.values()
    for schema in (
        tool_[0]["function"]["parameters"],
        format_["json_schema"]["schema"],
    ):
        text = json.dumps(schema)
        assert text.count('"street": {') == 1
        assert "title" not in text
        assert len(text) <= len(json.dumps(Wide.model_json_schema()))
    assert "Size in cm" in str(chat().bind_tools([Closed]).kwargs)


def test_typed_dicts_keep_their_descriptions() -> None:
    """LangChain's `Annotated` and Google style docstrings describe the keys of a TypedDict."""

    class Described(TypedDict, total=False):
        """A part.

        Args:
            name: Its name,
                in full.
            size (int): Its size.
        """

        name: Annotated[str, ..., "overridden"]
        size: int
        color: Annotated[str, "red", "Its colour."]
        plain: Annotated[str, "Described."]

    named = read_schema(Described, field="tools")
    assert (named.name, named.description) == ("Described", "A part.")
    assert named.schema["properties"] == {
        "name": {"type": "string", "description": "Its name, in full."},
        "size": {"type": "integer", "description": "Its size."},
        "color": {"type": "string", "default": "red", "description": "Its colour."},
        "plain": {"type": "string", "description": "Described."},
    }
    assert "required" not in named.schema


def test_strict_schemas_keep_their_maps(chat: Chat) -> None:
    """With strict, objects require all their properties, in $defs too; maps stay maps."""
    (bound,) = chat().bind_tools([Company], strict=True).kwargs["tools"]
    schema = bound["function"]["parameters"]
    assert bound["function"]["strict"] is True
    assert schema["required"] == ["home", "office", "others"]
    assert schema["$defs"]["Address"]["required"] == ["street", "country"]
    assert schema["$defs"]["Address"]["additionalProperties"] is False
    assert schema["properties"]["others"]["additionalProperties"] == {"$ref": "#/$defs/Address"}
