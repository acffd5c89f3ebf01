"""A stream is complete with its finish reasons or terminal event, and an error otherwise.

Streams of each API are truncated after every event and get every ending: nothing, ``[DONE]``, or an
event that reports an error. They are read with every chunking, with and without stop sequences.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.core.fake_server import TOKEN
from tests.core.wire import ENVELOPES, wrapped
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    InvalidResponseError,
    RateLimitError,
    StreamInterruptedError,
    XAILowCodeError,
)
from xai_lowcode.types.events import ChoiceFinished, ResponseStarted, StreamEvent, TextDelta

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"
DELTAS = ("Gr", "üße ", "an alle")
TEXT = "".join(DELTAS)
INCOMPLETE_HINT = "What was received is not the whole response."


class Api(NamedTuple):
    """The stream of one API, and when it is complete."""

    dialect: Dialect
    events: list[Json]
    # Number of events after which the response is complete.
    complete_after: int
    # Whether the API has a terminal event, after which nothing is read.
    terminal: bool
    # Whether its SSE events have names.
    named: bool


def chat_chunk(delta: Json, finish_reason: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
RESPONSE: Json = {"id": "r", "object": "response", "model": "m", "status": "in_progress"}
ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}
COMPLETED = {**RESPONSE, "status": "completed", "output": [ITEM]}
APIS: dict[str, Api] = {
    "chat_completions": Api(
        CHAT_COMPLETIONS,
        [
            chat_chunk({"role": "assistant"}),
            *(chat_chunk({"content": delta}) for delta in DELTAS),
            chat_chunk({}, "stop"),
            {"id": "c", "choices": [], "usage": USAGE},
        ],
        5,
        terminal=False,
        named=False,
    ),
    "messages": Api(
        MESSAGES,
        [
            {"type": "message_start", "message": {"id": "m", "stop_reason": None}},
            {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            *(
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": delta}}
                for delta in DELTAS
            ),
            {"type": "content_block_stop"},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ],
        9,
        terminal=True,
        named=True,
    ),
    "responses": Api(
        RESPONSES,
        [
            {"type": "response.created", "response": RESPONSE},
            {"type": "response.in_progress", "response": RESPONSE},
            {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
            *({"type": "response.output_text.delta", "delta": delta} for delta in DELTAS),
            {"type": "response.output_text.done", "text": TEXT},
            {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
            {"type": "response.completed", "response": COMPLETED},
        ],
        9,
        terminal=True,
        named=True,
    ),
}
every_api = pytest.mark.parametrize("api", APIS)


class Ending(NamedTuple):
    """The data after the last event, and the error that it causes."""

    data: str
    error: type[XAILowCodeError] = StreamInterruptedError
    name: str = ""
    message: str = ""


def error_data(document: Any, error: type[XAILowCodeError] = InternalServerError) -> Ending:
    """Return an event whose data reports an error."""
    return Ending(json.dumps(document), error, message="boom")


def named_error(data: str, message: str = "boom") -> Ending:
    """Return an event whose name reports an error."""
    return Ending(data, InternalServerError, "error", message)


ENDINGS: dict[str, Ending] = {
    "end of bytes": Ending(""),
    "[DONE]": Ending("[DONE]"),
    "error text": error_data({"error": "boom"}),
    "error object": error_data({"error": {"message": "boom", "type": "server_error"}}),
    "error with a number": error_data({"error": {"message": "boom", "code": 429}}, RateLimitError),
    "error flag": error_data({"error": True, "message": "boom"}),
    "error beside choices": error_data({"choices": [], "error": {"message": "boom"}}),
    "event beside choices": error_data({"type": "error", "choices": [], "message": "boom"}),
    "error in data": error_data({"data": {"error": "boom"}}),
    "error beside data": error_data({"data": {}, "error": "boom"}),
    "event of type error": error_data({"type": "error", "message": "boom"}),
    "error in an event": error_data({"type": "error", "error": {"message": "boom"}}),
    "bare error object": error_data({"message": "boom", "type": "server_error", "code": None}),
    "code and message": error_data({"code": "unavailable", "message": "boom"}),
    "status 500": error_data({"statusCode": 500, "message": "boom"}),
    "status 400": error_data({"statusCode": 400, "message": "boom"}, BadRequestError),
    "status 429": error_data({"status_code": 429, "message": "boom"}, RateLimitError),
    "error as an object": error_data(
        {"object": "error", "message": "boom", "type": "BadRequestError", "code": 400},
        BadRequestError,
    ),
    "code as text": error_data({"code": "400", "error": "boom"}, BadRequestError),
    "problem details": error_data({"type": "about:blank", "status": 503, "detail": "boom"}),
    "list of errors": error_data({"errors": [{"message": "boom"}]}),
    "list of texts": error_data({"errors": ["boom"]}),
    "named error": named_error('{"message": "boom"}'),
    "named error with details": named_error('{"detail": "boom"}'),
    "named error, wrapped": named_error('{"data": {"message": "boom"}}'),
    "named error, plain text": named_error("boom"),
    "named error, JSON text": named_error('"boom"'),
    "named error, list": named_error('[{"message": "boom"}]', "boom"),
    "named error without data": named_error("", ""),
    "named error, torn": named_error('{"message": "boo', '{"message": "boo'),
}
every_ending = pytest.mark.parametrize("ending", ENDINGS)


def sse(document: Any, name: str = "") -> bytes:
    """Return one SSE event."""
    lead = f"event: {name}\n" if name else ""
    data = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return f"{lead}data: {data}\n\n".encode()


def blocks(api: Api, number: int, wrap: Callable[[Any], Any] = lambda data: data) -> list[bytes]:
    """Return the first events of a stream."""
    return [sse(wrap(event), event["type"] if api.named else "") for event in api.events[:number]]


def last_block(ending: Ending) -> list[bytes]:
    """Return the event of an ending."""
    return [sse(ending.data, ending.name)] if ending.data or ending.name else []


def in_json(envelope: str) -> Callable[[list[bytes]], list[bytes]]:
    """Return a function that puts a stream as a string into a JSON response."""
    return lambda parts: [json.dumps(wrapped(b"".join(parts).decode(), envelope)).encode()]


def split_into_bytes(parts: list[bytes]) -> list[bytes]:
    """Return a stream as single bytes."""
    content = b"".join(parts)
    return [content[index : index + 1] for index in range(len(content))]


def split_last_two(parts: list[bytes]) -> list[bytes]:
    """Return a stream whose last two events are single bytes.

    The earlier events are the last ones of a shorter stream.
    """
    return [*parts[:-2], *split_into_bytes(parts[-2:])]


DELIVERIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "live": lambda parts: parts,
    "single bytes": split_last_two,
    "one block": lambda parts: [b"".join(parts)],
    "no last blank line": lambda parts: [b"".join(parts).rstrip(b"\n")],
    "CRLF": lambda parts: [b"".join(parts).replace(b"\n", b"\r\n")],
    **{f"string in JSON ({envelope})": in_json(envelope) for envelope in ENVELOPES},
}
STOPS: dict[str, tuple[str, ...]] = {"no stops": (), "absent": ("zzz",), "present": ("e a",)}


class Result(NamedTuple):
    """The result of reading a stream."""

    text: str
    finish_reasons: list[str]
    starts: int
    error: XAILowCodeError | None


def read_stream(
    api: Api, parts: Sequence[bytes], stops: Sequence[str] = (), **options: Any
) -> Result:
    """Read a stream like the chat model."""
    reader = StreamReader(api.dialect, stops=stops, **options)
    events: list[StreamEvent] = []
    error = None
    try:
        for part in parts:
            events.extend(reader.feed(part))
            if reader.finished:
                break
        else:
            events.extend(reader.close())
    except XAILowCodeError as failure:
        error = failure
    return Result(
        "".join(event.text for event in events if isinstance(event, TextDelta)),
        [event.reason for event in events if isinstance(event, ChoiceFinished)],
        sum(isinstance(event, ResponseStarted) for event in events),
        error,
    )


def get_text(api: Api, number: int) -> str:
    """Return the text in the first events."""
    document = json.dumps(api.events[:number], ensure_ascii=False)
    return "".join(delta for delta in DELTAS if f'"{delta}"' in document)


def combinations(numbers: int, ending: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield deliveries, numbers of events and stop sequences for an ending.

    Live streams are read with all stop sequences, other deliveries with some of them: with other
    endings in other combinations.
    """
    offset, stops = list(ENDINGS).index(ending), list(STOPS.values())
    for (position, delivery), number in product(enumerate(DELIVERIES), range(numbers)):
        if delivery == "live":
            yield from ((delivery, number, each) for each in stops)
        else:
            yield delivery, number, stops[(offset + position + number) % len(stops)]


