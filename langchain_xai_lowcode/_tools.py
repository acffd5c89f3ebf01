"""What LangChain takes for a tool or a schema, in OpenAI's form.

Bound options stay in that form, which LangChain and tracers read; ``xai_lowcode.openai_forms``
makes them ours when a request is made.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from xai_lowcode.conversation import ResponseFormat, ToolSpec
from xai_lowcode.openai_forms import read_response_format, read_tool

_UNFIT_FOR_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64


def openai_tools(tools: Sequence[Any], *, strict: bool | None) -> list[dict[str, Any]]:
    """Tools of any kind LangChain knows."""
    return [convert_to_openai_tool(tool, strict=strict) for tool in tools]


def json_schema_format(schema: Any, *, strict: bool | None) -> dict[str, Any]:
    """A schema of any kind LangChain knows, as ``response_format``."""
    converted = convert_to_json_schema(schema, strict=strict)
    name = _UNFIT_FOR_NAMES.sub("_", str(converted.get("title") or "answer"))[:_LONGEST_NAME]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": converted, "strict": True},
    }


def to_tool_specs(tools: Sequence[Any]) -> tuple[ToolSpec, ...]:
    """Bound tools as ours.

    Raises:
        UsageError: Something is no tool, or has no name.
    """
    return tuple(
        read_tool(tool if isinstance(tool, Mapping) and "type" in tool else _converted(tool))
        for tool in tools
    )


def _converted(tool: Any) -> dict[str, Any]:
    return convert_to_openai_tool(tool)


def to_response_format(wish: Any) -> ResponseFormat | None:
    """A bound ``response_format`` as ours: OpenAI's form, or a schema of any kind.

    Raises:
        UsageError: It has neither form.
    """
    openai_form = wish is None or (
        isinstance(wish, Mapping)
        and str(wish.get("type")) in {"text", "json_object", "json_schema"}
    )
    return read_response_format(wish if openai_form else json_schema_format(wish, strict=None))
