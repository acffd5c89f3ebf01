"""What LangChain takes for a tool or a schema, in OpenAI's form.

Bound options stay in that form, which LangChain and tracers read; ``xai_lowcode.openai_forms``
makes them ours when a request is made.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from xai_lowcode.conversation import ResponseFormat, ServerTool, ToolSpec
from xai_lowcode.hiding import hidden, revealed
from xai_lowcode.openai_forms import (
    is_server_tool,
    read_response_format,
    read_server_tool,
    read_tool,
    wire_form,
)
from xai_lowcode.schemas import clean_schema

_UNFIT_FOR_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64


def openai_tools(tools: Sequence[Any], *, strict: bool | None, clean: bool) -> list[dict[str, Any]]:
    """Tools of any kind LangChain knows, with schemas as xAI takes them if ``clean`` is set.

    Tools that xAI runs are bound in their form on the wire, with their keys hidden.
    """
    return [_openai_tool(tool, strict=strict, clean=clean) for tool in tools]


def _openai_tool(tool: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    if _runs_at_xai(tool):
        return hidden(wire_form(read_server_tool(tool)))
    converted = _converted(tool, strict=strict)
    return _cleaned(converted) if clean else converted


def _runs_at_xai(tool: Any) -> bool:
    # Anthropic's form of a function may have a type too.
    return is_server_tool(tool) and not (isinstance(tool, Mapping) and "input_schema" in tool)


def _cleaned(tool: dict[str, Any]) -> dict[str, Any]:
    match tool.get("function"):
        case {"name": str(name), "parameters": Mapping() as parameters, **rest}:
            clean = clean_schema(parameters, field="tools", name=name)
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
            sent = clean_schema(schema, field="response_format", name=name)
            return {**wish, "json_schema": {**rest, "schema": sent}}
        case _:
            return dict(wish)


def json_schema_format(schema: Any, *, strict: bool | None, clean: bool) -> dict[str, Any]:
    """A schema of any kind LangChain knows, as ``response_format``."""
    converted = convert_to_json_schema(_in_full(schema), strict=strict)
    name = _UNFIT_FOR_NAMES.sub("_", str(converted.get("title") or "answer"))[:_LONGEST_NAME]
    if clean:
        converted = clean_schema(converted, field="response_format", name=name)
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
        read_tool(tool if isinstance(tool, Mapping) and "type" in tool else _converted(tool))
        for tool in tools
        if not _runs_at_xai(tool)
    )


def to_server_tools(tools: Sequence[Any]) -> tuple[ServerTool, ...]:
    """Those of the bound tools that xAI runs, as ours."""
    return tuple(read_server_tool(revealed(tool)) for tool in tools if _runs_at_xai(tool))


def _converted(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    return convert_to_openai_tool(_in_full(tool), strict=strict)


def _in_full(schema: Any) -> Any:
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
    return read_response_format(None if wish is None else openai_format(wish, clean=False))


def _is_openai_format(wish: Any) -> bool:
    return isinstance(wish, Mapping) and str(wish.get("type")) in {
        "text",
        "json_object",
        "json_schema",
    }