@every_api
@every_ending
def test_every_ending_after_every_event(api: str, ending: str) -> None:
    """A stream is complete, truncated at a stop sequence, or raises the right error."""
    stream, end = APIS[api], ENDINGS[ending]
    for delivery, number, stops in combinations(len(stream.events) + 1, ending):
        parts = [*blocks(stream, number), *last_block(end)]
        if not parts:
            continue
        result = read_stream(stream, DELIVERIES[delivery](parts), stops)
        text = get_text(stream, number)
        context = (delivery, number, stops, result)
        if any(stop in text for stop in stops):
            assert (result.error, result.text, result.finish_reasons) == (None, "Grüß", ["stop"]), (
                context
            )
        elif number >= stream.complete_after and (
            stream.terminal or not issubclass(end.error, APIStatusError)
        ):
            assert (result.error, result.text, result.finish_reasons) == (None, TEXT, ["stop"]), (
                context
            )
        else:
            assert type(result.error) is end.error, context
            check_error(result.error, end)
            # The received text was returned, except what may become a stop sequence.
            assert text.startswith(result.text), context
            assert stops or result.text == text, context
            assert result.finish_reasons == ["stop"] * (number >= stream.complete_after), context


def check_error(error: XAILowCodeError | None, ending: Ending) -> None:
    """Check that the error has the message of the event, or that of an interrupted stream."""
    assert error is not None
    if isinstance(error, StreamInterruptedError):
        assert error.message.startswith("The stream ended before its terminal event.")
        assert error.hint == INCOMPLETE_HINT
    else:
        assert isinstance(error, APIStatusError)
        assert error.message == (ending.message or "HTTP status 200 without an error message.")
        assert (error.status_code, error.source == "client") == (200, False)


