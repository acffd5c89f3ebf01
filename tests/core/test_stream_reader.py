"""A stream is read as one response or one error, whatever its format and chunking."""

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.fake_server import TOKEN
from tests.core.wire import ENVELOPES, wrapped
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import (
    BadRequestError,
    ContentPolicyError,
    InvalidResponseError,
    StreamInterruptedError,
    XAILowCodeError,
)
from xai_lowcode.types.responses import ChatResponse

if TYPE_CHECKING:
    from xai_lowcode.types.events import StreamEvent

METADATA = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "grok-4"}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 12,
    "completion_tokens_details": {"reasoning_tokens": 5},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":"é"}'}}


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {**METADATA, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


CHUNKS = [
    chunk({"role": "assistant", "reasoning_content": "hm\u2028"}),
    chunk({}),
    chunk({"content": "Grüße "}),
    chunk({"content": "😀\n\ndata: x"}),
    chunk({"tool_calls": [{**CALL, "index": 0}]}),
    chunk({}, "tool_calls"),
    {**METADATA, "choices": [], "usage": USAGE},
]
BODY = {
    **METADATA,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "reasoning_content": "hm\u2028",
                "content": "Grüße 😀\n\ndata: x",
                "tool_calls": [CALL],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": USAGE,
}
RESPONSE = CHAT_COMPLETIONS.parse(BODY)


def sse(chunks: list[Any], *, done: bool = True, end: str = "\n", event: str = "") -> bytes:
    blocks = [f"{event}data: {json.dumps(data, ensure_ascii=False)}{end}{end}" for data in chunks]
    return ("".join(blocks) + (f"data: [DONE]{end}{end}" if done else "")).encode()


def as_json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


SSE_STREAM = sse(CHUNKS)
STREAM_FORMATS: dict[str, bytes] = {
    "live": SSE_STREAM,
    "without DONE": sse(CHUNKS, done=False),
    "blanks around data": (b"\n" + sse(CHUNKS, end=" \n\n")).replace(b"\ndata:", b"\ndata:\t "),
    "blanks around a torn DONE": sse(CHUNKS, done=False) + b"data:  [DONE] ",
    "without last newline": SSE_STREAM.rstrip(),
    "crlf": sse(CHUNKS, end="\r\n"),
    "cr": sse(CHUNKS, end="\r"),
    "event lines": sse(CHUNKS, event="event: chunk\n"),
    "comments": b": ping\n\n" + SSE_STREAM.replace(b"\n\n", b"\n\n: ping\n\ndata:\n\n"),
    "byte order mark": b"\xef\xbb\xbf" + SSE_STREAM,
    "leading white space": b"\n\n \n" + SSE_STREAM,
    **{
        f"chunks in {envelope}": sse([wrapped(data, envelope) for data in CHUNKS])
        for envelope in ENVELOPES
    },
    **{
        f"chunks in lone {key}": sse([{key: data} for data in CHUNKS]) for key in ("data", "result")
    },
    **{
        f"text in {envelope}": as_json(wrapped(SSE_STREAM.decode(), envelope))
        for envelope in ENVELOPES
    },
    **{
        f"text without DONE in {envelope}": as_json(
            wrapped(sse(CHUNKS, done=False).decode(), envelope)
        )
        for envelope in ENVELOPES
    },
    **{f"plain in {envelope}": as_json(wrapped(BODY, envelope)) for envelope in ENVELOPES},
    "plain after white space": b"\n \n" + as_json(BODY),
}


def read_stream(parts: list[bytes], **options: Any) -> ChatResponse:
    """Read the bytes of a stream like the chat model, and accumulate the events."""
    reader, accumulator = StreamReader(CHAT_COMPLETIONS, **options), ResponseAccumulator()
    events: list[StreamEvent] = []
    for part in parts:
        events += reader.feed(part)
        if reader.finished:
            break
    else:
        events += reader.close()
    for event in events:
        accumulator.add(event)
    return accumulator.build_response()


def split_at(text: bytes, indexes: list[int]) -> list[bytes]:
    edges = [0, *sorted(index for index in indexes if index < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@for_each("stream_format", [*STREAM_FORMATS])
def test_every_stream_format(stream_format: str) -> None:
    """Every format of a stream is read as the same response, at once and byte by byte."""
    text = STREAM_FORMATS[stream_format]
    assert read_stream([text]) == RESPONSE
    assert read_stream([text[i : i + 1] for i in range(len(text))]) == RESPONSE


@given(indexes=st.lists(st.integers(0, 2_000), max_size=12))
@for_each("text", STREAM_FORMATS)
def test_any_chunking_gives_the_same_response(text: bytes, indexes: list[int]) -> None:
    """However the bytes are split, the response is the same."""
    assert read_stream(split_at(text, indexes)) == RESPONSE


@for_each("stream_format", ["live", "crlf", "chunks in data", "chunks in result", "event lines"])
def test_a_truncated_stream_raises(stream_format: str) -> None:
    """A stream that ends at any byte before its finish reason raises."""
    text = STREAM_FORMATS[stream_format]
    # The chunk with the finish reason is complete with its last brace.
    finish = text.index(b"}", text.rindex(b'"finish_reason": "tool_calls"')) + 1
    end_of_chunk = text.index(b"\r" if stream_format == "crlf" else b"\n", finish)
    for end in range(end_of_chunk):
        with pytest.raises(InvalidResponseError) as raised:
            read_stream([text[:end]])
        started = b"data: " in text[:end] and text[:end].count(b'"choices"') > 1
        assert not started or isinstance(raised.value, StreamInterruptedError)
    assert read_stream([text[:end_of_chunk]]).finish_reason == "tool_calls"


@for_each(
    "stream_format",
    [
        stream_format
        for stream_format in STREAM_FORMATS
        if stream_format.startswith(("text in", "plain in"))
    ],
)
def test_a_truncated_json_body_raises(stream_format: str) -> None:
    """A JSON body that ends at any byte raises."""
    text = STREAM_FORMATS[stream_format]
    for end in range(len(text)):
        with pytest.raises(InvalidResponseError):
            read_stream([text[:end]])


ERRORS: list[tuple[Any, type[XAILowCodeError]]] = [
    (
        {"code": "Client specified an invalid argument", "error": "Invalid arguments"},
        BadRequestError,
    ),
    ({"error": "Content violates usage guidelines."}, ContentPolicyError),
    ({"error": {"message": "Invalid", "code": "invalid-argument"}}, BadRequestError),
]


@for_each("envelope", ENVELOPES)
@for_each("at", range(len(CHUNKS)))
@for_each(("body", "kind"), ERRORS)
def test_an_error_in_place_of_any_chunk_is_raised(
    body: Any, kind: type[XAILowCodeError], at: int, envelope: str
) -> None:
    """An error in place of any chunk, in any envelope, is raised with its class."""
    text = sse([*CHUNKS[:at], wrapped(body, envelope), *CHUNKS[at:]])
    for parts in ([text], [text[i : i + 7] for i in range(0, len(text), 7)]):
        with pytest.raises(kind):
            read_stream(parts)


@for_each("envelope", ENVELOPES)
@for_each(("body", "kind"), ERRORS)
def test_an_error_instead_of_a_stream_is_raised(
    body: Any, kind: type[XAILowCodeError], envelope: str
) -> None:
    """An error alone, as JSON or as the only chunk, in any envelope, is raised."""
    for text in (
        as_json(wrapped(body, envelope)),
        sse([wrapped(body, envelope)]),
        sse([body], done=False),
    ):
        with pytest.raises(kind):
            read_stream([text])


OTHER_CONTENT = {
    "nothing": b"",
    "white space": b" \n\n",
    "only DONE": b"data: [DONE]\n\n",
    "heartbeats": b": ping\n\n: ping\n\n",
    "html": b"<html><h1>502 Bad Gateway</h1></html>",
    "text": b"upstream exploded",
    "broken json": b'{"choices": [',
    "no chunk": b"data: nonsense\n\n",
    "another object": b'{"a": 1}',
    "a list": b"[1, 2]",
    "an empty string": b'""',
    "chunks without content": sse([chunk({}), chunk({})], done=False),
    "scalars": sse([1, "a", None]),
}


@for_each("name", [*OTHER_CONTENT])
def test_other_content_is_an_invalid_response(name: str) -> None:
    """Empty bodies, HTML and other JSON raise the same error for any chunking."""
    text = OTHER_CONTENT[name]
    with pytest.raises(InvalidResponseError) as first:
        read_stream([text])
    with pytest.raises(InvalidResponseError) as second:
        read_stream([text[i : i + 1] for i in range(len(text))])
    assert str(second.value) == str(first.value)
    assert "<" not in str(first.value)


@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]":,dat\n\r 1')).map(str.encode))
def test_random_bytes_raise_a_library_error(text: bytes) -> None:
    """Random bytes raise no other exception than a library error."""
    with pytest.raises(XAILowCodeError):
        read_stream([text, b"data: " + text, b"\n\n"])


@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_errors_do_not_contain_the_token(token: str) -> None:
    """An error does not contain the token, wherever the stream has it."""
    for text in (
        sse([{"error": f"bad {token}", "code": token}]),
        as_json({"error": {"message": token}}),
        f"data: {{{token}".encode(),
        f"<html>{token}</html>".encode(),
        f"{{{token}".encode(),
        as_json({"wrong": token}),
        as_json({"choices": [{"message": {"content": [token]}}]}),
        as_json(token),
    ):
        with pytest.raises(XAILowCodeError) as raised:
            read_stream([text], token=token)
        causes = [raised.value, raised.value.__cause__, raised.value.__context__]
        assert all(token not in f"{error} {vars(error)}" for error in causes if error is not None)


STOPS = st.lists(st.sampled_from(["e 😀", "data", "Gr", "\n", "zzz"]), min_size=1, max_size=3)


@given(stops=STOPS, indexes=st.lists(st.integers(0, 2_000), max_size=6))
@for_each("text", STREAM_FORMATS)
def test_stop_sequences_truncate_every_format_alike(
    text: bytes, stops: list[str], indexes: list[int]
) -> None:
    """The choices of a stopped stream do not depend on its format and chunking."""
    expected = read_stream([SSE_STREAM], stops=stops)
    response = read_stream(split_at(text, indexes), stops=stops)
    assert response.choices == expected.choices
    assert all(stop not in response.text for stop in stops)


def test_nothing_is_read_after_a_stop_sequence() -> None:
    """The reader is finished at the stop sequence, before the end of the stream."""
    reader = StreamReader(CHAT_COMPLETIONS, stops=["Gr"])
    for data in CHUNKS[:3]:
        assert not reader.finished
        list(reader.feed(sse([data], done=False)))
    assert reader.finished


def test_events_are_returned_with_their_chunk() -> None:
    """No event waits for the next chunk."""
    reader = StreamReader(CHAT_COMPLETIONS)
    for data in CHUNKS[:5]:
        events = list(reader.feed(sse([data], done=False)))
        assert bool(events) == bool(data["choices"][0]["delta"])
