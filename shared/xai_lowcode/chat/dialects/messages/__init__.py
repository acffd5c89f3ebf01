"""``/v1/messages``: xAI's form of Anthropic's messages, which xAI has announced to end.

Nothing of it is recorded; what is known comes from xAI's specification and Anthropic's documents. A
form for those who need it: it has no response formats and no reasoning effort.
"""

from typing import Any

from xai_lowcode.api.endpoints import CREATE_MESSAGE
from xai_lowcode.chat.dialects.messages.request import render_request
from xai_lowcode.chat.dialects.messages.response import parse_response
from xai_lowcode.chat.dialects.messages.stream import MessagesDecoder
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class Messages:
    """The messages dialect."""

    name: str = "messages"
    operation: Endpoint[dict[str, Any]] = CREATE_MESSAGE
    unsupported: frozenset[str] = frozenset(
        {
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "parallel_tool_calls",
            "prompt_cache_key",
            "reasoning_effort",
            "service_tier",
        }
    )

    def render(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The request body."""
        return render_request(request, stream=stream)

    def parse(self, body: dict[str, Any]) -> ChatResponse:
        """A plain answer."""
        return parse_response(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether a plain answer has its stop reason."""
        return bool(body.get("stop_reason"))

    def decoder(self) -> MessagesDecoder:
        """A fresh decoder for one stream."""
        return MessagesDecoder()