@every_api
@every_ending
def test_chunks_in_envelopes(api: str, ending: str) -> None:
    """A stream whose chunks are in envelopes has the same result."""
    stream, end = APIS[api], ENDINGS[ending]
    for envelope, number in product(ENVELOPES, range(1, len(stream.events) + 1)):
        wrap = partial(wrapped, envelope=envelope)
        result = read_stream(stream, [*blocks(stream, number, wrap), *last_block(end)])
        context = (envelope, number, result)
        is_complete = number >= stream.complete_after
        if is_complete and (stream.terminal or not issubclass(end.error, APIStatusError)):
            assert (result.error, result.text, result.finish_reasons) == (None, TEXT, ["stop"]), (
                context
            )
        else:
            assert type(result.error) is end.error, context
            assert result.text == get_text(stream, number), context


@every_api
def test_a_stream_truncated_at_any_byte(api: str) -> None:
    """A stream is complete with the last byte of its last necessary event, not earlier."""
    stream = APIS[api]
    content = b"".join(blocks(stream, stream.complete_after))
    complete_length = len(content.rstrip())
    for end in range(len(content) + 1):
        result = read_stream(stream, [content[:end]])
        if end >= complete_length:
            assert (result.error, result.text, result.finish_reasons) == (None, TEXT, ["stop"])
        else:
            assert isinstance(result.error, InvalidResponseError)
            assert isinstance(result.error, StreamInterruptedError) or not result.starts
            assert result.finish_reasons == []


@pytest.mark.parametrize("api", ["chat_completions"])
def test_a_truncated_chunk_after_the_finish_reason(api: str) -> None:
    """A truncated chunk after the finish reason raises, since it may contain the usage."""
    stream = APIS[api]
    content = b"".join(blocks(stream, len(stream.events)))
    finish = len(b"".join(blocks(stream, stream.complete_after)))
    for end in range(finish + 1, len(content.rstrip())):
        result = read_stream(stream, [content[:end]])
        # An incomplete line is ignored unless it is a data line.
        is_truncated = b"data:" in content[finish:end] and content[finish:end].strip() != b"data:"
        assert (type(result.error) if result.error else None) is (
            StreamInterruptedError if is_truncated else None
        )
        assert result.finish_reasons == ["stop"]


