"""Everything that is done with a response; it may raise documented errors only.

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


def read_plain(api: str, content: bytes) -> ChatResponse | None:
    """Return the parsed plain response; None if it is rejected as invalid."""
    dialect = DIALECTS[api]
    try:
        reply = dialect.parse(dialect.endpoint.parse(json.loads(content)))
    except json.JSONDecodeError:
        return None
    except UsageError:
        # There was no input of a caller: the response is invalid.
        raise AssertionError("an invalid response was reported as a UsageError") from None
    except XAILowCodeError:
        return None
    return check_views(reply)


def read_stream(
    api: str, chunks: Iterable[bytes], stops: Sequence[str] = ()
) -> tuple[list[StreamEvent], XAILowCodeError | None]:
    """Return the events of a stream, and the error at its end, if there is one."""
    reader, events = StreamReader(DIALECTS[api], stops=stops), []
    try:
        for chunk in chunks:
            events.extend(reader.feed(chunk))
            if reader.finished:
                return events, None
        events.extend(reader.close())
    except UsageError:
        raise AssertionError("an invalid response was reported as a UsageError") from None
    except XAILowCodeError as error:
        return events, error
    return events, None


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """Return the response that events accumulate to."""
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    return check_views(accumulator.build_response())


def check_views(reply: ChatResponse) -> ChatResponse:
    """Return the response after a check of its properties and its ``repr``."""
    assert isinstance(reply.text + reply.reasoning + reply.finish_reason, str)
    assert repr(reply)
    assert (
        reply.usage is None or reply.usage.cost_usd is None or reply.usage.cost_usd < float("inf")
    )
    return reply


def as_langchain(reply: ChatResponse) -> None:
    """Convert a response to LangChain's result, and its message back."""
    result = to_result(reply, QUESTION.request, with_headers=True)
    for generation in result.generations:
        assert isinstance(generation.message.content_blocks, list)
        send_back(langchain_messages.to_messages, generation.message)


def as_langchain_chunks(events: Iterable[StreamEvent]) -> None:
    """Convert events to LangChain's chunks, and the sum of the chunks back."""
    builder = ChunkBuilder(QUESTION.request)
    chunks = [chunk for event in events if (chunk := builder.feed(event)) is not None]
    whole = reduce(add, [*chunks, *builder.end()])
    send_back(langchain_messages.to_messages, whole.message)


def as_llama_index(reply: ChatResponse) -> None:
    """Convert a response to LlamaIndex's, and its message back."""
    response = _responses.to_response(reply, QUESTION)
    assert response.message.model_dump_json()
    send_back(llama_index_messages.to_messages, response.message)


def as_llama_index_stream(events: Iterable[StreamEvent]) -> None:
    """Convert events to LlamaIndex's responses, and the last message back."""
    builder = ResponseBuilder(QUESTION)
    for event in events:
        builder.add(event)
    send_back(llama_index_messages.to_messages, builder.build_final().message)


def send_back(convert: Any, message: Any) -> None:
    """Render a message as part of the next request; it may be rejected with a `UsageError`."""
    try:
        render_in_each_api(convert([message]))
    except UsageError:
        return


def render_in_each_api(messages: Sequence[Any], **options: Any) -> None:
    """Render a request with these messages for each API that supports it."""
    request = ChatRequest(model="grok-4.3", messages=messages, **options)
    for dialect in DIALECTS.values():
        try:
            json.dumps(dialect.render(request, stream=False))
        except UsageError:
            continue
