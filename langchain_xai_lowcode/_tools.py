"""What LangChain takes for a tool or a schema, in OpenAI's form.

Bound options stay in that form, which LangChain and tracers read; ``xai_lowcode.chat.openai_format``
makes them ours when a request is made.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from xai_lowcode.chat.openai_format import (
    is_server_tool,
    parse_response_format,
    parse_server_tool,
    parse_tool,
    render_tool,
)
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.redaction import mask_secrets, unmask_secrets
from xai_lowcode.types.requests import ResponseFormat, ServerTool, ToolSpec

_UNFIT_FOR_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64


def openai_tools(tools: Sequence[Any], *, strict: bool | None, clean: bool) -> list[dict[str, Any]]:
    """Tools of any kind LangChain knows, with schemas as xAI takes them if ``clean`` is set.

    Tools that xAI runs are bound in their form on the wire, with their keys hidden.
    """
    return [_openai_tool(tool, strict=strict, clean=clean) for tool in tools]


def _openai_tool(tool: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    if _is_server_tool(tool):
        return mask_secrets(render_tool(parse_server_tool(tool)))
    converted = _convert(tool, strict=strict)
    return _sanitized(converted) if clean else converted


def _is_server_tool(tool: Any) -> bool:
    # Anthropic's form of a function may have a type too.
    return is_server_tool(tool) and not (isinstance(tool, Mapping) and "input_schema" in tool)


def _sanitized(tool: dict[str, Any]) -> dict[str, Any]:
    match tool.get("function"):
        case {"name": str(name), "parameters": Mapping() as parameters, **rest}:
            clean = sanitize_schema(parameters, field="tools", name=name)
            return {**tool, "function": {"name": name, **rest, "parameters": clean}}
        case _:
            return tool


def openai_format(wish: Any, *, clean: bool) -> dict[str, Any]:
    """A schema of any kind LangChain knows, or OpenAI's form of it, as ``response_format``."""
    if not _is_openai_format(wish):
        return json_schema_format(wish, strict=None, clean=clean)
    match wish:
        case {"json_schema": {"schema": Mapping() as schema, **rest}} if clean:
            name = str(rest.get("name") or "answer")
            sent = sanitize_schema(schema, field="response_format", name=name)
            return {**wish, "json_schema": {**rest, "schema": sent}}
        case _:
            return dict(wish)


def json_schema_format(schema: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    """A schema of any kind LangChain knows, as ``response_format``."""
    converted = convert_to_json_schema(_expand_reference(schema), strict=strict)
    name = _UNFIT_FOR_NAMES.sub("_", str(converted.get("title") or "answer"))[:_LONGEST_NAME]
    if clean:
        converted = sanitize_schema(converted, field="response_format", name=name)
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": converted, "strict": True},
    }


def to_tool_specs(tools: Sequence[Any]) -> tuple[ToolSpec, ...]:
    """Those of the bound tools that the caller runs, as ours.

    Raises:
        UsageError: Something is no tool, or has no name.
    """
    return tuple(
        parse_tool(tool if isinstance(tool, Mapping) and "type" in tool else _convert(tool))
        for tool in tools
        if not _is_server_tool(tool)
    )


def to_server_tools(tools: Sequence[Any]) -> tuple[ServerTool, ...]:
    """Those of the bound tools that xAI runs, as ours."""
    return tuple(parse_server_tool(unmask_secrets(tool)) for tool in tools if _is_server_tool(tool))


def _convert(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    return convert_to_openai_tool(_expand_reference(tool), strict=strict)


def _expand_reference(schema: Any) -> Any:
    """A JSON schema in OpenAI's form, if LangChain would drop all but its title.

    It does so where there are no properties: with a reference at the root, or with names that are
    not known beforehand.
    """
    if not isinstance(schema, Mapping) or "title" not in schema or _OTHER_FORMS & schema.keys():
        return schema
    parameters = {word: value for word, value in schema.items() if word not in _SAID_BESIDE}
    if "properties" in parameters or not parameters:
        return schema
    said = {"description": schema["description"]} if "description" in schema else {}
    return {"name": schema["title"], **said, "parameters": parameters}


_SAID_BESIDE = frozenset({"title", "description"})
# Members by which LangChain knows a tool that is no JSON schema.
_OTHER_FORMS = frozenset({"name", "function", "toolSpec", "input_schema"})


def to_response_format(wish: Any) -> ResponseFormat | None:
    """A bound ``response_format`` as ours: OpenAI's form, or a schema of any kind.

    Raises:
        UsageError: It has neither form.
    """
    return parse_response_format(None if wish is None else openai_format(wish, clean=False))


def _is_openai_format(wish: Any) -> bool:
    return isinstance(wish, Mapping) and str(wish.get("type")) in {
        "text",
        "json_object",
        "json_schema",
    }