CHAT, MESSAGES, RESPONSES = APIS["chat_completions"], APIS["messages"], APIS["responses"]
TERMINAL: dict[str, tuple[Json, type[XAILowCodeError] | str]] = {
    "completed": ({"type": "response.completed", "response": COMPLETED}, "stop"),
    "completed, empty": ({"type": "response.completed"}, "stop"),
    "done": ({"type": "response.done", "response": COMPLETED}, "stop"),
    "incomplete": (
        {
            "type": "response.incomplete",
            "response": {
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
            },
        },
        "length",
    ),
    "incomplete, empty": ({"type": "response.incomplete"}, "length"),
    "failed": (
        {"type": "response.failed", "response": {"status": "failed", "error": {"message": "x"}}},
        InternalServerError,
    ),
    "failed, empty": ({"type": "response.failed"}, InternalServerError),
    "completed, but failed": (
        {"type": "response.completed", "response": {"error": {"code": "invalid_prompt"}}},
        BadRequestError,
    ),
    "cancelled": (
        {"type": "response.cancelled", "response": {**RESPONSE, "status": "cancelled"}},
        StreamInterruptedError,
    ),
    "cancelled, empty": ({"type": "response.cancelled"}, StreamInterruptedError),
    "done, but cancelled": (
        {"type": "response.done", "response": {"status": "cancelled"}},
        StreamInterruptedError,
    ),
}


@pytest.mark.parametrize("name", TERMINAL)
@pytest.mark.parametrize("number", [0, 1, 5])
def test_terminal_events_of_responses(name: str, number: int) -> None:
    """Completed and incomplete responses are complete; failed and cancelled ones raise."""
    event, outcome = TERMINAL[name]
    for tail in (b"", DONE):
        result = read_stream(RESPONSES, [*blocks(RESPONSES, number), sse(event), tail])
        if isinstance(outcome, str):
            assert (result.error, result.finish_reasons) == (None, [outcome])
        else:
            assert (type(result.error), result.finish_reasons) == (outcome, [])
            assert ("cancelled" in str(result.error)) == (outcome is StreamInterruptedError)
        # Without an item before it, the response of the terminal event has the text.
        in_response = TEXT if name in {"completed", "done"} and number < 2 else ""
        assert result.text == (get_text(RESPONSES, number) or in_response)


@pytest.mark.parametrize("reason", [None, ""])
@pytest.mark.parametrize("tail", [b"", DONE])
def test_a_message_without_a_stop_reason_raises(reason: str | None, tail: bytes) -> None:
    """A message is complete only with a stop reason, even after ``message_stop``."""
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}}
    for middle in ([], [sse(delta)]):
        parts = [*blocks(MESSAGES, 7), *middle, sse({"type": "message_stop"}), tail]
        result = read_stream(MESSAGES, parts)
        assert type(result.error) is StreamInterruptedError
        assert "stop reason" in result.error.message
        assert result.error.hint == INCOMPLETE_HINT
        assert (result.text, result.finish_reasons) == (TEXT, [])


def test_a_stop_reason_in_message_start() -> None:
    """The stop reason can be in ``message_start``."""
    start = {"type": "message_start", "message": {"id": "m", "stop_reason": "max_tokens"}}
    result = read_stream(
        MESSAGES, [sse(start), *blocks(MESSAGES, 7)[1:], sse({"type": "message_stop"})]
    )
    assert (result.error, result.text, result.finish_reasons) == (None, TEXT, ["length"])


@pytest.mark.parametrize("tail", [b"", DONE])
@pytest.mark.parametrize("finished", [(), (0,), (1,), (0, 1)])
def test_every_choice_needs_a_finish_reason(finished: tuple[int, ...], tail: bytes) -> None:
    """A stream is complete if every choice it contains has a finish reason."""
    chunks = [chat_chunk({"content": str(index)}, index=index) for index in (0, 1)]
    chunks += [chat_chunk({}, "stop", index) for index in finished]
    result = read_stream(CHAT, [*map(sse, chunks), tail], choices=3)
    assert result.text == "01"
    assert result.finish_reasons == ["stop"] * len(finished)
    expected = None if len(finished) == 2 else StreamInterruptedError
    assert (type(result.error) if result.error else None) is expected


