"""Render requests for Chat Completions (``/v1/chat/completions``)."""

from collections.abc import Callable, Sequence
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.chat.dialects.common import (
    part_error,
    skip_part,
    unsupported_part_error,
)
from xai_lowcode.chat.dialects.history import numbered_messages
from xai_lowcode.json_schema import response_schema, tool_parameters
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    join_texts,
)
from xai_lowcode.types.requests import ChatRequest, NamedTool, ResponseFormat, ToolChoice, ToolSpec

# Options whose field has the same name.
_SAME_NAME_OPTIONS = (
    "temperature",
    "top_p",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "user",
    "service_tier",
    "safety_identifier",
)


def render_request(request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """Render the request body.

    Raises:
        UsageError: A message has a part that Chat Completions does not support.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _render_messages(request.messages),
    }
    body |= request.given(_SAME_NAME_OPTIONS)
    if request.max_tokens is not None:
        body["max_completion_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body.update(_render_tools(request))
    if request.response_format is not None:
        body["response_format"] = _render_response_format(request.response_format, request)
    if request.deferred:
        body["deferred"] = True
    if stream:
        body["stream"] = True
        if request.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body.update(request.extra)
    return body


def _render_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    rendered: list[dict[str, Any]] = []
    for position, message in numbered_messages(messages):
        role, parts = message.role, message.parts
        if len(parts) == 1 and type(parts[0]) is TextPart and role == "assistant":
            # Most responses of long histories. xAI rejects assistant messages without content.
            if text := parts[0].text:
                rendered.append({"role": role, "content": text})
        elif role == "tool":
            rendered += [_render_tool_result(part, position) for part in parts]
        elif role == "assistant":
            assistant_message = _render_assistant_message(message, position)
            if assistant_message["content"] or "tool_calls" in assistant_message:
                rendered.append(assistant_message)
        else:
            rendered.append(_render_input_message(message, position))
    return rendered


def _render_input_message(message: Message, position: int) -> dict[str, Any]:
    content = _render_content(message.parts, message.role, position)
    rendered: dict[str, Any] = {"role": message.role, "content": content}
    # xAI rejects a name on any other role.
    if message.name and message.role == "user":
        rendered["name"] = message.name
    return rendered


def _render_assistant_message(message: Message, position: int) -> dict[str, Any]:
    text, reasoning, calls = [], [], []
    for part in message.parts:
        if isinstance(part, TextPart):
            text.append(part.text)
        elif isinstance(part, ReasoningPart):
            reasoning.append(part.text)
        elif isinstance(part, ToolCallPart):
            calls.append(_render_tool_call(part))
        else:
            skip_part(part, position)
    # Not null, which xAI has rejected beside tool calls.
    rendered: dict[str, Any] = {"role": "assistant", "content": "".join(text)}
    if reasoning:
        rendered["reasoning_content"] = "".join(reasoning)
    if calls:
        rendered["tool_calls"] = calls
    return rendered


def _render_tool_call(call: ToolCallPart) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": json.normalize_arguments(call.arguments)},
    }


def _render_tool_result(part: Part, position: int) -> dict[str, Any]:
    if not isinstance(part, ToolResultPart):
        raise unsupported_part_error(part, "tool", position)
    return {
        "role": "tool",
        "tool_call_id": part.call_id,
        "content": _render_content(part.content, "tool", position),
    }


def _render_content(parts: Sequence[Part], role: str, position: int) -> str | list[dict[str, Any]]:
    # Text is sent as a string: models without image input reject a list, even of one text part.
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    if all(isinstance(part, TextPart) for part in parts):
        return join_texts(parts)
    return [
        _render_part(part, role, position)
        for part in parts
        if not (isinstance(part, TextPart) and not part.text)
    ]


def _render_part(part: Part, role: str, position: int) -> dict[str, Any]:
    render = _PART_RENDERERS.get(type(part))
    if render is None:
        raise unsupported_part_error(part, role, position)
    return render(part, position)


def _render_text(part: TextPart, _: int) -> dict[str, Any]:
    return {"type": "text", "text": part.text}


def _render_image(part: ImagePart, position: int) -> dict[str, Any]:
    if not part.file_id and not part.url:
        raise part_error(part, position, "has neither a url nor a file_id.")
    image = {"file_id": part.file_id} if part.file_id else {"url": part.url}
    if part.detail:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _render_file(part: FilePart, position: int) -> dict[str, Any]:
    if part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.url:
        return {"type": "file", "file": {"url": part.url}}
    raise part_error(
        part,
        position,
        f"with inline data ({part.filename or part.mime_type or 'no name'}) is not supported by"
        " chat_completions.",
        hint="Upload the file and pass its file_id, pass a URL, or use api='responses'.",
    )


_PART_RENDERERS: dict[type, Callable[[Any, int], dict[str, Any]]] = {
    TextPart: _render_text,
    ImagePart: _render_image,
    FilePart: _render_file,
}


def _render_tools(request: ChatRequest) -> dict[str, Any]:
    rendered: dict[str, Any] = {"tools": [_render_tool(tool, request) for tool in request.tools]}
    if request.tool_choice is not None:
        rendered["tool_choice"] = _render_tool_choice(request.tool_choice)
    if request.parallel_tool_calls is not None:
        rendered["parallel_tool_calls"] = request.parallel_tool_calls
    return rendered


def _render_tool(tool: ToolSpec, request: ChatRequest) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool_parameters(tool, request),
        },
    }


def _render_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": choice.name}}
    return choice


def _render_response_format(
    response_format: ResponseFormat, request: ChatRequest
) -> dict[str, Any]:
    schema = response_schema(response_format, request)
    if schema is None:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": response_format.name, "schema": schema, "strict": True},
    }
