"""Law: a stream is whole with its finish or terminal event, and an error otherwise, in every API.

Streams of each API are truncated after every event and get every ending: nothing, ``[DONE]``, or an
event that reports an error in one of its shapes. They are read in every form of delivery, with and
without stop strings.
"""

import json
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.core.loopback import TOKEN
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
PIECES = ("Gr", "üße ", "an alle")
TEXT = "".join(PIECES)
WHOLE_HINT = "What was received is not the whole response."


class Api(NamedTuple):
    """One API: its stream, and how much of it is whole."""

    dialect: Dialect
    events: list[Json]
    # After this many events the response is whole.
    whole_after: int
    # Whether the API has a terminal event, behind which nothing is read.
    terminal: bool
    # Whether its events have names.
    named: bool


def chat_chunk(delta: Json, finish: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def text_chunk(text: str, finish: str | None = None) -> Json:
    return {"id": "t", "choices": [{"index": 0, "text": text, "finish_reason": finish}]}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
RESPONSE: Json = {"id": "r", "object": "response", "model": "m", "status": "in_progress"}
ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}
COMPLETED = {**RESPONSE, "status": "completed", "output": [ITEM]}
APIS: dict[str, Api] = {
    "chat_completions": Api(
        CHAT_COMPLETIONS,
        [
            chat_chunk({"role": "assistant"}),
            *(chat_chunk({"content": piece}) for piece in PIECES),
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
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": piece}}
                for piece in PIECES
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
            *({"type": "response.output_text.delta", "delta": piece} for piece in PIECES),
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
    """What follows the last event, and the error that it stands for."""

    data: str
    error: type[XAILowCodeError] = StreamInterruptedError
    name: str = ""
    message: str = ""


def reports(document: Any, error: type[XAILowCodeError] = InternalServerError) -> Ending:
    """An event that reports an error by its data."""
    return Ending(json.dumps(document), error, message="boom")


def named(data: str, message: str = "boom") -> Ending:
    """An event that reports an error by its name."""
    return Ending(data, InternalServerError, "error", message)


ENDINGS: dict[str, Ending] = {
    "end of bytes": Ending(""),
    "[DONE]": Ending("[DONE]"),
    "error text": reports({"error": "boom"}),
    "error object": reports({"error": {"message": "boom", "type": "server_error"}}),
    "error with a number": reports({"error": {"message": "boom", "code": 429}}, RateLimitError),
    "error flag": reports({"error": True, "message": "boom"}),
    "error beside choices": reports({"choices": [], "error": {"message": "boom"}}),
    "event beside choices": reports({"type": "error", "choices": [], "message": "boom"}),
    "error in data": reports({"data": {"error": "boom"}}),
    "error beside data": reports({"data": {}, "error": "boom"}),
    "event of type error": reports({"type": "error", "message": "boom"}),
    "error in an event": reports({"type": "error", "error": {"message": "boom"}}),
    "bare error object": reports({"message": "boom", "type": "server_error", "code": None}),
    "code and message": reports({"code": "unavailable", "message": "boom"}),
    "status 500": reports({"statusCode": 500, "message": "boom"}),
    "status 400": reports({"statusCode": 400, "message": "boom"}, BadRequestError),
    "status 429": reports({"status_code": 429, "message": "boom"}, RateLimitError),
    "error as an object": reports(
        {"object": "error", "message": "boom", "type": "BadRequestError", "code": 400},
        BadRequestError,
    ),
    "code as text": reports({"code": "400", "error": "boom"}, BadRequestError),
    "problem details": reports({"type": "about:blank", "status": 503, "detail": "boom"}),
    "list of errors": reports({"errors": [{"message": "boom"}]}),
    "list of texts": reports({"errors": ["boom"]}),
    "named error": named('{"message": "boom"}'),
    "named error with details": named('{"detail": "boom"}'),
    "named error, wrapped": named('{"data": {"message": "boom"}}'),
    "named error, plain text": named("boom"),
    "named error, JSON text": named('"boom"'),
    "named error, list": named('[{"message": "boom"}]', "boom"),
    "named error without data": named("", ""),
    "named error, torn": named('{"message": "boo', '{"message": "boo'),
}
every_ending = pytest.mark.parametrize("ending", ENDINGS)


def sse(document: Any, name: str = "") -> bytes:
    """One event."""
    lead = f"event: {name}\n" if name else ""
    data = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return f"{lead}data: {data}\n\n".encode()


def blocks(api: Api, number: int, wrap: Callable[[Any], Any] = lambda data: data) -> list[bytes]:
    """The first events of a stream."""
    return [sse(wrap(event), event["type"] if api.named else "") for event in api.events[:number]]


def last_block(ending: Ending) -> list[bytes]:
    """The event of an ending."""
    return [sse(ending.data, ending.name)] if ending.data or ending.name else []


def in_json(how: str) -> Callable[[list[bytes]], list[bytes]]:
    """The stream as a string inside one JSON response."""
    return lambda parts: [json.dumps(wrapped(b"".join(parts).decode(), how)).encode()]


def bytewise(parts: list[bytes]) -> list[bytes]:
    """The stream byte by byte."""
    whole = b"".join(parts)
    return [whole[place : place + 1] for place in range(len(whole))]


DELIVERIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "live": lambda parts: parts,
    "bytewise": bytewise,
    "one block": lambda parts: [b"".join(parts)],
    "no last blank line": lambda parts: [b"".join(parts).rstrip(b"\n")],
    "CRLF": lambda parts: [b"".join(parts).replace(b"\n", b"\r\n")],
    **{f"string in JSON ({how})": in_json(how) for how in ENVELOPES},
}
STOPS: dict[str, tuple[str, ...]] = {"no stops": (), "absent": ("zzz",), "present": ("e a",)}


class Read(NamedTuple):
    """What came out of a stream."""

    text: str
    finish: list[str]
    began: int
    error: XAILowCodeError | None


def read(api: Api, pieces: Sequence[bytes], stops: Sequence[str] = (), **options: Any) -> Read:
    """Reads a stream as the chat model does."""
    reader = StreamReader(api.dialect, stops=stops, **options)
    events: list[StreamEvent] = []
    error = None
    try:
        for piece in pieces:
            events.extend(reader.feed(piece))
            if reader.finished:
                break
        else:
            events.extend(reader.close())
    except XAILowCodeError as failure:
        error = failure
    return Read(
        "".join(event.text for event in events if isinstance(event, TextDelta)),
        [event.reason for event in events if isinstance(event, ChoiceFinished)],
        sum(isinstance(event, ResponseStarted) for event in events),
        error,
    )


def text_of(api: Api, number: int) -> str:
    """The text in the first events."""
    told = json.dumps(api.events[:number], ensure_ascii=False)
    return "".join(piece for piece in PIECES if f'"{piece}"' in told)


@every_api
@every_ending
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_stream_is_whole_or_an_error(api: str, ending: str, delivery: str) -> None:
    """After every event: whole with its finish, truncated at a stop string, or the right error."""
    made, end = APIS[api], ENDINGS[ending]
    for number, stops in product(range(len(made.events) + 1), STOPS.values()):
        parts = [*blocks(made, number), *last_block(end)]
        if not parts:
            continue
        came = read(made, DELIVERIES[delivery](parts), stops)
        text = text_of(made, number)
        where = (number, stops, came)
        if any(found in text for found in stops):
            assert (came.error, came.text, came.finish) == (None, "Grüß", ["stop"]), where
        elif number >= made.whole_after and (
            made.terminal or not issubclass(end.error, APIStatusError)
        ):
            assert (came.error, came.text, came.finish) == (None, TEXT, ["stop"]), where
        else:
            assert type(came.error) is end.error, where
            check_error(came.error, end)
            # What was received has been delivered, but for what may still become a stop string.
            assert text.startswith(came.text), where
            assert stops or came.text == text, where
            assert came.finish == ["stop"] * (number >= made.whole_after), where


def check_error(error: XAILowCodeError | None, ending: Ending) -> None:
    """The error has the words of the event, or those of a stream that ended early."""
    assert error is not None
    if isinstance(error, StreamInterruptedError):
        assert error.message.startswith("The stream ended before its terminal event.")
        assert error.hint == WHOLE_HINT
    else:
        assert isinstance(error, APIStatusError)
        assert error.message == (ending.message or "HTTP status 200 without an error message.")
        assert (error.status_code, error.source == "client") == (200, False)


@every_api
@every_ending
@pytest.mark.parametrize("how", ENVELOPES)
def test_wrapped_chunks_obey_the_same_law(api: str, ending: str, how: str) -> None:
    """Where each chunk is wrapped, a stream is whole after the same event, with the same errors."""
    made, end = APIS[api], ENDINGS[ending]
    for number in range(1, len(made.events) + 1):
        parts = [*blocks(made, number, lambda data: wrapped(data, how)), *last_block(end)]
        came = read(made, parts)
        whole = number >= made.whole_after
        if whole and (made.terminal or not issubclass(end.error, APIStatusError)):
            assert (came.error, came.text, came.finish) == (None, TEXT, ["stop"])
        else:
            assert type(came.error) is end.error
            assert came.text == text_of(made, number)


@every_api
def test_a_stream_cut_at_any_byte_is_whole_or_an_error(api: str) -> None:
    """The whole response comes out once its last necessary byte has come, and never before."""
    made = APIS[api]
    content = b"".join(blocks(made, made.whole_after))
    enough = len(content.rstrip())
    for end in range(len(content) + 1):
        came = read(made, [content[:end]])
        if end >= enough:
            assert (came.error, came.text, came.finish) == (None, TEXT, ["stop"])
        else:
            assert isinstance(came.error, InvalidResponseError)
            assert isinstance(came.error, StreamInterruptedError) or not came.began
            assert came.finish == []


@pytest.mark.parametrize("api", ["chat_completions"])
def test_a_torn_chunk_after_the_finish_is_an_error(api: str) -> None:
    """What was cut may be the usage, or more; only a stream that ends between chunks is whole."""
    made = APIS[api]
    content = b"".join(blocks(made, len(made.events)))
    finish = len(b"".join(blocks(made, made.whole_after)))
    for end in range(finish + 1, len(content.rstrip())):
        came = read(made, [content[:end]])
        # A line that is not yet one of data says nothing.
        torn = b"data:" in content[finish:end] and content[finish:end].strip() != b"data:"
        assert (type(came.error) if came.error else None) is (
            StreamInterruptedError if torn else None
        )
        assert came.finish == ["stop"]


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
def test_each_terminal_event_of_responses(name: str, number: int) -> None:
    """Completed and incomplete responses are whole; failed and cancelled ones are errors."""
    event, outcome = TERMINAL[name]
    for tail in (b"", DONE):
        came = read(RESPONSES, [*blocks(RESPONSES, number), sse(event), tail])
        if isinstance(outcome, str):
            assert (came.error, came.finish) == (None, [outcome])
        else:
            assert (type(came.error), came.finish) == (outcome, [])
            assert ("cancelled" in str(came.error)) == (outcome is StreamInterruptedError)
        assert came.text == text_of(RESPONSES, number)


@pytest.mark.parametrize("reason", [None, ""])
@pytest.mark.parametrize("tail", [b"", DONE])
def test_a_message_without_a_stop_reason_is_not_whole(reason: str | None, tail: bytes) -> None:
    """``message_stop`` ends a message, but only a stop reason says that it is complete."""
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}}
    for middle in ([], [sse(delta)]):
        parts = [*blocks(MESSAGES, 7), *middle, sse({"type": "message_stop"}), tail]
        came = read(MESSAGES, parts)
        assert type(came.error) is StreamInterruptedError
        assert "stop reason" in came.error.message
        assert came.error.hint == WHOLE_HINT
        assert (came.text, came.finish) == (TEXT, [])


