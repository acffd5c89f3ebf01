"""OpenAI's forms of tools, choices and formats, which both frameworks speak, as ours.

Frameworks bind these to models and show them to tracers; they become ours when a request is made.
"""

from collections.abc import Mapping
from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import NamedTool, ResponseFormat, ServerTool, ToolChoice, ToolSpec


def is_server_tool(tool: Any) -> bool:
    """Whether a tool is one that xAI runs: a ``ServerTool``, or its form on the wire.

    Example:
        >>> is_server_tool({"type": "web_search"}), is_server_tool({"type": "function"})
        (True, False)
    """
    return isinstance(tool, ServerTool) or (
        isinstance(tool, Mapping)
        and isinstance(tool.get("type"), str)
        and tool["type"] not in _NO_SERVER_TOOLS
    )


# A bare JSON schema has a type too.
_NO_SERVER_TOOLS = frozenset(
    {"function", "object", "array", "string", "integer", "number", "boolean", "null"}
)


def parse_server_tool(tool: Any) -> ServerTool:
    """A tool that xAI runs, from its form on the wire.

    Example:
        >>> read_server_tool({"type": "web_search", "allowed_domains": ["x.ai"]}).options
        {'allowed_domains': ['x.ai']}
    """
    if isinstance(tool, ServerTool):
        return tool
    return ServerTool(tool["type"], {key: tool[key] for key in tool if key != "type"})


def render_tool(tool: ServerTool) -> dict[str, Any]:
    """A tool that xAI runs, as xAI takes it: plain JSON that frameworks can bind and show."""
    return {"type": tool.type, **tool.options}


def parse_tool(tool: Any) -> ToolSpec:
    """A function in OpenAI's form: that of chat completions, or the flat one of responses.

    Raises:
        UsageError: It is none, or has no name.

    Example:
        >>> read_tool({"type": "function", "function": {"name": "now"}}).name
        'now'
        >>> read_tool({"type": "function", "name": "now"}).name
        'now'
    """
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or "name" not in function:
        raise UsageError(
            f"tools: {tool!r} is not a function.",
            field="tools",
            hint="Give a tool of your framework, or a function in OpenAI's form.",
        )
    return ToolSpec(
        function.get("name") or "",
        function.get("description") or "",
        function.get("parameters") or {"type": "object", "properties": {}},
    )


def parse_tool_choice(choice: Any) -> ToolChoice | None:
    """A choice of tools: a word, True for any tool, a tool's name, OpenAI's or Anthropic's form.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> read_tool_choice("any"), read_tool_choice("now")
        ('required', NamedTool(name='now'))
    """
    match choice:
        case None | False | "":
            return None
        case True | "any" | "required" | {"type": "any" | "required"}:
            return "required"
        case "auto" | {"type": "auto"}:
            return "auto"
        case "none" | {"type": "none"}:
            return "none"
        case str(name) | {"function": {"name": str(name)}} | {"name": str(name)}:
            return NamedTool(name)
        case _:
            raise UsageError(
                f"tool_choice: {choice!r} is no choice.",
                field="tool_choice",
                hint="Use 'auto', 'none', 'any', the name of a tool, or OpenAI's form of these.",
            )


def parse_response_format(wish: Any) -> ResponseFormat | None:
    """A wish for JSON in OpenAI's form.

    Raises:
        UsageError: It has another form.

    Example:
        >>> read_response_format({"type": "json_object"})
        ResponseFormat(schema=None, name='answer')
    """
    match wish:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return ResponseFormat()
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema, **rest}}:
            return ResponseFormat(schema, str(rest.get("name") or "answer"))
        case _:
            raise UsageError(
                f"response_format: {wish!r} is none.",
                field="response_format",
                hint="Use json_schema with a 'schema' in its 'json_schema', json_object, or text.",
            )