@pytest.mark.parametrize("finish_reason", [None, "", False])
def test_tool_calls_without_a_finish_reason_raise(finish_reason: Any) -> None:
    """A tool call is returned, but without a finish reason the stream is incomplete."""
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}
    chunks = [chat_chunk({"tool_calls": [call]}), chat_chunk({}, finish_reason)]
    result = read_stream(CHAT, [*map(sse, chunks), DONE])
    assert type(result.error) is StreamInterruptedError
    assert result.finish_reasons == []


JSON_RESPONSES: dict[str, tuple[Api, Json, Any]] = {
    "chat": (CHAT, {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]}, True),
    "chat, no reason": (CHAT, {"choices": [{"message": {"content": TEXT}}]}, False),
    "chat, one of two": (
        CHAT,
        {
            "choices": [
                {"index": 0, "message": {"content": TEXT}, "finish_reason": "stop"},
                {"index": 1, "message": {"content": ""}, "finish_reason": None},
            ]
        },
        False,
    ),
    "messages": (
        MESSAGES,
        {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
        True,
    ),
    "messages, no reason": (MESSAGES, {"content": [{"type": "text", "text": TEXT}]}, False),
    "responses": (RESPONSES, COMPLETED, True),
    "responses, incomplete": (RESPONSES, {**COMPLETED, "status": "incomplete"}, True),
    "responses, in progress": (RESPONSES, {**COMPLETED, "status": "in_progress"}, False),
    "responses, queued": (RESPONSES, {**COMPLETED, "status": "queued"}, False),
    "responses, no status": (RESPONSES, {"output": [ITEM]}, False),
}


@pytest.mark.parametrize("name", JSON_RESPONSES)
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("stop", STOPS)
def test_a_json_response_to_a_stream(name: str, envelope: str, stop: str) -> None:
    """A JSON response instead of a stream is complete if it has its finish reasons."""
    api, body, is_complete = JSON_RESPONSES[name]
    result = read_stream(api, [json.dumps(wrapped(body, envelope)).encode()], STOPS[stop])
    stopped = stop == "present"
    assert result.text == ("Grüß" if stopped else TEXT)
    assert (result.error is None) == (is_complete or stopped)
    assert bool(result.finish_reasons) == (is_complete or stopped)
    assert result.error is None or type(result.error) is StreamInterruptedError


def test_a_cancelled_json_response_raises() -> None:
    """A cancelled JSON response instead of a stream raises."""
    body = json.dumps({**COMPLETED, "status": "cancelled"}).encode()
    result = read_stream(RESPONSES, [body])
    assert isinstance(result.error, InvalidResponseError)
    assert "cancelled" in result.error.message
    assert not result.error.is_retryable


UNKNOWN_EVENTS: dict[str, Json | str | list[Any]] = {
    "details": {"detail": "upstream died"},
    "title": {"title": "upstream died"},
    "message": {"message": "upstream died"},
    "a list of details": {"detail": [{"msg": "upstream died", "loc": ["body"]}]},
    "other fields": {"reason": "upstream died"},
    "a text": '"upstream died"',
    "a list": ["upstream died"],
}


@every_api
@pytest.mark.parametrize("name", UNKNOWN_EVENTS)
@pytest.mark.parametrize("tail", [b"", DONE])
def test_an_unknown_event_is_quoted_in_the_error(api: str, name: str, tail: bytes) -> None:
    """An unknown event is ignored, and quoted if the finish reason is missing."""
    stream, unknown = APIS[api], sse(UNKNOWN_EVENTS[name])
    for number in range(stream.complete_after):
        result = read_stream(stream, [*blocks(stream, number), unknown, tail])
        assert type(result.error) is StreamInterruptedError
        assert "upstream died" in result.error.message
        assert result.error.message.startswith("The stream ended before its terminal event.")
        assert result.text == get_text(stream, number)
    events = [*blocks(stream, len(stream.events)), tail]
    for index in range(len(events)):
        assert read_stream(stream, [*events[:index], unknown, *events[index:]]).error is None


@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_a_quoted_event_is_short_and_has_no_token(token: str) -> None:
    """At most 200 characters of an event are quoted, without any part of the token."""
    for text in (f"{token} " + "x" * 500, "x" * 185 + token + "y" * 50):
        for body in ({"detail": text}, {"reason": text}, json.dumps(text), [text]):
            result = read_stream(CHAT, [sse(body), DONE], token=token)
            assert result.error is not None
            quoted = result.error.message.partition("reports: ")[2]
            assert 190 < len(quoted) <= 201
            assert token[:12] not in f"{result.error}{vars(result.error)}"
    result = read_stream(
        CHAT, [sse({"reason": "boom", "request": {"cookie": "s=1"}}), DONE], token=token
    )
    assert "boom" in str(result.error)
    assert "s=1" not in str(result.error)


