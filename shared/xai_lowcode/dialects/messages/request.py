"""Our request as the body of ``/v1/messages``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from xai_lowcode import codec
from xai_lowcode.conversation import (
    ChatRequest,
    ImagePart,
    Message,
    NamedTool,
    Part,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolSpec,
)
from xai_lowcode.errors import UsageError

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
    for option in ("temperature", "top_p"):
        if getattr(request, option) is not None:
            body[option] = getattr(request, option)
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
    return "\n".join(part.text for part in message.parts if isinstance(part, TextPart))


def _render_messages(messages: Sequence[Message]) -> Iterator[Json]:
    """Users and tools are one role here, and the results of one turn belong into one message."""
    spoken = [(i, message) for i, message in enumerate(messages) if message.role != "system"]
    for role, group in groupby(spoken, key=lambda entry: entry[1].role):
        if role == "tool":
            results = [_render_result(p, i) for i, message in group for p in message.parts]
            yield {"role": "user", "content": results}
            continue
        for position, message in group:
            yield {"role": role, "content": _render_content(message, position)}


def _render_content(message: Message, position: int) -> str | list[Any]:
    if message.items and message.form == "messages":
        return list(message.items)
    parts = message.parts
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    rendered = [_render_part(part, message.role, position) for part in parts]
    return [part for part in rendered if part is not None]


def _render_part(part: Part, role: str, position: int) -> Json | None:
    allowed = _ANSWERED if role == "assistant" else _ASKED
    if type(part) not in allowed:
        raise UsageError(
            f"messages[{position}]: a {type(part).__name__} cannot be part of a {role} message.",
            field="messages",
        )
    return allowed[type(part)](part)


def _render_text(part: TextPart) -> Json | None:
    return {"type": "text", "text": part.text} if part.text else None


def _render_image(part: ImagePart) -> Json:
    if not part.url:
        raise UsageError("messages: a picture needs a url here, not a file_id.", field="messages")
    if not part.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    kind, _, data = part.url.removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _render_call(part: ToolCallPart) -> Json:
    try:
        arguments = codec.load(part.arguments or "{}")
    except codec.JSONDecodeError:
        # What the model wrote is no JSON, and this form takes an object only.
        arguments = {"unreadable": part.arguments}
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}


def _left_out(_part: Any) -> None:
    """Thoughts go back only as the blocks they came in, which are signed; what xAI ran is past."""


_ASKED: Mapping[type, Callable[[Any], Json | None]] = {
    TextPart: _render_text,
    ImagePart: _render_image,
}
_ANSWERED: Mapping[type, Callable[[Any], Json | None]] = {
    TextPart: _render_text,
    ToolCallPart: _render_call,
    ReasoningPart: _left_out,
    ServerToolPart: _left_out,
}


def _render_result(part: Part, position: int) -> Json:
    if not isinstance(part, ToolResultPart):
        raise UsageError(
            f"messages[{position}]: a {type(part).__name__} cannot be part of a tool message.",
            field="messages",
        )
    content: Any = [_render_part(inner, "tool", position) for inner in part.content]
    if all(isinstance(inner, TextPart) for inner in part.content):
        content = "\n".join(inner.text for inner in part.content if isinstance(inner, TextPart))
    return {"type": "tool_result", "tool_use_id": part.call_id, "content": content}


def _render_tools(request: ChatRequest) -> Json:
    if not request.tools or request.tool_choice == "none":
        return {}
    rendered: Json = {"tools": [_render_tool(tool) for tool in request.tools]}
    if request.tool_choice is not None:
        rendered["tool_choice"] = _render_choice(request.tool_choice)
    return rendered


def _render_tool(tool: ToolSpec) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


def _render_choice(choice: ToolChoice) -> Json:
    if isinstance(choice, NamedTool):
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice == "required" else choice}
