"""``/v1/responses``: xAI's form of OpenAI's responses, with stored answers and tools of its own.

Known quirks, all seen on the wire: ids of items repeat, so order alone counts; a reply with calls
waiting is "completed"; reasoning is part of the output tokens; a stream ends without ``[DONE]``.
"""

from typing import Any

from xai_lowcode.api.endpoints import CREATE_RESPONSE
from xai_lowcode.chat.dialects.responses.request import render_request
from xai_lowcode.chat.dialects.responses.response import is_complete, parse_response
from xai_lowcode.chat.dialects.responses.stream import ResponsesDecoder
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class Responses:
    """The responses dialect."""

    name: str = "responses"
    operation: Endpoint[dict[str, Any]] = CREATE_RESPONSE
    unsupported: frozenset[str] = frozenset(
        {"seed", "stop", "presence_penalty", "frequency_penalty"}
    )

    def render(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The request body."""
        return render_request(request, stream=stream)

    def parse(self, body: dict[str, Any]) -> ChatResponse:
        """A plain answer."""
        return parse_response(body)

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether a plain answer has the status of a response that ended."""
        return is_complete(body)

    def decoder(self) -> ResponsesDecoder:
        """A fresh decoder for one stream."""
        return ResponsesDecoder()