@pytest.mark.parametrize("api", ["messages", "responses"])
@pytest.mark.parametrize(
    "unknown",
    [
        {"type": "response.telepathy.delta", "delta": "hm"},
        {"type": "response.warning", "message": "deprecated", "code": "w1"},
        {"type": "response.tool_error", "message": "no page there"},
        {"type": "brand.new", "status": "completed", "error": None, "errors": []},
        {"type": "rate_limits.updated", "rate_limits": []},
    ],
)
def test_events_of_unknown_types_are_ignored(api: str, unknown: Json) -> None:
    """Unknown event types are ignored unless they report an error."""
    stream = APIS[api]
    events = blocks(stream, len(stream.events))
    for index in range(len(events)):
        result = read_stream(
            stream, [*events[:index], sse(unknown, unknown["type"]), *events[index:]]
        )
        assert (result.error, result.text, result.finish_reasons) == (None, TEXT, ["stop"])


def test_a_stream_without_events() -> None:
    """A stream without events is interrupted; other content is an invalid response."""
    for content in (b": ping\n\n", b"event: ping\n\n", b"data:\n\n", DONE, b"retry: 5\n\n"):
        assert type(read_stream(CHAT, [content]).error) is StreamInterruptedError
    for content in (b"", b"upstream died", b"<html>x</html>"):
        assert type(read_stream(CHAT, [content]).error) is InvalidResponseError


@every_api
def test_nothing_is_read_after_the_end(api: str) -> None:
    """Neither a second ``[DONE]`` nor an error changes a complete response."""
    stream = APIS[api]
    reader = StreamReader(stream.dialect)
    for part in [*blocks(stream, len(stream.events)), DONE]:
        list(reader.feed(part))
    assert reader.finished
    for part in (DONE, sse({"error": "boom"}), blocks(stream, 4)[-1], b"data: torn"):
        assert list(reader.feed(part)) == []
    assert list(reader.close()) == []


@every_api
def test_no_events_before_content(api: str) -> None:
    """``ResponseStarted`` is buffered until there is content, and returned once."""
    stream = APIS[api]
    first = next(number for number in range(20) if get_text(stream, number))
    for parts in (blocks(stream, first), split_into_bytes(blocks(stream, first))):
        reader = StreamReader(stream.dialect)
        events: list[StreamEvent] = []
        for number, part in enumerate(parts, 1):
            events += reader.feed(part)
            assert bool(events) == (number == len(parts)) or len(parts) > first
            assert reader.response_started == bool(events)
        assert [type(event) for event in events] == [ResponseStarted, TextDelta]


@every_api
def test_no_buffering_after_content(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first content, chunks do not pass through the buffering methods."""
    stream = APIS[api]
    parts = blocks(stream, len(stream.events))
    first = next(number for number in range(20) if get_text(stream, number))
    reader = StreamReader(stream.dialect)
    for part in parts[:first]:
        list(reader.feed(part))
    monkeypatch.setattr(reader, "_feed_before_content", None)
    monkeypatch.setattr(reader, "_filter_events", None)
    for part in parts[first:]:
        list(reader.feed(part))
    assert list(read_stream(stream, parts).finish_reasons) == ["stop"]


def test_failed_before_content() -> None:
    """Only an error that the stream reports before content can be retried."""
    failure = sse({"error": "boom"})
    for number, expected in ((0, True), (1, True), (2, False)):
        reader = StreamReader(CHAT.dialect)
        for part in blocks(CHAT, number):
            list(reader.feed(part))
        with pytest.raises(InternalServerError) as raised:
            list(reader.feed(failure))
        assert reader.failed_before_content(raised.value) is expected
    assert not StreamReader(CHAT.dialect).failed_before_content(InternalServerError("HTTP 500"))
    reader = StreamReader(CHAT.dialect)
    list(reader.feed(blocks(CHAT, 1)[0]))
    with pytest.raises(StreamInterruptedError) as interrupted:
        list(reader.close())
    assert not reader.failed_before_content(interrupted.value)
