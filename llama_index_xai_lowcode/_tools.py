"""Convert LlamaIndex's tools, tool choices and tool calls.

Tools are keyword arguments of ``chat`` in OpenAI's format, which tracers read; they are converted
when the request is built. xAI accepts fewer characters in names than LlamaIndex:
``original_names`` maps the names that were sent to those of the tools.
"""

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
from xai_lowcode._internal import json
from xai_lowcode.chat.openai_format import (
    is_server_tool,
    parse_server_tool,
    parse_tool,
    render_server_tool,
)
from xai_lowcode.chat.options import sanitize_name
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.json_schema.sources import read_type
from xai_lowcode.redaction import mask_secrets, unmask_secrets
from xai_lowcode.types.messages import ToolCallPart
from xai_lowcode.types.requests import ServerTool, ToolSpec

# An agent sends its tools with every step, and pydantic needs 0.25 ms for a schema. Beside a schema
# is what pydantic made it from: another object after ``model_rebuild``.
_SCHEMAS: WeakKeyDictionary[type[BaseModel], dict[tuple[str, bool], tuple[Any, Mapping[str, Any]]]]
_SCHEMAS = WeakKeyDictionary()


def render_tools(tools: Sequence[Any], *, sanitize: bool) -> list[dict[str, Any]]:
    """Return tools in OpenAI's format, under their LlamaIndex names.

    Server-side tools are in xAI's format, with their credentials masked.

    Args:
        tools: LlamaIndex's tools, server-side tools, or tools in OpenAI's format.
        sanitize: Whether to reduce their JSON schemas to what xAI supports.

    Raises:
        UsageError: An element is not a tool.
    """
    return [_render_tool(tool, sanitize=sanitize) for tool in tools]


def _render_tool(tool: Any, *, sanitize: bool) -> dict[str, Any]:
    if (server_tool := to_server_tool(tool)) is not None:
        return mask_secrets(render_server_tool(server_tool))
    if not isinstance(tool, BaseTool):
        parse_tool(tool)  # raises if it is not a function
        return dict(tool)
    return {
        "type": "function",
        "function": {
            "name": tool.metadata.get_name(),
            "description": tool.metadata.description,
            "parameters": _get_parameters(tool.metadata, sanitize=sanitize),
        },
    }


def _get_parameters(metadata: ToolMetadata, *, sanitize: bool) -> Mapping[str, Any]:
    def create_schema() -> Mapping[str, Any]:
        # LlamaIndex keeps only some keywords of the root, without the reference of a recursive
        # class.
        schema = (
            metadata.get_parameters_dict() if fn_schema is None else read_type(fn_schema).schema
        )
        return sanitize_schema(schema, field="tools", name=name) if sanitize else schema

    name = metadata.get_name()
    is_overridden = type(metadata).get_parameters_dict is not ToolMetadata.get_parameters_dict
    fn_schema = None if is_overridden else metadata.fn_schema
    if fn_schema is None:
        return create_schema()
    return get_cached_schema(fn_schema, ("tools", sanitize), create_schema)


def get_cached_schema(
    model_class: type[BaseModel],
    key: tuple[str, bool],
    create_schema: Callable[[], Mapping[str, Any]],
) -> Mapping[str, Any]:
    """Return the JSON schema of a class, created on first use and again if the class is rebuilt.

    Args:
        model_class: The class.
        key: The option that the schema is for, and whether the schema is sanitized.
        create_schema: Creates the schema.
    """
    schemas = _SCHEMAS.setdefault(model_class, {})
    source, schema = schemas.get(key, (None, {}))
    if source is None or source is not model_class.__pydantic_core_schema__:
        schema = create_schema()
        # Only now: pydantic builds some classes when they are first used.
        schemas[key] = (model_class.__pydantic_core_schema__, schema)
    return schema


def to_server_tool(tool: Any) -> ServerTool | None:
    """Convert a server-side tool from any of its formats; return None for any other tool."""
    if isinstance(tool, XAIServerTool):
        return tool.tool
    return parse_server_tool(unmask_secrets(tool)) if is_server_tool(tool) else None


def to_tool(tool: Any) -> ToolSpec | ServerTool:
    """Convert a tool of LlamaIndex, a server-side tool, or a function in OpenAI's format.

    Raises:
        UsageError: It is none of these.
    """
    if (server_tool := to_server_tool(tool)) is not None:
        return server_tool
    spec = _parse_function(tool)
    return replace(spec, name=sanitize_name(spec.name))


def original_names(tools: Sequence[Any]) -> dict[str, str]:
    """Map the names of tools as they are sent to their names in LlamaIndex."""
    names = [_parse_function(tool).name for tool in tools if to_server_tool(tool) is None]
    return {sanitize_name(name): name for name in names}


def _parse_function(tool: Any) -> ToolSpec:
    # The schema is sanitized when the request is rendered, if clean_schemas is set.
    return parse_tool(_render_tool(tool, sanitize=False) if isinstance(tool, BaseTool) else tool)


def render_tool_calls(calls: Sequence[ToolCallPart]) -> list[dict[str, Any]]:
    """Return tool calls as the dicts that LlamaIndex reads from ``additional_kwargs``."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]


def to_selections(message: ChatMessage, *, is_final: bool) -> list[ToolSelection]:
    """Return the tool calls of a message.

    Args:
        message: The message of a response.
        is_final: Whether the response is complete. In the others of a stream, incomplete arguments
            are parsed as far as they go.
    """
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        calls = [(block.tool_call_id, block.tool_name, block.tool_kwargs) for block in blocks]
    else:
        calls = [
            (call.get("id"), call["function"]["name"], call["function"].get("arguments"))
            for call in message.additional_kwargs.get("tool_calls") or ()
        ]
    parse = _parse_final_arguments if is_final else _parse_partial_arguments
    return [
        ToolSelection(tool_id=call_id or "", tool_name=name, tool_kwargs=parse(arguments))
        for call_id, name, arguments in calls
    ]


def _parse_final_arguments(arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, dict):
        return arguments
    if error := describe_invalid_arguments(arguments):
        # A tool must not run with arguments that the model did not give, and the agent reports its
        # error. Python rejects a second ``self`` for the method of any tool, also of one that
        # accepts every other name: tools of MCP servers, query engines. LlamaIndex passes a single
        # argument by position.
        return {"self": error, "invalid_arguments": _to_text(arguments)}
    return json.parse_arguments(_to_text(arguments))


def describe_invalid_arguments(arguments: Any) -> str:
    """Return why a tool is not run with arguments; an empty string if they are a JSON object."""
    if isinstance(arguments, dict):
        return ""
    try:
        json.parse_arguments(_to_text(arguments))
    except json.JSONDecodeError as error:
        return f"The tool was not run: its arguments are not a valid JSON object. {error}"
    return ""


def is_rejection(text: str) -> bool:
    """Return whether the result of a tool is Python's error for a second ``self``."""
    return "multiple values for argument 'self'" in text


def _to_text(arguments: Any) -> str:
    if arguments is None:  # old chat stores have null
        return ""
    return arguments if isinstance(arguments, str) else json.dumps_text(arguments)


def _parse_partial_arguments(arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = from_json(arguments, allow_partial="trailing-strings")
        except ValueError:
            return {}
    return arguments if isinstance(arguments, dict) else {}
