"""LangChain's ways to offer tools, force them and ask for a shape, as ours and back.

What is bound to a model stays in OpenAI's form, which tracers and LangChain itself read; it is
turned into ours when a request is made.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from xai_lowcode.conversation import NamedTool, ResponseFormat, ToolChoice, ToolSpec
from xai_lowcode.errors import UsageError

_UNFIT_FOR_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")


def openai_tools(tools: Sequence[Any], *, strict: bool | None) -> list[dict[str, Any]]:
    """Tools of any kind LangChain knows, in OpenAI's form."""
    return [convert_to_openai_tool(tool, strict=strict) for tool in tools]


def openai_tool_choice(
    choice: str | bool | Mapping[str, Any] | None, tools: Sequence[Mapping[str, Any]]
) -> str | Mapping[str, Any] | None:
    """Any of LangChain's forms of ``tool_choice`` in OpenAI's.

    Raises:
        UsageError: It names no tool, or has an unknown form.
    """
    match choice:
        case None | False | "":
            return None
        case True | "any" | "required":
            return "required"
        case "auto" | "none":
            return choice
        case str():
            return {"type": "function", "function": {"name": _known(choice, tools)}}
        case {"type": "function", "function": {"name": str(name)}} | {
            "type": "tool",
            "name": str(name),
        }:
            return {"type": "function", "function": {"name": _known(name, tools)}}
        case {"type": "any" | "auto" | "none" as kind}:
            return "required" if kind == "any" else kind
        case _:
            raise UsageError(
                f"tool_choice: {choice!r} is no choice.",
                field="tool_choice",
                hint="Use 'auto', 'none', 'any', the name of a tool, or OpenAI's form of these.",
            )


def _known(name: str, tools: Sequence[Mapping[str, Any]]) -> str:
    names = [str(tool.get("function", {}).get("name")) for tool in tools]
    if name not in names:
        raise UsageError(
            f"tool_choice: there is no tool {name!r}; the tools are {', '.join(names) or 'none'}.",
            field="tool_choice",
        )
    return name


def json_schema_format(schema: Any, *, strict: bool | None) -> dict[str, Any]:
    """A schema of any kind LangChain knows, as OpenAI's ``response_format``."""
    converted = convert_to_json_schema(schema, strict=strict)
    name = _UNFIT_FOR_NAMES.sub("_", str(converted.get("title") or "answer"))[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": converted, "strict": True},
    }


def to_tool_specs(tools: Sequence[Any]) -> tuple[ToolSpec, ...]:
    """Bound tools as ours."""
    return tuple(map(_to_tool_spec, tools))


def _to_tool_spec(tool: Any) -> ToolSpec:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        tool = convert_to_openai_tool(tool)
    function = tool["function"] if tool.get("type") == "function" else {}
    if not function:
        raise UsageError(f"tools: {tool!r} is not a function.", field="tools")
    return ToolSpec(
        function.get("name", ""),
        function.get("description") or "",
        function.get("parameters") or {"type": "object", "properties": {}},
    )


def to_tool_choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> ToolChoice | None:
    """A bound ``tool_choice`` as ours."""
    normal: Any = openai_tool_choice(choice, tools)
    return NamedTool(normal["function"]["name"]) if isinstance(normal, Mapping) else normal


def to_response_format(wish: Any) -> ResponseFormat | None:
    """A bound ``response_format`` as ours: OpenAI's form, or a schema of any kind.

    Raises:
        UsageError: It has an unknown form.
    """
    match wish:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return ResponseFormat()
        case {"type": "json_schema", "json_schema": {"schema": schema, **rest}}:
            return ResponseFormat(schema, str(rest.get("name") or "answer"))
        case {"type": "json_schema", **_rest}:
            raise UsageError(
                "response_format: json_schema needs a member 'json_schema' with a 'schema'.",
                field="response_format",
            )
        case _:
            return to_response_format(json_schema_format(wish, strict=None))
