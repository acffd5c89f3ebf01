"""Parts of earlier messages that an API does not support.

A thread that was begun with another API, or a tool, may have an image or document that the API of a
request does not take. An error would end the thread, since each later request has the part again.
"""

from dataclasses import replace
from typing import Any

from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.dialects.common import UnsupportedPartError
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest


def render_request(dialect: Dialect, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """Render a request, with notes for unsupported parts of earlier turns and tool results.

    Args:
        dialect: The dialect.
        request: The request.
        stream: Whether to request a stream.

    Raises:
        UsageError: An option is invalid, or a message of the user after the last response has a
            part that the API does not support.
    """
    while True:
        try:
            return dialect.render(request, stream=stream)
        except UnsupportedPartError as error:
            part = error.part
            if not isinstance(part, ImagePart | FilePart) or _is_new(request, error.position):
                raise
            warn_user(f"{error} A note is sent instead.")
            request = _without_part(request, part)


def _is_new(request: ChatRequest, position: int) -> bool:
    """Return whether a message is one of the user after the last response."""
    return request.messages[position].role != "tool" and not any(
        message.role == "assistant" for message in request.messages[position:]
    )


def _without_part(request: ChatRequest, part: ImagePart | FilePart) -> ChatRequest:
    messages = tuple(_replace_part(message, part) for message in request.messages)
    return replace(request, messages=messages)


def _replace_part(message: Message, unsupported: ImagePart | FilePart) -> Message:
    """Replace a part by a note, wherever it is in a message."""

    def replaced(part: Any) -> Any:
        if part is unsupported:
            return TextPart(_describe(unsupported))
        if isinstance(part, ToolResultPart):
            return replace(part, content=tuple(map(replaced, part.content)))
        return part

    return replace(message, parts=tuple(map(replaced, message.parts)))


def _describe(part: ImagePart | FilePart) -> str:
    if isinstance(part, ImagePart):
        return "[An image that this API does not support is left out.]"
    name = part.filename or part.mime_type or "no name"
    return f"[A document ({name}) that this API does not support is left out.]"
