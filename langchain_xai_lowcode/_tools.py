"""Convert LangChain's tools and schemas to OpenAI's format, and from there to core values.

Bound options stay in OpenAI's format, which LangChain and tracers read. They are converted to core
values when a request is built.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xai_lowcode._internal.fork_safety import import_before_fork
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

if TYPE_CHECKING:
    from xai_lowcode.json_schema.sources import NamedSchema

import_before_fork("langchain_xai_lowcode._schemas")


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
    return to_openai_function(_read_schema(tool, field="tools"), strict=strict, clean=clean)


def to_openai_function(named: "NamedSchema", *, strict: bool | None, clean: bool) -> dict[str, Any]:
    """Return a function in OpenAI's format; see ``to_openai_tools``."""
    if not named.schema:  # a function without parameters
        named = replace(named, schema={"type": "object", "properties": {}})
    parameters = _prepare(named, field="tools", strict=strict, clean=clean)
    function = {"name": named.name, "description": named.description, "parameters": parameters}
    strict = named.strict if strict is None else strict
    return {
        "type": "function",
        "function": function if strict is None else {**function, "strict": strict},
    }


def _prepare(
    named: "NamedSchema", *, field: str, strict: bool | None, clean: bool
) -> Mapping[str, Any]:
    schema = named.schema
    if strict:
        from xai_lowcode.json_schema.sources import make_strict  # noqa: PLC0415 - rarely needed

        schema = make_strict(schema)
    return sanitize_schema(schema, field=field, name=named.name) if clean else schema


def _read_schema(source: Any, *, field: str) -> "NamedSchema":
    from langchain_xai_lowcode._schemas import read_schema  # noqa: PLC0415 - it imports LangChain's tools

    return read_schema(source, field=field)


def _is_server_tool(tool: Any) -> bool:
    # Functions in Anthropic's format may have a type too.
    return is_server_tool(tool) and not (isinstance(tool, Mapping) and "input_schema" in tool)


def to_tool(tool: Any) -> ToolSpec | ServerTool:
    """Convert a tool of any kind that LangChain supports, or in OpenAI's format.

    Raises:
        UsageError: It is not a tool, or has no name.
    """
    if isinstance(tool, dict) and tool.get("type") == "function":  # as ``bind_tools`` makes it
        return parse_tool(tool)
    if _is_server_tool(tool):
        return parse_server_tool(unmask_secrets(tool))
    if isinstance(tool, Mapping) and "type" in tool:
        return parse_tool(tool)
    return parse_tool(
        to_openai_function(_read_schema(tool, field="tools"), strict=None, clean=False)
    )


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
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema, **rest}}:
            if not clean:
                return dict(response_format)
            name = str(rest.get("name") or "answer")
            sanitized = sanitize_schema(schema, field="response_format", name=name)
            return {**response_format, "json_schema": {**rest, "schema": sanitized}}
        case {"type": "json_schema", "json_schema": _} | {"type": "text" | "json_object"}:
            return dict(response_format)
        case _:
            named = _read_schema(response_format, field="response_format")
            return to_json_schema_format(named, strict=None, clean=clean)


def to_json_schema_format(
    named: "NamedSchema", *, strict: bool | None, clean: bool
) -> dict[str, Any]:
    """Return a ``json_schema`` response format in OpenAI's format."""
    described = replace(named, name=named.name or "answer", schema=named.describe())
    schema = _prepare(described, field="response_format", strict=strict, clean=clean)
    name = sanitize_name(described.name)
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": schema, "strict": True},
    }


def to_response_format(response_format: Any) -> ResponseFormat | None:
    """Convert a bound response format: OpenAI's format, or a schema of any kind.

    Raises:
        UsageError: It is neither.
    """
    if response_format is None:
        return None
    return parse_response_format(to_openai_response_format(response_format, clean=False))
