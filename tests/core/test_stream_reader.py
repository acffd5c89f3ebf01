"""Law: whatever a stream turned out to be and however it was cut, it is one reply or one error."""

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.loopback import TOKEN
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

FACTS = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "grok-4"}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 12,
    "completion_tokens_details": {"reasoning_tokens": 5},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":"é"}'}}


def chunk(delta: dict[str, Any], said: str | None = None) -> dict[str, Any]:
    return {**FACTS, "choices": [{"index": 0, "delta": delta, "finish_reason": said}]}


CHUNKS = [
    chunk({"role": "assistant", "reasoning_content": "hm\u2028"}),
    chunk({}),
    chunk({"content": "Grüße "}),
    chunk({"content": "😀\n\ndata: x"}),
    chunk({"tool_calls": [{**CALL, "index": 0}]}),
    chunk({}, "tool_calls"),
    {**FACTS, "choices": [], "usage": USAGE},
]
PLAIN = {
    **FACTS,
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
REPLY = CHAT_COMPLETIONS.parse(PLAIN)


def sse(chunks: list[Any], *, done: bool = True, end: str = "\n", event: str = "") -> bytes:
    blocks = [f"{event}data: {json.dumps(one, ensure_ascii=False)}{end}{end}" for one in chunks]
    return ("".join(blocks) + (f"data: [DONE]{end}{end}" if done else "")).encode()


def as_json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


TEXT = sse(CHUNKS)
FORMS: dict[str, bytes] = {
    "live": TEXT,
    "without DONE": sse(CHUNKS, done=False),
    "without last newline": TEXT.rstrip(),
    "crlf": sse(CHUNKS, end="\r\n"),
    "cr": sse(CHUNKS, end="\r"),
    "event lines": sse(CHUNKS, event="event: chunk\n"),
    "comments": b": ping\n\n" + TEXT.replace(b"\n\n", b"\n\n: ping\n\ndata:\n\n"),
    "byte order mark": b"\xef\xbb\xbf" + TEXT,
    "leading white space": b"\n\n \n" + TEXT,
    **{f"chunks in {how}": sse([wrapped(one, how) for one in CHUNKS]) for how in ENVELOPES},
    **{f"chunks in lone {key}": sse([{key: one} for one in CHUNKS]) for key in ("data", "result")},
    **{f"text in {how}": as_json(wrapped(TEXT.decode(), how)) for how in ENVELOPES},
    **{
        f"text without DONE in {how}": as_json(wrapped(sse(CHUNKS, done=False).decode(), how))
        for how in ENVELOPES
    },
    **{f"plain in {how}": as_json(wrapped(PLAIN, how)) for how in ENVELOPES},
    "plain after white space": b"\n \n" + as_json(PLAIN),
}
every_form = pytest.mark.parametrize("form", FORMS)


def read(pieces: list[bytes], **options: Any) -> ChatResponse:
    """Reads pieces as the model does, and folds the events."""
    reader, assembler = StreamReader(CHAT_COMPLETIONS, **options), ResponseAccumulator()
    events: list[StreamEvent] = []
    for piece in pieces:
        events += reader.feed(piece)
        if reader.finished:
            break
    else:
        events += reader.close()
    for event in events:
        assembler.add(event)
    return assembler.build_response()


def pieces_of(text: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@every_form
def test_every_form_folds_into_the_plain_reply(form: str) -> None:
    """Live, buffered, wrapped, quoted or plain: one reply, in one piece and byte by byte."""
    text = FORMS[form]
    assert read([text]) == REPLY
    assert read([text[i : i + 1] for i in range(len(text))]) == REPLY


@every_form
@given(places=st.lists(st.integers(0, 2_000), max_size=12))
def test_any_cut_gives_the_same_reply(form: str, places: list[int]) -> None:
    """However the bytes of any form arrive, the reply is the same."""
    assert read(pieces_of(FORMS[form], places)) == REPLY


@pytest.mark.parametrize(
    "form", ["live", "crlf", "chunks in data", "chunks in result", "event lines"]
)
def test_a_stream_cut_before_its_finish_raises(form: str) -> None:
    """Ended at whatever byte before its finish, a stream is never passed off as a whole answer."""
    text = FORMS[form]
    # The chunk that finishes is whole with its last brace, or it is not.
    finish = text.index(b"}", text.rindex(b'"finish_reason": "tool_calls"')) + 1
    closing = text.index(b"\r" if form == "crlf" else b"\n", finish)
    for end in range(closing):
        with pytest.raises(InvalidResponseError) as raised:
            read([text[:end]])
        started = b"data: " in text[:end] and text[:end].count(b'"choices"') > 1
        assert not started or isinstance(raised.value, StreamInterruptedError)
    assert read([text[:closing]]).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.startswith(("text in", "plain in"))]
)
def test_a_document_cut_anywhere_raises(form: str) -> None:
    """A JSON answer that is cut at any byte is unreadable."""
    text = FORMS[form]
    for end in range(len(text)):
        with pytest.raises(InvalidResponseError):
            read([text[:end]])


