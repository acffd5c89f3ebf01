"""``/v1/completions``: OpenAI's oldest form, one text in and its continuation out.

Legacy: xAI's reasoning models refuse it, and nearly all of its models reason. Nothing of it is
recorded; what is known comes from xAI's specification.
"""

from typing import Any

from xai_lowcode.api.endpoints import CREATE_COMPLETION
from xai_lowcode.chat.dialects.completions.request import render_request
from xai_lowcode.chat.dialects.completions.response import (
    CompletionsDecoder,
    is_complete,
    read_reply,
)
from xai_lowcode.protocol.endpoint import Endpoint, parse_object
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class Completions:
    """The legacy completions dialect."""

    name: str = "completions"
    operation: Endpoint[dict[str, Any]] = Endpoint(
        CREATE_COMPLETION.name, "POST", CREATE_COMPLETION.path, parse_object("choices")
    )
    unsupported: frozenset[str] = frozenset(
        {
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
        return read_reply(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether every choice of a plain answer has its finish reason."""
        return is_complete(body)

    def decoder(self) -> CompletionsDecoder:
        """A fresh decoder for one stream."""
        return CompletionsDecoder()