def test_a_stop_reason_may_come_with_the_start_of_a_message() -> None:
    """A gateway that writes a whole message as a stream has it there already."""
    start = {"type": "message_start", "message": {"id": "m", "stop_reason": "max_tokens"}}
    came = read(MESSAGES, [sse(start), *blocks(MESSAGES, 7)[1:], sse({"type": "message_stop"})])
    assert (came.error, came.text, came.finish) == (None, TEXT, ["length"])


@pytest.mark.parametrize("tail", [b"", DONE])
@pytest.mark.parametrize("finished", [(), (0,), (1,), (0, 1)])
def test_every_choice_that_was_seen_needs_its_finish_reason(
    finished: tuple[int, ...], tail: bytes
) -> None:
    """With two choices a stream is whole with both reasons; a third one is not waited for."""
    chunks = [chat_chunk({"content": str(index)}, index=index) for index in (0, 1)]
    chunks += [chat_chunk({}, "stop", index) for index in finished]
    came = read(CHAT, [*map(sse, chunks), tail], choices=3)
    assert came.text == "01"
    assert came.finish == ["stop"] * len(finished)
    expected = None if len(finished) == 2 else StreamInterruptedError
    assert (type(came.error) if came.error else None) is expected


@pytest.mark.parametrize("said", [None, "", False])
def test_calls_without_a_finish_reason_are_not_whole(said: Any) -> None:
    """A tool call that came is delivered; nothing says that it was the last one."""
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}
    chunks = [chat_chunk({"tool_calls": [call]}), chat_chunk({}, said)]
    came = read(CHAT, [*map(sse, chunks), DONE])
    assert type(came.error) is StreamInterruptedError
    assert came.finish == []