ERRORS: list[tuple[Any, type[XAILowCodeError]]] = [
    (
        {"code": "Client specified an invalid argument", "error": "Invalid arguments"},
        BadRequestError,
    ),
    ({"error": "Content violates usage guidelines."}, ContentPolicyError),
    ({"error": {"message": "Invalid", "code": "invalid-argument"}}, BadRequestError),
]


@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("at", range(len(CHUNKS)))
@pytest.mark.parametrize(("body", "kind"), ERRORS)
def test_an_error_at_any_point_is_raised(
    body: Any, kind: type[XAILowCodeError], at: int, how: str
) -> None:
    """An error object in place of any chunk, in any envelope, is raised with its class."""
    text = sse([*CHUNKS[:at], wrapped(body, how), *CHUNKS[at:]])
    for pieces in ([text], [text[i : i + 7] for i in range(0, len(text), 7)]):
        with pytest.raises(kind):
            read(pieces)


@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize(("body", "kind"), ERRORS)
def test_an_error_instead_of_a_stream_is_raised(
    body: Any, kind: type[XAILowCodeError], how: str
) -> None:
    """An error object alone, as JSON or as the only chunk, in any envelope, is raised."""
    for text in (as_json(wrapped(body, how)), sse([wrapped(body, how)]), sse([body], done=False)):
        with pytest.raises(kind):
            read([text])


NOTHING = {
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
    "chunks that say nothing": sse([chunk({}), chunk({})], done=False),
    "scalars": sse([1, "a", None]),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_no_stream_is_unreadable(name: str) -> None:
    """Nothing, a page, or another JSON is an error with the same text in any cut."""
    text = NOTHING[name]
    with pytest.raises(InvalidResponseError) as whole:
        read([text])
    with pytest.raises(InvalidResponseError) as cut:
        read([text[i : i + 1] for i in range(len(text))])
    assert str(cut.value) == str(whole.value)
    assert "<" not in str(whole.value)


@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]":,dat\n\r 1')).map(str.encode))
def test_any_bytes_are_a_reply_or_our_error(text: bytes) -> None:
    """No bytes, however odd, fail in another way than with our own error."""
    with pytest.raises(XAILowCodeError):
        read([text, b"data: " + text, b"\n\n"])


@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_an_error_of_a_stream_keeps_no_token(token: str) -> None:
    """Whatever a stream says wrong, and wherever it quotes the token, the error is free of it."""
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
            read([text], token=token)
        causes = [raised.value, raised.value.__cause__, raised.value.__context__]
        assert all(token not in f"{error} {vars(error)}" for error in causes if error is not None)


STOPS = st.lists(st.sampled_from(["e 😀", "data", "Gr", "\n", "zzz"]), min_size=1, max_size=3)


@every_form
@given(stops=STOPS, places=st.lists(st.integers(0, 2_000), max_size=6))
def test_stop_strings_cut_every_form_alike(form: str, stops: list[str], places: list[int]) -> None:
    """Text, thoughts, calls and finish of a stopped stream do not depend on form and cut."""
    whole = read([TEXT], stops=stops)
    cut = read(pieces_of(FORMS[form], places), stops=stops)
    assert cut.choices == whole.choices
    assert all(stop not in cut.text for stop in stops)


def test_nothing_is_read_after_the_stop_string() -> None:
    """When the text is stopped the stream is finished, before its end has come."""
    reader = StreamReader(CHAT_COMPLETIONS, stops=["Gr"])
    for one in CHUNKS[:3]:
        assert not reader.finished
        list(reader.feed(sse([one], done=False)))
    assert reader.finished


def test_events_come_as_soon_as_their_chunk_is_whole() -> None:
    """A live stream is passed on live: no event waits for the next chunk."""
    reader = StreamReader(CHAT_COMPLETIONS)
    for one in CHUNKS[:5]:
        events = list(reader.feed(sse([one], done=False)))
        assert bool(events) == bool(one["choices"][0]["delta"])
