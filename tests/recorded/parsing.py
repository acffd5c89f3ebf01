"""Reading without a network: bytes in, events or a reply out, for every API."""

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


def events_in(form: str, pieces: Iterable[bytes]) -> list[StreamEvent]:
    """The events of a stream."""
    reader = StreamReader(DIALECTS[form])
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.close()]


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """The reply that events fold into."""
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return assembler.build_response()


def read(form: str, pieces: Iterable[bytes]) -> ChatResponse:
    """The reply of a stream."""
    return fold(events_in(form, pieces))


def parse(form: str, body: dict[str, Any]) -> ChatResponse:
    """The reply of a plain answer."""
    return DIALECTS[form].parse(body)


def sent_back(form: str, reply: ChatResponse) -> dict[str, Any]:
    """The next request: a question, this reply, and a result for each of its calls."""
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart("done"),)),))
        for call in reply.tool_calls
    ]
    messages = (QUESTION, reply.choices[0].message, *results)
    request = ChatRequest(model="grok-4.7", messages=messages, store=True)
    return DIALECTS[form].render(request, stream=False)


def cut_at(content: bytes, places: Sequence[int]) -> list[bytes]:
    """The content cut at these places."""
    edges = [0, *sorted(places), len(content)]
    return [content[a:b] for a, b in pairwise(edges)]
