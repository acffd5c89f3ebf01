"""Our request as the body of ``/v1/messages``."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.chat.dialects.common import can_replay_items, skip_part, unsupported_part_error
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
"""This form demands a limit; the one used where none was set."""

Json = dict[str, Any]


def render_request(request: ChatRequest, *, stream: bool) -> Json:
    """The request body.

    Raises:
        UsageError: Something has no place here, and leaving it out would change the meaning.
    """
    for name, wish in (
        ("n", (request.n or 1) > 1),
        ("deferred", request.deferred),
        ("response_format", request.response_format is not None),
    ):
        if wish:
            raise UsageError(
                f"{name}: messages have nothing like it.",
                field=name,
                hint="Use api='chat_completions' or api='responses'.",
            )
    body: Json = {
        "model": request.model,
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": list(_render_messages(request.messages)),
    }
    system = [m for m in request.messages if m.role == "system"]
    if system:
        body["system"] = "\n\n".join(filter(None, map(_system_text, system)))
    body |= request.given(("temperature", "top_p"))
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    body.update(_render_tools(request))
    if stream:
        body["stream"] = True
    body.update(request.extra)
    return body


def _system_text(message: Message) -> str:
    if not all(isinstance(part, TextPart) for part in message.parts):
        raise UsageError("messages: a system message can hold text only.", field="messages")
    return join_texts(message.parts)


def _render_messages(messages: Sequence[Message]) -> Iterator[Json]:
    """Users and tools are one role here, and the results of one turn belong into one message."""
    spoken = [(i, message) for i, message in enumerate(messages) if message.role != "system"]
    for role, group in groupby(spoken, key=lambda entry: entry[1].role):
        if role == "tool":
            results = [_render_tool_result(p, i) for i, message in group for p in message.parts]
            yield {"role": "user", "content": results}
            continue
        for position, message in group:
            content = _render_content(message, position)
            # An answer that said nothing, cut at once or empty, is refused when it goes back.
            if content or role != "assistant":
                yield {"role": role, "content": content}


def _render_content(message: Message, position: int) -> str | list[Any]:
    if message.dialect == "messages" and can_replay_items(message, parse_content(message.items)):
        return list(message.items)
    parts = message.parts
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    render = _render_assistant_message if message.role == "assistant" else _render_input_message
    rendered = [render(part, message.role, position) for part in parts]
    return [part for part in rendered if part is not None]


def _render_input_message(part: Part, role: str, position: int) -> Json | None:
    match part:
        case TextPart():
            return _render_text(part)
        case ImagePart():
            return _render_image(part)
        case _:
            raise unsupported_part_error(part, role, position)


def _render_assistant_message(part: Part, _role: str, position: int) -> Json | None:
    match part:
        case TextPart():
            return _render_text(part)
        case ToolCallPart():
            return _render_tool_call(part)
        case ReasoningPart():
            # Thoughts go back only as the blocks they came in, which are signed.
            return None
        case _:
            skip_part(part, position)
            return None


def _render_text(part: TextPart) -> Json | None:
    return {"type": "text", "text": part.text} if part.text else None


def _render_image(part: ImagePart) -> Json:
    if not part.url:
        raise UsageError("messages: a picture needs a url here, not a file_id.", field="messages")
    inside = split_data_url(part.url)
    if inside is None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    kind, data = inside
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _render_tool_call(part: ToolCallPart) -> Json:
    try:
        arguments = json.loads(part.arguments or "{}")
    except json.JSONDecodeError:
        # What the model wrote is no JSON, and this form takes an object only.
        arguments = {"unreadable": part.arguments}
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}


def _render_tool_result(part: Part, position: int) -> Json:
    if not isinstance(part, ToolResultPart):
        raise unsupported_part_error(part, "tool", position)
    content: Any = [_render_input_message(inner, "tool", position) for inner in part.content]
    if all(isinstance(inner, TextPart) for inner in part.content):
        content = join_texts(part.content)
    return {"type": "tool_result", "tool_use_id": part.call_id, "content": content}


def _render_tools(request: ChatRequest) -> Json:
    if not request.tools or request.tool_choice == "none":
        return {}
    rendered: Json = {"tools": [_render_tool(tool, request) for tool in request.tools]}
    if request.tool_choice is not None:
        rendered["tool_choice"] = _render_tool_choice(request.tool_choice)
    return rendered


def _render_tool(tool: ToolSpec, request: ChatRequest) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool_parameters(tool, request),
    }


def _render_tool_choice(choice: ToolChoice) -> Json:
    if isinstance(choice, NamedTool):
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice == "required" else choice}
