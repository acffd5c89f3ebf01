"""``/v1/messages``: xAI's form of Anthropic's messages, which xAI has announced to end.

Nothing of it is recorded; what is known comes from xAI's specification and Anthropic's documents. A
form for those who need it: it has no response formats and no reasoning effort.
"""

from typing import Any

from xai_lowcode.chats import CREATE_MESSAGE
from xai_lowcode.conversation import ChatRequest
from xai_lowcode.dialects.messages.answer import read_reply
from xai_lowcode.dialects.messages.request import render_request
from xai_lowcode.dialects.messages.stream import MessagesDecoder
from xai_lowcode.operation import Operation
from xai_lowcode.reply import Reply


class Messages:
    """The messages dialect."""

    name: str = "messages"
    operation: Operation[dict[str, Any]] = CREATE_MESSAGE
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

    def parse(self, body: dict[str, Any]) -> Reply:
        """A plain answer."""
        return read_reply(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether a plain answer has its stop reason."""
        return bool(body.get("stop_reason"))

    def decoder(self) -> MessagesDecoder:
        """A fresh decoder for one stream."""
        return MessagesDecoder()
