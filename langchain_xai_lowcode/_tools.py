"""Convert LangChain's tools and schemas to OpenAI's format, and from there to core values.

Bound options stay in OpenAI's format, which LangChain and tracers read. They are converted to core
values when a request is built.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from xai_lowcode.chat.openai_format import (
    is_server_tool,
    parse_response_format,
    parse_server_tool,
    parse_tool,
    render_server_tool,
)
from xai_lowcode.chat.options import sanitize_name
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.redaction import mask_secrets, unmask_secrets
from xai_lowcode.types.requests import ResponseFormat, ServerTool, ToolSpec

# Types of OpenAI's response formats.
_RESPONSE_FORMATS = frozenset({"text", "json_object", "json_schema"})
# Keys by which LangChain recognizes a tool that is not a JSON schema.
_TOOL_KEYS = frozenset({"name", "function", "toolSpec", "input_schema"})


def to_openai_tools(
    tools: Sequence[Any], *, strict: bool | None, clean: bool
) -> list[dict[str, Any]]:
    """Convert tools to OpenAI's format.

    Args:
        tools: Tools of any kind that LangChain supports, and server-side tools. The latter keep
            xAI's format, with their secrets masked.
        strict: Make the schemas strict; None leaves them as they are.
        clean: Convert the schemas to the subset that xAI supports.

    Raises:
        UsageError: A schema is not supported.
    """
    return [_to_openai_tool(tool, strict=strict, clean=clean) for tool in tools]


def _to_openai_tool(tool: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    if _is_server_tool(tool):
        return mask_secrets(render_server_tool(parse_server_tool(tool)))
    converted = _convert_tool(tool, strict=strict)
    return _sanitize_tool(converted) if clean else converted


def _is_server_tool(tool: Any) -> bool:
    # Functions in Anthropic's format may have a type too.
    return is_server_tool(tool) and not (isinstance(tool, Mapping) and "input_schema" in tool)


def _convert_tool(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    return convert_to_openai_tool(_keep_parameters(tool), strict=strict)


def _keep_parameters(schema: Any) -> Any:
    """Wrap a JSON schema of which LangChain would keep only the title.

    LangChain drops the parameters of schemas without ``properties``: those with ``$ref`` at the
    root, or with ``additionalProperties`` alone.
    """
    if not isinstance(schema, Mapping) or "title" not in schema or _TOOL_KEYS & schema.keys():
        return schema
    parameters = {key: schema[key] for key in schema if key not in {"title", "description"}}
    if "properties" in parameters or not parameters:
        return schema
    description = {"description": schema["description"]} if "description" in schema else {}
    return {"name": schema["title"], **description, "parameters": parameters}


def _sanitize_tool(tool: dict[str, Any]) -> dict[str, Any]:
    match tool.get("function"):
        case {"name": str(name), "parameters": Mapping() as parameters, **rest}:
            schema = sanitize_schema(parameters, field="tools", name=name)
            return {**tool, "function": {"name": name, **rest, "parameters": schema}}
        case _:
            return tool


def to_tool(tool: Any) -> ToolSpec | ServerTool:
    """Convert a tool of any kind that LangChain supports, or in OpenAI's format.

    Raises:
        UsageError: It is not a tool, or has no name.
    """
    if _is_server_tool(tool):
        return parse_server_tool(unmask_secrets(tool))
    if isinstance(tool, Mapping) and "type" in tool:
        return parse_tool(tool)
    return parse_tool(_convert_tool(tool))


def to_tool_specs(tools: Iterable[Any]) -> list[ToolSpec]:
    """Convert tools, without the server-side tools.

    Raises:
        UsageError: One of them is not a tool, or has no name.
    """
    return [tool for tool in map(to_tool, tools) if isinstance(tool, ToolSpec)]


def to_openai_response_format(response_format: Any, *, clean: bool) -> dict[str, Any]:
    """Convert a schema, or a response format in OpenAI's format, to a bound response format.

    Args:
        response_format: A schema of any kind that LangChain supports, or OpenAI's format.
        clean: Convert the schema to the subset that xAI supports.

    Raises:
        UsageError: The schema is not supported.
    """
    if not _is_openai_response_format(response_format):
        return schema_to_response_format(response_format, strict=None, clean=clean)
    match response_format:
        case {"json_schema": {"schema": Mapping() as schema, **rest}} if clean:
            name = str(rest.get("name") or "answer")
            sanitized = sanitize_schema(schema, field="response_format", name=name)
            return {**response_format, "json_schema": {**rest, "schema": sanitized}}
        case _:
            return dict(response_format)


def schema_to_response_format(schema: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    """Convert a schema of any kind that LangChain supports to a ``json_schema`` response format."""
    json_schema = convert_to_json_schema(_keep_parameters(schema), strict=strict)
    name = sanitize_name(str(json_schema.get("title") or "answer"))
    if clean:
        json_schema = sanitize_schema(json_schema, field="response_format", name=name)
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": json_schema, "strict": True},
    }


def to_response_format(response_format: Any) -> ResponseFormat | None:
    """Convert a bound response format: OpenAI's format, or a schema of any kind.

    Raises:
        UsageError: It is neither.
    """
    if response_format is None:
        return None
    return parse_response_format(to_openai_response_format(response_format, clean=False))


def _is_openai_response_format(response_format: Any) -> bool:
    return (
        isinstance(response_format, Mapping)
        and str(response_format.get("type")) in _RESPONSE_FORMATS
    )
