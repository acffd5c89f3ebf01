"""Parse bytes to events or a response, for every API, without a network."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.messages import Message, TextPart, ToolResultPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

DIALECTS: dict[str, Dialect] = {
    "chat_completions": CHAT_COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
QUESTION = Message("user", (TextPart("?"),))


def events_in(api: str, pieces: Iterable[bytes]) -> list[StreamEvent]:
    """Return the events of a stream."""
    reader = StreamReader(DIALECTS[api])
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.close()]


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """Return the response that events accumulate to."""
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.build_response()


def read(api: str, pieces: Iterable[bytes]) -> ChatResponse:
    """Return the response of a stream."""
    return fold(events_in(api, pieces))


def parse(api: str, body: dict[str, Any]) -> ChatResponse:
    """Return the response of a plain body."""
    return DIALECTS[api].parse(body)


def sent_back(api: str, reply: ChatResponse) -> dict[str, Any]:
    """Return the next request: a prompt, this response, and a result for each tool call."""
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart("done"),)),))
        for call in reply.tool_calls
    ]
    messages = (QUESTION, reply.choices[0].message, *results)
    request = ChatRequest(model="grok-4.7", messages=messages, store=True)
    return DIALECTS[api].render(request, stream=False)


def cut_at(content: bytes, offsets: Sequence[int]) -> list[bytes]:
    """Return the content, split at these offsets."""
    edges = [0, *sorted(offsets), len(content)]
    return [content[a:b] for a, b in pairwise(edges)]
