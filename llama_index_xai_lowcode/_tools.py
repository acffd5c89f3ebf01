"""LlamaIndex's ways to offer tools, force them and read the calls, as ours and back.

What a call of ``chat`` carries stays in OpenAI's form, which tracers read; it is turned into ours
when the request is made. Names are LlamaIndex's above and xAI's below, where brackets and spaces
are not allowed: ``original_names`` leads from these to those.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool, ToolMetadata
from pydantic import BaseModel
from pydantic_core import from_json

from llama_index_xai_lowcode.server_tools import XAIServerTool
from xai_lowcode.chat.openai_format import (
    is_server_tool,
    parse_server_tool,
    parse_tool,
    parse_tool_choice,
    render_tool,
)
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.redaction import mask_secrets, unmask_secrets
from xai_lowcode.types.messages import ToolCallPart
from xai_lowcode.types.requests import NamedTool, ServerTool, ToolChoice, ToolSpec

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")

# An agent offers its tools in every step, and pydantic takes a quarter of a millisecond for each.
_SCHEMAS: WeakKeyDictionary[type[BaseModel], dict[tuple[str, bool], Mapping[str, Any]]] = (
    WeakKeyDictionary()
)


def sanitize_name(name: str) -> str:
    """A name as xAI takes it."""
    return _UNFIT.sub("_", name)


def render_tools(tools: Sequence[Any], *, clean: bool) -> list[dict[str, Any]]:
    """Tools in OpenAI's form, under the names they have in LlamaIndex.

    Tools that xAI runs are in their form on the wire, with their keys hidden from events.

    Args:
        tools: The tools.
        clean: Whether their schemas are brought to what xAI takes.
    """
    return [_render_tool(tool, clean=clean) for tool in tools]


def _render_tool(tool: Any, *, clean: bool) -> dict[str, Any]:
    if (served := to_server_tool(tool)) is not None:
        return mask_secrets(render_tool(served))
    if not isinstance(tool, BaseTool):
        parse_tool(tool)  # refuses what is no function
        return dict(tool)
    return {
        "type": "function",
        "function": {
            "name": tool.metadata.get_name(),
            "description": tool.metadata.description,
            "parameters": _parameters(tool.metadata, clean=clean),
        },
    }


def _parameters(metadata: ToolMetadata, *, clean: bool) -> Mapping[str, Any]:
    def described() -> Mapping[str, Any]:
        parameters = metadata.get_parameters_dict()
        if metadata.fn_schema is not None and "properties" not in parameters:
            # Of a class that contains itself LlamaIndex leaves out the root, a reference.
            parameters = object_schema(metadata.fn_schema)
        return sanitize_schema(parameters, field="tools", name=name) if clean else parameters

    name = metadata.get_name()
    if metadata.fn_schema is None or type(metadata) is not ToolMetadata:
        return described()
    return cached_schema(metadata.fn_schema, ("tools", clean), described)


def cached_schema(
    schema_of: type[BaseModel], use: tuple[str, bool], made: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The schema of a class, made once.

    Args:
        schema_of: The class.
        use: The option it is for, and whether it is clean.
        made: Makes it.
    """
    known = _SCHEMAS.setdefault(schema_of, {})
    if use not in known:
        known[use] = made()
    return known[use]


def object_schema(schema_of: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a class, with an object at its root."""
    schema = schema_of.model_json_schema()
    reference = schema.pop("$ref", "")
    return {**schema.get("$defs", {}).get(reference.rpartition("/")[2], {}), **schema}


def to_server_tool(tool: Any) -> ServerTool | None:
    """A tool that xAI runs, from any of its forms; None for any other tool."""
    if isinstance(tool, XAIServerTool):
        return tool.tool
    return parse_server_tool(unmask_secrets(tool)) if is_server_tool(tool) else None


def to_tool_specs(tools: Sequence[Any]) -> tuple[ToolSpec, ...]:
    """Tools of LlamaIndex, or in OpenAI's form, as ours.

    Raises:
        UsageError: Something is neither, or two tools have the same name at xAI.
    """
    specs = tuple(replace(spec, name=sanitize_name(spec.name)) for spec in _specs(tools))
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"tools: there are two tools with the name {name!r}.", field="tools")
    return specs


def original_names(tools: Sequence[Any]) -> dict[str, str]:
    """From names at xAI to those in LlamaIndex, where they differ."""
    given = [spec.name for spec in _specs(tools)]
    return {sanitize_name(name): name for name in given if sanitize_name(name) != name}


def _specs(tools: Sequence[Any]) -> list[ToolSpec]:
    # Whether schemas are cleaned is known only where the request is rendered.
    return [
        parse_tool(_render_tool(tool, clean=False) if isinstance(tool, BaseTool) else tool)
        for tool in tools
    ]


def to_tool_choice(choice: Any) -> ToolChoice | None:
    """A choice as ours: a word, the name of a tool, or OpenAI's form of it.

    Raises:
        UsageError: It is none of these.
    """
    read = parse_tool_choice(choice)
    return NamedTool(sanitize_name(read.name)) if isinstance(read, NamedTool) else read


def to_plain_calls(calls: Sequence[ToolCallPart]) -> list[dict[str, Any]]:
    """Calls as LlamaIndex's own code looks for them in ``additional_kwargs``: plain dicts."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]


def to_selections(message: ChatMessage) -> list[ToolSelection]:
    """The calls of an answer. A call that is still arriving has the arguments it has so far."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [
            _selection(block.tool_call_id, block.tool_name, block.tool_kwargs) for block in blocks
        ]
    return [
        _selection(call.get("id"), call["function"]["name"], call["function"].get("arguments"))
        for call in message.additional_kwargs.get("tool_calls") or ()
    ]


def _selection(call_id: str | None, name: str, arguments: Any) -> ToolSelection:
    return ToolSelection(tool_id=call_id or "", tool_name=name, tool_kwargs=to_arguments(arguments))


def to_arguments(said: Any) -> Any:
    """The arguments of a call: read as far as they go, empty where they are no object."""
    if isinstance(said, str):
        try:
            said = from_json(said, allow_partial="trailing-strings")
        except ValueError:
            return {}
    return said if isinstance(said, dict) else {}
