"""Parse tools, tool choices and response formats in OpenAI's format, which both frameworks use.

Frameworks bind them to models and pass them to tracers; they are parsed when a request is built.
"""

from collections.abc import Mapping
from typing import Any

from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import NamedTool, ResponseFormat, ServerTool, ToolChoice, ToolSpec

# Types of functions, and types in bare JSON schemas.
_FUNCTION_TYPES = frozenset(
    {"function", "object", "array", "string", "integer", "number", "boolean", "null"}
)


def is_server_tool(tool: Any) -> bool:
    """Return whether a tool is a server-side tool: a ``ServerTool``, or its dict in xAI's API.

    Example:
        >>> is_server_tool({"type": "web_search"}), is_server_tool({"type": "function"})
        (True, False)
    """
    return isinstance(tool, ServerTool) or (
        isinstance(tool, Mapping)
        and isinstance(tool.get("type"), str)
        and tool["type"] not in _FUNCTION_TYPES
    )


def parse_server_tool(tool: Any) -> ServerTool:
    """Parse a server-side tool; ``is_server_tool`` must be true for it.

    Example:
        >>> parse_server_tool({"type": "web_search", "allowed_domains": ["x.ai"]}).options
        {'allowed_domains': ['x.ai']}
    """
    if isinstance(tool, ServerTool):
        return tool
    return ServerTool(tool["type"], {key: tool[key] for key in tool if key != "type"})


def adapt_server_tool(tool: ServerTool) -> tuple[ServerTool, tuple[str, ...]]:
    """Convert a server-side tool with options of OpenAI's API to one that xAI accepts.

    xAI rejects a request with an option that only OpenAI has. OpenAI's domain filters of
    ``web_search`` are translated; other such options are left out.

    Returns:
        The tool, and the names of the options that were left out.

    Example:
        >>> tool = ServerTool("web_search", {"filters": {"allowed_domains": ["x.ai"]}})
        >>> adapt_server_tool(tool)[0].options
        {'allowed_domains': ['x.ai']}
        >>> adapt_server_tool(ServerTool("code_interpreter", {"container": {"type": "auto"}}))
        (ServerTool(type='code_interpreter'), ('container',))
    """
    kind = "web_search" if tool.type.startswith("web_search_preview") else tool.type
    rejected = _OPENAI_OPTIONS.get(kind, frozenset()) & tool.options.keys()
    if not rejected:
        return (tool if kind == tool.type else ServerTool(kind, tool.options)), ()
    options = {name: value for name, value in tool.options.items() if name not in rejected}
    # Null is OpenAI's default.
    omitted = {name for name in rejected if tool.options[name] is not None}
    if kind == "web_search" and (domains := _parse_filters(tool.options.get("filters"))):
        options = domains | options
        omitted.discard("filters")
    return ServerTool(kind, options), tuple(sorted(omitted))


# Options of OpenAI's server-side tools; xAI rejects requests with them.
_OPENAI_OPTIONS: Mapping[str, frozenset[str]] = {
    "web_search": frozenset(
        {"search_context_size", "user_location", "external_web_access", "filters"}
    ),
    "code_interpreter": frozenset({"container"}),
    "file_search": frozenset({"filters", "ranking_options"}),
}
_DOMAIN_FILTERS = {
    "allowed_domains": "allowed_domains",
    "blocked_domains": "excluded_domains",
    "excluded_domains": "excluded_domains",
}


def _parse_filters(filters: Any) -> dict[str, Any]:
    """Translate OpenAI's domain filters; return nothing if there are other ones among them."""
    if not isinstance(filters, Mapping) or not filters.keys() <= _DOMAIN_FILTERS.keys():
        return {}
    return {_DOMAIN_FILTERS[name]: value for name, value in filters.items() if value}


def render_server_tool(tool: ServerTool) -> dict[str, Any]:
    """Render a server-side tool as its dict in xAI's API; inverse of ``parse_server_tool``."""
    return {"type": tool.type, **tool.options}


def parse_tool(tool: Any) -> ToolSpec:
    """Parse a function tool, nested as in Chat Completions or flat as in Responses.

    Raises:
        UsageError: It is not a function, or it has no name.

    Example:
        >>> parse_tool({"type": "function", "function": {"name": "now"}}).name
        'now'
        >>> parse_tool({"type": "function", "name": "now"}).name
        'now'
    """
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or "name" not in function:
        raise UsageError(
            f"tools: {tool!r} is not a function.",
            field="tools",
            hint="Pass a tool of your framework, or a function in OpenAI's format.",
        )
    return ToolSpec(
        function.get("name") or "",
        function.get("description") or "",
        function.get("parameters") or {"type": "object", "properties": {}},
    )


def parse_tool_choice(choice: Any) -> ToolChoice | None:
    """Parse a tool choice.

    Args:
        choice: ``"auto"``, ``"none"``, ``"required"`` or ``"any"``, True for any tool, the name of
            a tool, or a dict in OpenAI's or Anthropic's format.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> parse_tool_choice("any"), parse_tool_choice("now")
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
                f"tool_choice: invalid value {choice!r}.",
                field="tool_choice",
                hint="Use 'auto', 'none', 'any', the name of a tool, or OpenAI's format of these.",
            )


def parse_response_format(response_format: Any) -> ResponseFormat | None:
    """Parse a response format; None for text.

    Raises:
        UsageError: It has another type, or ``json_schema`` without a schema.

    Example:
        >>> parse_response_format({"type": "json_object"})
        ResponseFormat(schema=None, name='answer')
    """
    match response_format:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return ResponseFormat()
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema, **options}}:
            return ResponseFormat(schema, str(options.get("name") or "answer"))
        case _:
            raise UsageError(
                f"response_format: invalid value {response_format!r}.",
                field="response_format",
                hint="Use the type 'json_schema' with a 'schema' in its 'json_schema',"
                " 'json_object', or 'text'.",
            )
