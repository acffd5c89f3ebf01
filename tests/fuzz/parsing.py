"""Everything that is done with an answer; only our own errors may come out of it.

The same functions are the targets of ``make fuzz``.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

from llama_index.core.llms import ChatMessage

from langchain_xai_lowcode import _input as langchain_messages
from langchain_xai_lowcode._output import to_result
from langchain_xai_lowcode._stream import ChunkBuilder
from llama_index_xai_lowcode import _messages as llama_index_messages
from llama_index_xai_lowcode import _responses
from llama_index_xai_lowcode._request import prepare_request
from llama_index_xai_lowcode._stream import ResponseBuilder
from xai_lowcode._internal import json
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialect_selection import DIALECTS as NAMES
from xai_lowcode.chat.dialect_selection import get_dialect
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

DIALECTS = {name: get_dialect(name) for name in NAMES}
QUESTION = prepare_request("grok-4.3", [ChatMessage("Hi")])


def read_plain(form: str, content: bytes) -> ChatResponse | None:
    """The reply of a plain answer; None if it is refused as unreadable."""
    dialect = DIALECTS[form]
    try:
        reply = dialect.parse(dialect.endpoint.parse(json.loads(content)))
    except json.JSONDecodeError:
        return None
    except UsageError:
        # Nobody asked for anything: the answer is at fault.
        raise AssertionError("an invalid response was reported as a UsageError") from None
    except XAILowCodeError:
        return None
    return looked_at(reply)


def read_stream(
    form: str, pieces: Iterable[bytes], stops: Sequence[str] = ()
) -> tuple[list[StreamEvent], XAILowCodeError | None]:
    """The events of a stream, and the error that it ended with, if it did."""
    reader, events = StreamReader(DIALECTS[form], stops=stops), []
    try:
        for piece in pieces:
            events.extend(reader.feed(piece))
            if reader.finished:
                return events, None
        events.extend(reader.close())
    except UsageError:
        raise AssertionError("an invalid response was reported as a UsageError") from None
    except XAILowCodeError as error:
        return events, error
    return events, None


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """The reply of events."""
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return looked_at(assembler.build_response())


def looked_at(reply: ChatResponse) -> ChatResponse:
    """The same reply, after every view of it was taken."""
    assert isinstance(reply.text + reply.reasoning + reply.finish_reason, str)
    assert repr(reply)
    assert (
        reply.usage is None or reply.usage.cost_usd is None or reply.usage.cost_usd < float("inf")
    )
    return reply


def as_langchain(reply: ChatResponse) -> None:
    """The reply as LangChain's result, and its message as ours again."""
    result = to_result(reply, QUESTION.request, with_headers=True)
    for generation in result.generations:
        assert isinstance(generation.message.content_blocks, list)
        sent_back(langchain_messages.to_messages, generation.message)


def as_langchain_chunks(events: Iterable[StreamEvent]) -> None:
    """The events as LangChain's chunks, and their sum as our message again."""
    builder = ChunkBuilder(QUESTION.request)
    chunks = [chunk for event in events if (chunk := builder.feed(event)) is not None]
    whole = reduce(add, [*chunks, *builder.end()])
    sent_back(langchain_messages.to_messages, whole.message)


def as_llama_index(reply: ChatResponse) -> None:
    """The reply as LlamaIndex's response, and its message as ours again."""
    response = _responses.to_response(reply, QUESTION)
    assert response.message.model_dump_json()
    sent_back(llama_index_messages.to_messages, response.message)


def as_llama_index_stream(events: Iterable[StreamEvent]) -> None:
    """The events as LlamaIndex's responses."""
    builder = ResponseBuilder(QUESTION)
    for event in events:
        builder.add(event)
    sent_back(llama_index_messages.to_messages, builder.build_final().message)


def sent_back(convert: Any, message: Any) -> None:
    """The message as part of the next request; it may be one that cannot be sent."""
    try:
        written_out(convert([message]))
    except UsageError:
        return


def written_out(messages: Sequence[Any], **options: Any) -> None:
    """A request with these messages, written in every form that takes it."""
    request = ChatRequest(model="grok-4.3", messages=messages, **options)
    for dialect in DIALECTS.values():
        try:
            json.dumps(dialect.render(request, stream=False))
        except UsageError:
            continue
