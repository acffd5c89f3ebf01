"""Render requests for Messages (``/v1/messages``)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.chat.dialects.common import (
    can_replay_items,
    part_error,
    skip_part,
    unsupported_part_error,
)
from xai_lowcode.chat.dialects.history import numbered_messages
from xai_lowcode.chat.dialects.messages.response import parse_content
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import tool_parameters
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    join_texts,
)
from xai_lowcode.types.requests import ChatRequest, NamedTool, ToolChoice, ToolSpec

DEFAULT_MAX_TOKENS = 32_000
"""Value of ``max_tokens``, which the API requires, for requests that do not set it."""

# Up to it the numbers of JavaScript, in which the gateway is written, are exact.
_MAX_EXACT_INTEGER = 2**53
_LONG_NUMBER = re.compile(r"\d{16}")

Json = dict[str, Any]


def render_request(request: ChatRequest, *, stream: bool) -> Json:
    """Render the request body.

    Raises:
        UsageError: An option or part is not supported, and the request would have another meaning
            without it.
    """
    for name, is_set in (
        ("n", (request.n or 1) > 1),
        ("deferred", request.deferred),
        ("response_format", request.response_format is not None),
    ):
        if is_set:
            raise UsageError(
                f"{name}: not supported by messages.",
                field=name,
                hint="Use api='chat_completions' or api='responses'.",
            )
    body: Json = {
        "model": request.model,
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": list(_render_messages(request.messages)),
    }
    system_texts = (
        _render_system_message(message, position)
        for position, message in enumerate(request.messages)
        if message.role == "system"
    )
    if system := "\n\n".join(filter(None, system_texts)):
        body["system"] = system
    body |= request.given(("temperature", "top_p", "top_k"))
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    body.update(_render_tools(request))
    if stream:
        body["stream"] = True
    body.update(request.extra)
    return body


def _render_system_message(message: Message, position: int) -> str:
    for part in message.parts:
        if not isinstance(part, TextPart):
            raise unsupported_part_error(part, "system", position)
    return join_texts(message.parts)


def _render_messages(messages: Sequence[Message]) -> Iterator[Json]:
    """Render the messages; consecutive tool results become one user message."""
    numbered = [entry for entry in numbered_messages(messages) if entry[1].role != "system"]
    for role, group in groupby(numbered, key=lambda entry: entry[1].role):
        if role == "tool":
            results = [
                _render_tool_result(part, position)
                for position, message in group
                for part in message.parts
            ]
            yield {"role": "user", "content": results}
            continue
        for position, message in group:
            content = _render_content(message, position)
            # xAI rejects assistant messages without content.
            if content or role != "assistant":
                yield {"role": role, "content": content}


def _render_content(message: Message, position: int) -> str | list[Any]:
    if message.role == "assistant":
        _warn_about_large_integers(message.parts, position)
    if message.dialect == "messages" and can_replay_items(message, parse_content):
        return list(message.items)
    parts = message.parts
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    render = _render_assistant_part if message.role == "assistant" else _render_input_part
    rendered = [render(part, message.role, position) for part in parts]
    return [part for part in rendered if part is not None]


def _warn_about_large_integers(parts: Iterable[Part], position: int) -> None:
    """Warn if the gateway rounds arguments, which only this API sends as JSON numbers."""
    for part in parts:
        if isinstance(part, ToolCallPart) and _LONG_NUMBER.search(part.arguments):
            arguments = json.parse_arguments(json.normalize_arguments(part.arguments))
            if _has_large_integer(arguments):
                warn_user(
                    f"messages[{position}]: the gateway rounds integers above 2^53 in the arguments"
                    f" of tool calls, such as those of {part.name!r}. Use api='chat_completions' or"
                    " api='responses', which keep them."
                )
                return


def _has_large_integer(value: Any) -> bool:
    match value:
        case int():
            return abs(value) > _MAX_EXACT_INTEGER
        case dict():
            return any(map(_has_large_integer, value.values()))
        case list():
            return any(map(_has_large_integer, value))
        case _:
            return False


def _render_input_part(part: Part, role: str, position: int) -> Json | None:
    match part:
        case TextPart():
            return _render_text(part)
        case ImagePart():
            return _render_image(part, position)
        case _:
            raise unsupported_part_error(part, role, position)


def _render_assistant_part(part: Part, _role: str, position: int) -> Json | None:
    match part:
        case TextPart():
            return _render_text(part)
        case ToolCallPart():
            return _render_tool_call(part)
        case ReasoningPart():
            # The API accepts reasoning only as its own signed blocks, which are in message.items.
            return None
        case _:
            skip_part(part, position)
            return None


def _render_text(part: TextPart) -> Json | None:
    return {"type": "text", "text": part.text} if part.text else None


def _render_image(part: ImagePart, position: int) -> Json:
    if not part.url:
        raise part_error(part, position, "needs a url; a file_id is not supported by messages.")
    mime_type_and_data = split_data_url(part.url)
    if mime_type_and_data is None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    mime_type, data = mime_type_and_data
    return {"type": "image", "source": {"type": "base64", "media_type": mime_type, "data": data}}


def _render_tool_call(part: ToolCallPart) -> Json:
    # This API needs an object.
    arguments = json.parse_arguments(json.normalize_arguments(part.arguments))
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}


def _render_tool_result(part: Part, position: int) -> Json:
    if not isinstance(part, ToolResultPart):
        raise unsupported_part_error(part, "tool", position)
    content: Any = [_render_input_part(inner, "tool", position) for inner in part.content]
    if all(isinstance(inner, TextPart) for inner in part.content):
        content = join_texts(part.content)
    result = {"type": "tool_result", "tool_use_id": part.call_id, "content": content}
    return {**result, "is_error": True} if part.is_error else result


def _render_tools(request: ChatRequest) -> Json:
    if not request.tools or request.tool_choice == "none":
        return {}
    rendered: Json = {"tools": [_render_tool(tool, request) for tool in request.tools]}
    choice = request.tool_choice
    if request.parallel_tool_calls is False:
        single = {"disable_parallel_tool_use": True}
        rendered["tool_choice"] = _render_tool_choice(choice or "auto") | single
    elif choice is not None:
        rendered["tool_choice"] = _render_tool_choice(choice)
    return rendered


def _render_tool(tool: ToolSpec, request: ChatRequest) -> Json:
    schema = tool_parameters(tool, request)
    if not {"type", "properties"} <= schema.keys():  # both are required
        schema = {"type": "object", "properties": {}, **schema}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _render_tool_choice(choice: ToolChoice) -> Json:
    if isinstance(choice, NamedTool):
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice == "required" else choice}
