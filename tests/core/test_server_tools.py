"""Server-side tools are sent with their fields; invalid arguments raise before sending."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.openai_format import is_server_tool, parse_server_tool, render_server_tool
from xai_lowcode.chat.server_tools import (
    code_execution,
    file_search,
    image_generation,
    mcp,
    web_search,
    x_search,
)
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import Message, ServerToolPart, TextPart
from xai_lowcode.types.requests import ChatRequest, ServerTool

# The tool and its fields in the request, as in xAI's API specification.
TOOLS: list[tuple[ServerTool, dict[str, Any]]] = [
    (web_search(), {"type": "web_search"}),
    (
        web_search(excluded_domains=["a.org"], enable_image_search=True),
        {"type": "web_search", "excluded_domains": ["a.org"], "enable_image_search": True},
    ),
    (
        web_search(allowed_domains=("a.org",), enable_image_understanding=False),
        {
            "type": "web_search",
            "allowed_domains": ["a.org"],
            "enable_image_understanding": False,
        },
    ),
    (
        x_search(
            excluded_x_handles=["@a", "b"],
            from_date=date(2026, 1, 2),
            to_date="2026-01-02",
            enable_video_understanding=True,
        ),
        {
            "type": "x_search",
            "excluded_x_handles": ["a", "b"],
            "from_date": "2026-01-02",
            "to_date": "2026-01-02",
            "enable_video_understanding": True,
        },
    ),
    (code_execution(), {"type": "code_interpreter"}),
    (
        file_search(["c"], max_num_results=3),
        {"type": "file_search", "vector_store_ids": ["c"], "max_num_results": 3},
    ),
    (
        mcp("https://m", "m", allowed_tools=["t"], authorization="Bearer key", headers={"x": "y"}),
        {
            "type": "mcp",
            "server_url": "https://m",
            "server_label": "m",
            "allowed_tools": ["t"],
            "authorization": "Bearer key",
            "headers": {"x": "y"},
        },
    ),
    (image_generation(action="edit"), {"type": "image_generation", "action": "edit"}),
    (image_generation(), {"type": "image_generation"}),
]


@for_each(("tool", "rendered"), TOOLS)
def test_tools_are_rendered_and_parsed(tool: ServerTool, rendered: dict[str, Any]) -> None:
    """A tool is sent with its fields, and parsing them returns the tool."""
    request = ChatRequest(
        model="grok-4.7", messages=(Message("user", (TextPart("x"),)),), server_tools=(tool,)
    )
    assert RESPONSES.render(request, stream=False)["tools"] == [rendered]
    assert render_server_tool(tool) == rendered
    assert is_server_tool(rendered)
    assert parse_server_tool(rendered) == parse_server_tool(tool) == tool
    assert "Bearer" not in repr(request)


INVALID: list[tuple[Callable[[], ServerTool], str]] = [
    (lambda: web_search(allowed_domains=["a"], excluded_domains=["b"]), "allowed_domains"),
    (lambda: web_search(allowed_domains=list("abcdef")), "allowed_domains"),
    (lambda: web_search(excluded_domains="a.org"), "excluded_domains"),
    (lambda: x_search(excluded_x_handles=[""]), "excluded_x_handles"),
    (lambda: x_search(allowed_x_handles=["a"] * 21), "allowed_x_handles"),
    (lambda: x_search(from_date="yesterday"), "from_date"),
    (lambda: x_search(from_date="2026-02-01", to_date="2026-01-31"), "from_date"),
    (lambda: file_search([]), "collection_ids"),
    (lambda: file_search(["c"] * 11), "collection_ids"),
    (lambda: file_search(["c"], max_num_results=0), "max_num_results"),
    (lambda: mcp("mcp.example.com", "m"), "server_url"),
    (lambda: mcp("https://m", ""), "server_label"),
]


@for_each(("create", "field"), INVALID)
def test_invalid_arguments(create: Callable[[], ServerTool], field: str) -> None:
    """Arguments that xAI would reject raise an error that names the field."""
    with pytest.raises(UsageError) as raised:
        create()
    assert raised.value.field == field
    assert str(raised.value).startswith(f"{field}: ")


@for_each(
    "tool",
    [
        {"type": "function", "name": "f", "parameters": {}},
        {"type": "function", "function": {"name": "f"}},
        {"type": "object", "title": "f", "properties": {}},
        {"name": "f"},
        {"type": 3},
        "web_search",
        None,
    ],
)
def test_functions_are_not_server_tools(tool: Any) -> None:
    """A function in any format is not a server-side tool."""
    assert not is_server_tool(tool)


@for_each(
    ("tool", "kind", "prompt", "result"),
    [
        (web_search(), "web_search_call", "Search the web for lighthouses.", "https://example.com"),
        (x_search(), "custom_tool_call", "Search X for lighthouses.", "None"),
        (code_execution(), "code_interpreter_call", "Calculate 3 * 4.", "[]"),
        (file_search(["c"]), "file_search_call", "Search the files for towers.", "None"),
        (mcp("https://m", "notes"), "mcp_call", "Ask the notes for towers.", "notes knows nothing"),
    ],
)
def test_calls_are_parts_of_the_response(
    tool: ServerTool, kind: str, prompt: str, result: str
) -> None:
    """A server-side tool selects Responses; its calls are parts of the response."""
    with running() as gateway:
        settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
        response = ChatModel(settings).generate(
            ChatRequest(
                model="grok-4.7",
                messages=(Message("user", (TextPart(prompt),)),),
                server_tools=(tool,),
            )
        )
    calls = {
        part.kind: part for part in response.choices[0].parts if isinstance(part, ServerToolPart)
    }
    assert (response.api, response.tool_calls) == ("responses", ())
    assert calls.keys() == {kind}
    assert calls[kind].arguments
    assert result in str(calls[kind].result)
