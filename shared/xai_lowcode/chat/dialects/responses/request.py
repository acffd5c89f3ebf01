"""Render requests for Responses (``/v1/responses``)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import get_str
from xai_lowcode.chat.dialects.common import (
    can_replay_items,
    part_error,
    skip_part,
    unsupported_part_error,
)
from xai_lowcode.chat.dialects.history import numbered_messages
from xai_lowcode.chat.dialects.responses.response import parse_output
from xai_lowcode.chat.openai_format import render_server_tool
from xai_lowcode.errors import UsageError
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
    is_bare_reasoning,
    join_texts,
)
from xai_lowcode.types.requests import (
    ENCRYPTED_REASONING,
    ChatRequest,
    NamedTool,
    ResponseFormat,
    ToolChoice,
    ToolSpec,
)

# Options whose field has the same name.
_SAME_NAME_OPTIONS = (
    "temperature",
    "top_p",
    "logprobs",
    "top_logprobs",
    "user",
    "service_tier",
    "prompt_cache_key",
    "previous_response_id",
    "max_turns",
    "seed",
    "top_k",
    "min_p",
    "safety_identifier",
    "guidelines",
)

_NO_INLINE_CITATIONS = "no_inline_citations"

Json = dict[str, Any]


def render_request(request: ChatRequest, *, stream: bool) -> Json:
    """Render the request body.

    Raises:
        UsageError: An option or part is not supported by Responses.
    """
    for name, is_set in (("n", (request.n or 1) > 1), ("deferred", request.deferred)):
        if is_set:
            raise UsageError(
                f"{name}: not supported by responses.",
                field=name,
                hint="Use api='chat_completions'.",
            )
    body: Json = {
        "model": request.model,
        "input": _render_input(request),
        "store": request.is_stored,
    }
    body |= request.given(_SAME_NAME_OPTIONS)
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    if include := _render_include(request):
        body["include"] = include
    if reasoning := _render_reasoning(request):
        body["reasoning"] = reasoning
    body.update(_render_tools(request))
    if request.response_format is not None:
        body["text"] = {"format": _render_response_format(request.response_format, request)}
    if stream:
        body["stream"] = True
    body.update(request.extra)
    return body


def _render_include(request: ChatRequest) -> list[str]:
    include = list(request.include)
    if not request.is_stored and request.use_encrypted_content:
        include.append(ENCRYPTED_REASONING)
    if request.no_inline_citations:
        include.append(_NO_INLINE_CITATIONS)
    return list(dict.fromkeys(include))


def _render_reasoning(request: ChatRequest) -> Json:
    options = {"effort": request.reasoning_effort, "summary": request.reasoning_summary}
    return {name: value for name, value in options.items() if value is not None}


def _render_input(request: ChatRequest) -> list[Mapping[str, Any]]:
    rendered: list[Mapping[str, Any]] = []
    shell_calls: Mapping[str, Mapping[str, Any]] | None = None
    first = request.stored_messages
    continues_stored = bool(request.previous_response_id)
    for position, message in numbered_messages(request.messages, continues_stored=continues_stored):
        if position < first:
            continue
        role, parts = message.role, message.parts
        if len(parts) == 1 and type(parts[0]) is TextPart and not message.items and role != "tool":
            # Most messages of long histories. An empty one is a response of the model.
            if text := parts[0].text:
                rendered.append({"role": role, "content": text})
        # Its items are sent if it has not been changed since it was received.
        elif message.dialect == "responses" and can_replay_items(message, parse_output):
            rendered += [
                _replay_item(item) for item in message.items if not _is_omitted(item, request)
            ]
        elif role == "assistant":
            rendered += _render_assistant_message(parts, position)
        elif role == "tool":
            if shell_calls is None:
                shell_calls = _find_shell_calls(request.messages)
            rendered += [_render_tool_result(part, position, shell_calls) for part in parts]
        else:
            rendered.append({"role": role, "content": _render_content(parts, role, position)})
    return rendered


def _find_shell_calls(messages: Sequence[Message]) -> Mapping[str, Mapping[str, Any]]:
    """Return the calls of xAI's shell tool by the ids that their results have."""
    return {
        item["call_id"]: item
        for message in messages
        for item in message.items
        if item.get("type") == "shell_call" and "call_id" in item
    }


def _is_omitted(item: Mapping[str, Any], request: ChatRequest) -> bool:
    """Return whether an output item is not sent back.

    Without storage, reasoning without encrypted content could not be read.
    """
    if request.is_stored:
        return False
    if request.use_encrypted_content:
        return is_bare_reasoning(item)
    return item.get("type") == "reasoning"


