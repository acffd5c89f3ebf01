"""Build chat requests from LlamaIndex's messages and options.

Options come from the fields of the model, ``additional_kwargs`` and the call; the later ones win.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from pydantic import BaseModel, RootModel

from llama_index_xai_lowcode._messages import to_messages
from llama_index_xai_lowcode._tools import (
    get_cached_schema,
    original_names,
    to_tool,
)
from xai_lowcode.chat.openai_format import parse_response_format
from xai_lowcode.chat.options import build_request, merge_options, sanitize_name
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.json_schema.sources import is_object_schema, read_type, wrap_value
from xai_lowcode.types.messages import ToolCallPart
from xai_lowcode.types.requests import ChatRequest, ResponseFormat


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request, and what is needed to convert its response.

    Attributes:
        request: The request.
        tool_names: Maps the names of tools as they are sent to their names in LlamaIndex.
        single_tool_call: Whether the response may have at most one tool call.
    """

    request: ChatRequest
    tool_names: Mapping[str, str]
    single_tool_call: bool = False

    def restore_tool_calls(self, calls: Sequence[ToolCallPart]) -> list[ToolCallPart]:
        """Return the tool calls of the response with LlamaIndex's names of the tools."""
        # Models ignore parallel_tool_calls=False at times; LlamaIndex raises for a second call.
        allowed = calls[:1] if self.single_tool_call else calls
        return [replace(call, name=self.tool_names.get(call.name, call.name)) for call in allowed]


def prepare_request(
    model: str, messages: Sequence[ChatMessage], *layers: Mapping[str, Any]
) -> PreparedRequest:
    """Build the request of one call.

    Args:
        model: Name of the model, unless a layer sets another one.
        messages: The conversation.
        layers: Options; later layers win, and None removes an option.

    Raises:
        UsageError: An option or a message cannot be sent.
    """
    options = merge_options({"model": model}, *layers)
    single_tool_call = options.get("parallel_tool_calls") is False
    tool_names = original_names(options.get("tools", ()))
    request = build_request(
        to_messages(messages), options, to_tool=to_tool, to_response_format=_to_response_format
    )
    return PreparedRequest(request, tool_names, single_tool_call)


def is_wrapped(model_class: type[BaseModel]) -> bool:
    """Return whether structured output of a class is sent as the field ``value`` of an object.

    It is for a ``RootModel`` of another type, since xAI accepts objects only.
    """
    if not issubclass(model_class, RootModel):
        return False
    schema = get_cached_schema(model_class, ("root", False), lambda: read_type(model_class).schema)
    return not is_object_schema(schema)


def json_schema_format(
    model_class: type[BaseModel], *, sanitize: bool, wrapped: bool = False
) -> dict[str, Any]:
    """Return the response format for objects of a class, in OpenAI's format.

    Args:
        model_class: The class.
        sanitize: Whether to reduce its JSON schema to what xAI supports.
        wrapped: Whether the schema is that of an object with the field ``value``.
    """

    def create_schema() -> Mapping[str, Any]:
        schema = read_type(model_class).describe()
        if wrapped:
            schema = wrap_value(schema)
        return sanitize_schema(schema, field="response_format", name=name) if sanitize else schema

    name = sanitize_name(model_class.__name__)
    field = "value" if wrapped else "response_format"
    schema = get_cached_schema(model_class, (field, sanitize), create_schema)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _to_response_format(value: Any) -> ResponseFormat | None:
    is_class = isinstance(value, type) and issubclass(value, BaseModel)
    return parse_response_format(json_schema_format(value, sanitize=False) if is_class else value)