PLAIN: dict[str, tuple[Api, Json, Any]] = {
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


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("stop", STOPS)
def test_a_plain_response_to_a_stream_obeys_the_same_law(name: str, how: str, stop: str) -> None:
    """One JSON response in place of a stream is whole if it says why it ended."""
    api, body, whole = PLAIN[name]
    came = read(api, [json.dumps(wrapped(body, how)).encode()], STOPS[stop])
    stopped = stop == "present"
    assert came.text == ("Grüß" if stopped else TEXT)
    assert (came.error is None) == (whole or stopped)
    assert bool(came.finish) == (whole or stopped)
    assert came.error is None or type(came.error) is StreamInterruptedError


def test_a_cancelled_plain_response_is_an_error() -> None:
    """What was cancelled is not whole, in whatever form it comes."""
    body = json.dumps({**COMPLETED, "status": "cancelled"}).encode()
    came = read(RESPONSES, [body])
    assert isinstance(came.error, InvalidResponseError)
    assert "cancelled" in came.error.message
    assert not came.error.is_retryable


SILENT: dict[str, Json | str | list[Any]] = {
    "details": {"detail": "upstream died"},
    "title": {"title": "upstream died"},
    "message": {"message": "upstream died"},
    "a list of details": {"detail": [{"msg": "upstream died", "loc": ["body"]}]},
    "other fields": {"reason": "upstream died"},
    "a text": '"upstream died"',
    "a list": ["upstream died"],
}


@every_api
@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("tail", [b"", DONE])
def test_an_unknown_event_is_quoted_when_the_stream_ends(api: str, name: str, tail: bytes) -> None:
    """An event that is no known error is ignored; where the finish is missing it is quoted."""
    made, unknown = APIS[api], sse(SILENT[name])
    for number in range(made.whole_after):
        came = read(made, [*blocks(made, number), unknown, tail])
        assert type(came.error) is StreamInterruptedError
        assert "upstream died" in came.error.message
        assert came.error.message.startswith("The stream ended before its terminal event.")
        assert came.text == text_of(made, number)
    whole = [*blocks(made, len(made.events)), tail]
    for place in range(len(whole)):
        assert read(made, [*whole[:place], unknown, *whole[place:]]).error is None


@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_a_quoted_event_is_short_and_free_of_the_token(token: str) -> None:
    """At most 200 characters of it are shown, with no part of the token."""
    for said in (f"{token} " + "x" * 500, "x" * 185 + token + "y" * 50):
        for body in ({"detail": said}, {"reason": said}, json.dumps(said), [said]):
            came = read(CHAT, [sse(body), DONE], token=token)
            assert came.error is not None
            quoted = came.error.message.partition("reports: ")[2]
            assert 190 < len(quoted) <= 201
            assert token[:12] not in f"{came.error}{vars(came.error)}"
    came = read(CHAT, [sse({"reason": "boom", "request": {"cookie": "s=1"}}), DONE], token=token)
    assert "boom" in str(came.error)
    assert "s=1" not in str(came.error)


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
    """New types of events, whatever they say, change nothing unless they report an error."""
    made = APIS[api]
    whole = blocks(made, len(made.events))
    for place in range(len(whole)):
        came = read(made, [*whole[:place], sse(unknown, unknown["type"]), *whole[place:]])
        assert (came.error, came.text, came.finish) == (None, TEXT, ["stop"])


def test_nothing_but_heartbeats_is_an_interrupted_stream() -> None:
    """A stream that ends before its first event ended early; what is no stream is unreadable."""
    for content in (b": ping\n\n", b"event: ping\n\n", b"data:\n\n", DONE, b"retry: 5\n\n"):
        assert type(read(CHAT, [content]).error) is StreamInterruptedError
    for content in (b"", b"upstream died", b"<html>x</html>"):
        assert type(read(CHAT, [content]).error) is InvalidResponseError


@every_api
def test_nothing_is_read_behind_the_end(api: str) -> None:
    """Neither a second ``[DONE]`` nor an error changes a response that is whole."""
    made = APIS[api]
    reader = StreamReader(made.dialect)
    for part in [*blocks(made, len(made.events)), DONE]:
        list(reader.feed(part))
    assert reader.finished
    for part in (DONE, sse({"error": "boom"}), blocks(made, 4)[-1], b"data: torn"):
        assert list(reader.feed(part)) == []
    assert list(reader.close()) == []


@every_api
def test_nothing_is_delivered_before_content(api: str) -> None:
    """The begin of a response is held back until content comes, and is then delivered once."""
    made = APIS[api]
    first = next(number for number in range(20) if text_of(made, number))
    for parts in (blocks(made, first), bytewise(blocks(made, first))):
        reader = StreamReader(made.dialect)
        seen: list[StreamEvent] = []
        for number, part in enumerate(parts, 1):
            seen += reader.feed(part)
            assert bool(seen) == (number == len(parts)) or len(parts) > first
            assert reader.response_started == bool(seen)
        assert [type(event) for event in seen] == [ResponseStarted, TextDelta]


@every_api
def test_held_events_cost_nothing_once_content_has_come(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the first content a chunk takes the short way."""
    made = APIS[api]
    parts = blocks(made, len(made.events))
    first = next(number for number in range(20) if text_of(made, number))
    reader = StreamReader(made.dialect)
    for part in parts[:first]:
        list(reader.feed(part))
    monkeypatch.setattr(reader, "_feed_first", None)
    monkeypatch.setattr(reader, "_first", None)
    for part in parts[first:]:
        list(reader.feed(part))
    assert list(read(made, parts).finish) == ["stop"]


def test_only_errors_of_the_stream_before_content_may_be_retried() -> None:
    """What the HTTP response said before, and what comes later, is not for the reader to judge."""
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
    with pytest.raises(StreamInterruptedError) as cut:
        list(reader.close())
    assert not reader.failed_before_content(cut.value)
