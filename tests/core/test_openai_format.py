"""OpenAI's forms of tools, choices and formats as ours."""

from typing import Any

import pytest

from xai_lowcode.chat.openai_format import parse_response_format, parse_tool, parse_tool_choice
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import NamedTool, ResponseFormat, ToolSpec

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, None),
        (False, None),
        ("", None),
        ("auto", "auto"),
        ({"type": "auto"}, "auto"),
        ("none", "none"),
        ({"type": "none"}, "none"),
        (True, "required"),
        ("any", "required"),
        ("required", "required"),
        ({"type": "any"}, "required"),
        ("add", NamedTool("add")),
        ({"type": "function", "function": {"name": "add"}}, NamedTool("add")),
        ({"type": "tool", "name": "add"}, NamedTool("add")),
        ({"type": "function", "name": "auto"}, NamedTool("auto")),
    ],
)
def test_every_form_of_a_choice_is_read(choice: Any, read: Any) -> None:
    """Words, names and both vendors' forms mean what they say."""
    assert parse_tool_choice(choice) == read


@pytest.mark.parametrize("choice", [3, [], {"type": "sometimes"}, {"function": {}}, object()])
def test_no_choice_names_its_field(choice: Any) -> None:
    """What is no choice is refused."""
    with pytest.raises(UsageError) as refusal:
        parse_tool_choice(choice)
    assert refusal.value.field == "tool_choice"


def test_a_tool_is_read_with_and_without_parameters() -> None:
    """Name, description and schema are taken over; the schema is the caller's own object."""
    function = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
    spec = parse_tool({"type": "function", "function": function})
    assert spec == ToolSpec("add", "Adds.", SCHEMA)
    assert spec.parameters is SCHEMA
    assert parse_tool({"type": "function", "function": {"name": "now"}}) == ToolSpec("now")


@pytest.mark.parametrize(
    "tool",
    [None, "add", {}, {"type": "web_search"}, {"type": "function", "function": {}}],
)
def test_no_tool_names_its_field(tool: Any) -> None:
    """What is no function, or has no name, is refused."""
    with pytest.raises(UsageError) as refusal:
        parse_tool(tool)
    assert refusal.value.field == "tools"


@pytest.mark.parametrize(
    ("wish", "read"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, ResponseFormat()),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, ResponseFormat(SCHEMA)),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "sum", "schema": SCHEMA, "strict": True},
            },
            ResponseFormat(SCHEMA, "sum"),
        ),
    ],
)
def test_every_form_of_a_format_is_read(wish: Any, read: Any) -> None:
    """Text is no wish; any JSON, and JSON by a schema, are."""
    assert parse_response_format(wish) == read


@pytest.mark.parametrize("wish", ["json", {"type": "xml"}, {"type": "json_schema"}, {}])
def test_no_format_names_its_field(wish: Any) -> None:
    """What is no format is refused."""
    with pytest.raises(UsageError) as refusal:
        parse_response_format(wish)
    assert refusal.value.field == "response_format"