def _replay_item(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an output item as it was received, but with arguments that xAI accepts."""
    if item.get("type") != "function_call":
        return item
    arguments = get_str(item, "arguments")
    normalized = json.normalize_arguments(arguments)
    return item if normalized == item.get("arguments") else {**item, "arguments": normalized}


def _render_assistant_message(parts: Sequence[Part], position: int) -> list[Json]:
    """Return items for text and tool calls. The API accepts reasoning as its own items only."""
    text, calls = "", []
    for part in parts:
        if isinstance(part, TextPart):
            text += part.text
        elif isinstance(part, ToolCallPart):
            calls.append(
                {
                    "type": "function_call",
                    "call_id": part.id,
                    "name": part.name,
                    "arguments": json.normalize_arguments(part.arguments),
                }
            )
        elif not isinstance(part, ReasoningPart):
            skip_part(part, position)
    return [{"role": "assistant", "content": text}, *calls] if text else calls


def _render_tool_result(
    part: Part, position: int, shell_calls: Mapping[str, Mapping[str, Any]]
) -> Json:
    if not isinstance(part, ToolResultPart):
        raise unsupported_part_error(part, "tool", position)
    if (call := shell_calls.get(part.call_id)) is not None:
        return _render_shell_output(part, call)
    return {
        "type": "function_call_output",
        "call_id": part.call_id,
        "output": _render_content(part.content, "tool", position),
    }


def _render_shell_output(part: ToolResultPart, call: Mapping[str, Any]) -> Json:
    """Render the result of xAI's shell tool: its outputs as JSON, or one output as text."""
    text = join_texts(part.content)
    try:
        outputs = json.loads(text)
    except json.JSONDecodeError:
        outputs = None
    outputs = [outputs] if isinstance(outputs, dict) else outputs
    if not (isinstance(outputs, list) and outputs and all(map(_is_shell_output, outputs))):
        outputs = [{"stdout": text, "outcome": {"type": "exit", "exit_code": 0}}]
    output: Json = {"type": "shell_call_output", "call_id": part.call_id, "output": outputs}
    action = call.get("action")
    if isinstance(action, Mapping) and action.get("max_output_length") is not None:
        output["max_output_length"] = action["max_output_length"]
    return output


def _is_shell_output(output: Any) -> bool:
    return isinstance(output, dict) and isinstance(output.get("outcome"), dict)


def _render_content(parts: Sequence[Part], role: str, position: int) -> str | list[Json]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    if all(isinstance(part, TextPart) for part in parts):
        return join_texts(parts)
    rendered = []
    for part in parts:
        render = _PART_RENDERERS.get(type(part))
        if render is None:
            raise unsupported_part_error(part, role, position)
        rendered.append(render(part, position))
    return rendered


def _render_text(part: TextPart, _: int) -> Json:
    return {"type": "input_text", "text": part.text}


def _render_image(part: ImagePart, _: int) -> Json:
    image = {"file_id": part.file_id} if part.file_id else {"image_url": part.url}
    if part.detail:
        image["detail"] = part.detail
    return {"type": "input_image", **image}


def _render_file(part: FilePart, position: int) -> Json:
    if part.file_id:
        return {"type": "input_file", "file_id": part.file_id}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    if not part.data:
        raise part_error(part, position, "has neither url, file_id nor data.")
    data = f"data:{part.mime_type or 'application/octet-stream'};base64,{part.data}"
    return {"type": "input_file", "filename": part.sent_name, "file_data": data}


_PART_RENDERERS: dict[type, Callable[[Any, int], Json]] = {
    TextPart: _render_text,
    ImagePart: _render_image,
    FilePart: _render_file,
}


def _render_tools(request: ChatRequest) -> Json:
    tools = [
        *(_render_tool(tool, request) for tool in request.tools),
        *map(render_server_tool, request.server_tools),
    ]
    rendered: Json = {"tools": tools} if tools else {}
    if tools and request.tool_choice is not None:
        rendered["tool_choice"] = _render_tool_choice(request.tool_choice)
    if request.tools and request.parallel_tool_calls is not None:
        rendered["parallel_tool_calls"] = request.parallel_tool_calls
    return rendered


def _render_tool(tool: ToolSpec, request: ChatRequest) -> Json:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool_parameters(tool, request),
    }


def _render_tool_choice(choice: ToolChoice) -> str | Json:
    if isinstance(choice, NamedTool):
        return {"type": "function", "name": choice.name}
    return choice


def _render_response_format(response_format: ResponseFormat, request: ChatRequest) -> Json:
    schema = response_schema(response_format, request)
    if schema is None:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "name": response_format.name,
        "schema": schema,
        "strict": True,
    }
