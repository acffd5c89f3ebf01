"""``/v1/chat/completions``: xAI's form of OpenAI's chat completions.

Known quirks, all seen on the wire: reasoning tokens stand beside completion tokens, not inside;
tool calls come whole in one chunk; empty deltas are heartbeats; the usage chunk has no choices.
"""

from typing import Any

from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION
from xai_lowcode.chat.dialects.chat_completions.request import render_request
from xai_lowcode.chat.dialects.chat_completions.response import is_complete, parse_response
from xai_lowcode.chat.dialects.chat_completions.stream import ChatCompletionsDecoder
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class ChatCompletions:
    """The chat completions dialect."""

    name: str = "chat_completions"
    operation: Endpoint[dict[str, Any]] = CREATE_CHAT_COMPLETION
    unsupported: frozenset[str] = frozenset()

    def render(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The request body."""
        return render_request(request, stream=stream)

    def parse(self, body: dict[str, Any]) -> ChatResponse:
        """A plain answer."""
        return parse_response(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether every choice of a plain answer has its finish reason."""
        return is_complete(body)

    def decoder(self) -> ChatCompletionsDecoder:
        """A fresh decoder for one stream."""
        return ChatCompletionsDecoder()
