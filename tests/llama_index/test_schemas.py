"""JSON schemas of tools and classes are sanitized to what xAI supports.

The emulator rejects the schemas that xAI rejects.
"""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from tests.llama_index.sent import get_schema, get_tools
from tests.schema_kinds import get_sent_schema
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


class Tree(BaseModel):
    """A tree."""

    value: Literal[7, None]
    branches: list["Tree"] = []


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
    both: tuple[int, str] = (1, "a")
    anything: Any = None


class Far(BaseModel):
    """It refers to another document."""

    model_config = {"json_schema_extra": {"properties": {"a": {"$ref": "http://x/y"}}}}


CLASSES = [Choice, Tree, Pet]
PROMPT = PromptTemplate("Seven 7")


def paint(color: Literal["red", "blue", None], sizes: tuple[int, int]) -> str:
    """Paints the wall."""
    return f"{color} {sizes}"


PAINT = FunctionTool.from_defaults(paint)


@pytest.mark.parametrize("api", ["auto", "chat_completions"])
@pytest.mark.parametrize("by_schema", [True, False])
@pytest.mark.parametrize("kind", CLASSES)
def test_structured_output_of_each_kind_of_schema(
    sync_async: Any, gateway: Any, model: Any, kind: Any, by_schema: bool, api: str
) -> None:
    """An object is returned, by JSON schema or by forced tool call."""
    llm = model(should_use_structured_outputs=by_schema, api=api)
    assert isinstance(sync_async.call(llm, "structured_predict", kind, PROMPT), kind)
    body = gateway.requests[-1].body
    assert (get_schema(body) is not None, "tools" in body) == (by_schema, not by_schema)
    schema = (get_schema(body) or {}) if by_schema else get_tools(body)[0]
    assert schema["name"] == kind.__name__


@pytest.mark.parametrize("api", ["chat_completions", "messages", "responses"])
def test_a_tool_with_null_in_an_enum_is_called(sync_async: Any, model: Any, api: str) -> None:
    """With every API such a tool is sent and called with valid arguments."""
    llm = model(additional_kwargs={"api": api})
    sent_schema = llm._prepare_chat_with_tools([PAINT], "Paint it blue, 3 by 4", tool_required=True)
    # The Messages API has no such option.
    del sent_schema["parallel_tool_calls"]
    response = sync_async.call(llm, "chat", **sent_schema)
    (selection,) = llm.get_tool_calls_from_response(response)
    assert str(PAINT.call(**selection.tool_kwargs)).startswith("blue")


def test_schemas_of_classes_are_sanitized_once(llm: Any) -> None:
    """Schemas of tools are sanitized once and reused."""
    first, second = (llm._prepare_chat_with_tools([PAINT], "Hello")["tools"] for _ in range(2))
    schema = first[0]["function"]["parameters"]
    assert isinstance(schema, SanitizedSchema)
    assert second[0]["function"]["parameters"] is schema


@pytest.mark.parametrize(
    ("fields", "call"),
    [
        ({"additional_kwargs": {"clean_schemas": False}}, {}),
        ({}, {"clean_schemas": False}),
    ],
)
def test_sanitizing_can_be_disabled(sync_async: Any, model: Any, fields: Any, call: Any) -> None:
    """With ``clean_schemas=False`` schemas are sent unchanged."""
    assert model().chat_with_tools([PAINT], "Paint it red, 3 by 4")
    for by_schema in (True, False):
        llm = model(should_use_structured_outputs=by_schema, **fields)
        with pytest.raises(BadRequestError, match="null inside enum"):
            sync_async.call(llm, "structured_predict", Choice, PROMPT, llm_kwargs=call)
    with pytest.raises(BadRequestError, match="null inside enum"):
        sync_async.call(llm, "chat_with_tools", [PAINT], "Hello", **call)
    with pytest.raises(BadRequestError, match="null inside enum"):
        sync_async.call(llm, "chat", [ChatMessage("Hello")], tools=[PAINT], **call)


def test_arguments_of_chat_are_sanitized(sync_async: Any, llm: Any) -> None:
    """Tools and classes passed to ``chat`` are sanitized when the request is rendered."""
    hello = [ChatMessage("Hello")]
    assert sync_async.call(llm, "chat", hello, tools=[PAINT]).message
    assert sync_async.call(llm, "chat", hello, response_format=Choice).message.content


def test_unsupported_schemas_are_rejected(sync_async: Any, gateway: Any, llm: Any) -> None:
    """The error names the schema, and nothing is sent."""
    with pytest.raises(UsageError, match=r"'Far'.*http://x/y"):
        sync_async.call(llm, "structured_predict", Far, PROMPT)
    assert not gateway.requests


@pytest.mark.parametrize("api", ["auto", "chat_completions", "messages"])
@pytest.mark.parametrize("by_schema", [True, False])
def test_a_rebuilt_class_has_a_new_schema(
    gateway: Any, model: Any, api: str, *, by_schema: bool
) -> None:
    """The fields and descriptions of a class may change; they are sent as they are at the call."""

    class Color(BaseModel):
        name: str = Field(description="first")

    llm = model(api=api, should_use_structured_outputs=by_schema)
    tool = FunctionTool.from_defaults(paint, name="color", fn_schema=Color)
    for description in ("first", "second", "third"):
        Color.model_fields["name"].description = description
        Color.model_rebuild(force=True)
        llm.structured_predict(Color, PROMPT)
        assert get_sent_schema(gateway.requests[-1].body)["properties"]["name"]["description"] == (
            description
        )
        llm.chat_with_tools([tool], "Hello")
        assert description in str(gateway.requests[-1].body["tools"])
