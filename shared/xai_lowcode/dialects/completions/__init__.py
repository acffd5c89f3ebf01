"""``/v1/completions``: OpenAI's oldest form, one text in and its continuation out.

Legacy: xAI's reasoning models refuse it, and nearly all of its models reason. Nothing of it is
recorded; what is known comes from xAI's specification.
"""

from typing import Any

from xai_lowcode.conversation import ChatRequest
from xai_lowcode.dialects.completions.answer import CompletionsDecoder, is_complete, read_reply
from xai_lowcode.dialects.completions.request import render_request
from xai_lowcode.operation import Operation, object_with
from xai_lowcode.operations import CREATE_COMPLETION
from xai_lowcode.reply import Reply


class Completions:
    """The legacy completions dialect."""

    name: str = "completions"
    operation: Operation[dict[str, Any]] = Operation(
        CREATE_COMPLETION.name, "POST", CREATE_COMPLETION.path, object_with("choices")
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

    def parse(self, body: dict[str, Any]) -> Reply:
        """A plain answer."""
        return read_reply(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether every choice of a plain answer has its finish reason."""
        return is_complete(body)

    def decoder(self) -> CompletionsDecoder:
        """A fresh decoder for one stream."""
        return CompletionsDecoder()
