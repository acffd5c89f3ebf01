"""What a call of the model says, put together as our request.

Options come from the model's fields, from ``additional_kwargs`` and from the call; the latter win.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from pydantic import BaseModel

from llama_index_xai_lowcode._messages import ITEMS, to_messages
from llama_index_xai_lowcode._tools import (
    cached_schema,
    object_schema,
    original_names,
    sanitize_name,
    to_server_tool,
    to_tool_choice,
    to_tool_specs,
)
from xai_lowcode.chat.dialect_selection import stored_response_is_current
from xai_lowcode.chat.openai_format import parse_response_format
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.types.messages import ToolCallPart
from xai_lowcode.types.requests import OPTIONS, ChatRequest, ResponseFormat

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request, and what must be known to read its answer.

    Attributes:
        request: The request.
        names: From tool names at xAI to those in LlamaIndex, where they differ.
        one_call: Whether no more than one call is wanted.
    """

    request: ChatRequest
    names: Mapping[str, str]
    one_call: bool = False

    def calls(self, calls: Sequence[ToolCallPart]) -> list[ToolCallPart]:
        """The calls of an answer that are wanted, under LlamaIndex's names."""
        # Models call twice although they were told not to; LlamaIndex then raises.
        wanted = calls[:1] if self.one_call else calls
        return [
            ToolCallPart(call.id, self.names.get(call.name, call.name), call.arguments)
            for call in wanted
        ]


def prepare_request(
    model: str, messages: Sequence[ChatMessage], *layers: Mapping[str, Any]
) -> PreparedRequest:
    """Makes the request.

    Args:
        model: Name of the model, unless a layer names another one.
        messages: The conversation.
        layers: Options; later ones win. None takes an option away.

    Raises:
        UsageError: An option or a message cannot be sent.
    """
    wishes = {name: value for layer in layers for name, value in _normalize_option_names(layer)}
    wishes = {name: value for name, value in wishes.items() if value is not None}
    one_call = wishes.get("parallel_tool_calls") is False
    if one_call and wishes.get("api") == "messages":
        # That form has no member for it, and needs none: what is too much is cut off here.
        del wishes["parallel_tool_calls"]
    if wishes.pop("use_previous_response_id", False):
        messages, wishes = _after_stored(messages, wishes)
    _sort_tools(wishes)
    names = original_names(wishes.get("tools", ()))
    request = ChatRequest(
        model=wishes.pop("model", model),
        messages=to_messages(messages),
        extra={name: wishes.pop(name) for name in wishes.keys() - OPTIONS},
        **{name: _READERS.get(name, _unchanged)(value) for name, value in wishes.items()},
    )
    return PreparedRequest(request, names, one_call)


def _sort_tools(wishes: dict[str, Any]) -> None:
    """Puts tools that xAI runs, which callers give among the others, where they belong."""
    given = [(tool, to_server_tool(tool)) for tool in wishes.pop("tools", ())]
    served = [to_server_tool(tool) or tool for tool in wishes.pop("server_tools", ())]
    served += [tool for _, tool in given if tool is not None]
    wishes["tools"] = [tool for tool, server_tool in given if server_tool is None]
    if served:
        wishes["server_tools"] = served


def _after_stored(
    messages: Sequence[ChatMessage], wishes: dict[str, Any]
) -> tuple[Sequence[ChatMessage], dict[str, Any]]:
    """Only what was said after the last answer that xAI keeps, and the id of that answer."""
    for place in range(len(messages) - 1, 0, -1):
        told = messages[place - 1].additional_kwargs.get(ITEMS) or {}
        # xAI's copy of an answer that was corrected since would bring back what it said.
        if told.get("id") and stored_response_is_current(*to_messages(messages[place - 1 : place])):
            return messages[place:], {"previous_response_id": told["id"], **wishes}
    return messages, wishes


def _normalize_option_names(wishes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in wishes.items():
        match name:
            case "max_completion_tokens":
                yield "max_tokens", value
            case "stream_options":
                yield "stream_usage", (value or {}).get("include_usage", True)
            case "extra_body":
                yield from (value or {}).items()
            case "stream":
                # The method that is called decides.
                continue
            case _:
                yield name, value


def _unchanged(value: Any) -> Any:
    return value


def _to_stops(stop: Any) -> tuple[Any, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def json_schema_format(schema_of: type[BaseModel], *, clean: bool) -> dict[str, Any]:
    """The wish for an object of a class, in OpenAI's form.

    Args:
        schema_of: The class.
        clean: Whether its schema is brought to what xAI takes.
    """

    def described() -> Mapping[str, Any]:
        schema = object_schema(schema_of)
        return sanitize_schema(schema, field="response_format", name=name) if clean else schema

    name = sanitize_name(schema_of.__name__)[:_LONGEST_NAME]
    schema = cached_schema(schema_of, ("response_format", clean), described)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _to_response_format(wish: Any) -> ResponseFormat | None:
    is_class = isinstance(wish, type) and issubclass(wish, BaseModel)
    read = parse_response_format(json_schema_format(wish, clean=False) if is_class else wish)
    return None if read is None else replace(read, name=sanitize_name(read.name))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "tools": to_tool_specs,
    "tool_choice": to_tool_choice,
    "response_format": _to_response_format,
    "stop": _to_stops,
}
