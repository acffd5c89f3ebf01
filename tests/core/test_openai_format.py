"""Tools, tool choices and response formats in OpenAI's format are parsed."""

from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.chat.openai_format import parse_response_format, parse_tool, parse_tool_choice
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import NamedTool, ResponseFormat, ToolSpec

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@for_each(
    ("choice", "expected"),
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
def test_tool_choices(choice: Any, expected: Any) -> None:
    """Strings, booleans, names, and OpenAI's and Anthropic's dicts are parsed."""
    assert parse_tool_choice(choice) == expected


@for_each("choice", [3, [], {"type": "sometimes"}, {"function": {}}, object()])
def test_invalid_tool_choices(choice: Any) -> None:
    """An invalid tool choice raises an error that names the field."""
    with pytest.raises(UsageError) as raised:
        parse_tool_choice(choice)
    assert raised.value.field == "tool_choice"


def test_tools() -> None:
    """Name, description and schema are parsed; the schema is not copied."""
    function = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
    spec = parse_tool({"type": "function", "function": function})
    assert spec == ToolSpec("add", "Adds.", SCHEMA)
    assert spec.parameters is SCHEMA
    assert parse_tool({"type": "function", "function": {"name": "now"}}) == ToolSpec("now")


@for_each("tool", [None, "add", {}, {"type": "web_search"}, {"type": "function", "function": {}}])
def test_invalid_tools(tool: Any) -> None:
    """A tool that is not a function, or has no name, raises an error that names the field."""
    with pytest.raises(UsageError) as raised:
        parse_tool(tool)
    assert raised.value.field == "tools"


@for_each(
    ("response_format", "expected"),
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
def test_response_formats(response_format: Any, expected: Any) -> None:
    """Text is parsed as None, JSON with and without a schema as a response format."""
    assert parse_response_format(response_format) == expected


@for_each("response_format", ["json", {"type": "xml"}, {"type": "json_schema"}, {}])
def test_invalid_response_formats(response_format: Any) -> None:
    """An invalid response format raises an error that names the field."""
    with pytest.raises(UsageError) as raised:
        parse_response_format(response_format)
    assert raised.value.field == "response_format"
