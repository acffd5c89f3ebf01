"""Protocol events of a stream, in both ways in which LangChain gets them."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import pytest
from langchain_core.language_models._compat_bridge import chunks_to_events
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage

from langchain_xai_lowcode._protocol_events import ProtocolEventBuilder
from langchain_xai_lowcode._stream import ChunkBuilder
from langchain_xai_lowcode.chat_models import HAS_TOOL_CALL_DELTAS
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

Event = dict[str, Any]
HAS_FINISH_FIELDS = find_spec("langchain_core.language_models._finish_reason") is not None
NATIVE = pytest.mark.skipif(
    not HAS_TOOL_CALL_DELTAS, reason="LangChain makes the events from chunks"
)
FINISH_FIELDS = ("finish_reason", "normalized_finish_reason")


def request() -> ChatRequest:
    """Return the request of the streams."""
    return ChatRequest(model="grok-4.7", messages=(Message("user", (TextPart("?"),)),))


def native(events: Iterable[StreamEvent]) -> list[Any]:
    """Return the protocol events that this package makes of a stream."""
    builder = ProtocolEventBuilder(request())
    return [*(found for event in events for found in builder.feed(event)), *builder.end()]


def from_chunks(events: Iterable[StreamEvent]) -> list[Any]:
    """Return the protocol events that LangChain makes of the chunks of a stream."""
    builder = ChunkBuilder(request())
    chunks = [chunk for event in events if (chunk := builder.feed(event)) is not None]
    return list(chunks_to_events(iter([*chunks, *builder.end()])))


def message_of(events: Iterable[Any]) -> AIMessage:
    """Return the message that LangChain puts together from protocol events."""
    stream = ChatModelStream()
    for event in events:
        stream.dispatch(event)
    return stream.output


def without_lost_data(events: Iterable[Event]) -> list[Event]:
    """Return protocol events without the data that are not in those from chunks.

    LangChain keeps the log probabilities of the last chunk and the last piece of a refusal only,
    has another description of an invalid tool call, and a block of its own for what marks it as
    invalid. Its versions before 1.8.4 have the finish reason in ``metadata`` only.
    """
    return [_without_lost_data(event) for event in events if not _is_mark(event)]


def _is_mark(event: Event) -> bool:
    content = event.get("content", {})
    return content.get("type") == "invalid_tool_call" and not content.get("id")


def _without_lost_data(event: Event) -> Event:
    match event:
        case {"event": "message-finish", "metadata": metadata}:
            ignored = () if HAS_FINISH_FIELDS else FINISH_FIELDS
            fields = {name: value for name, value in event.items() if name not in ignored}
            kept = {name: value for name, value in metadata.items() if name != "logprobs"}
            return {**fields, "metadata": kept}
        case {"event": "content-block-finish", "content": {"type": "refusal"} as content}:
            return {**event, "content": {**content, "refusal": ""}}
        case {"event": "content-block-finish", "content": {"type": "invalid_tool_call"} as content}:
            return {**event, "content": {**content, "error": ""}}
        case _:
            return event
