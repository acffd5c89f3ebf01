"""Law: whatever comes as a stream, in whatever pieces, becomes the same events or error of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import QUESTIONS, bodies
from tests.fuzz.invalid_values import cut, json_values, odd_versions, shortened, spoiled_documents
from tests.fuzz.parsing import fold, read_stream
from xai_lowcode.chat.stop_sequences import TextStopFilter
from xai_lowcode.types.events import StreamEvent

pytestmark = pytest.mark.slow

forms = pytest.mark.parametrize("form", QUESTIONS)
cuts = st.lists(st.integers(0, 4000), max_size=12)


def chunks_of(stream: bytes) -> list[Any]:
    """One of each shape of a stream's chunks."""
    lines = stream.split(b"\n")
    return shortened([json.loads(line[6:]) for line in lines if line.startswith(b"data: {")])


def sse(chunks: list[Any], done: bytes = b"") -> bytes:
    """The chunks as a stream."""
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + done


@forms
def test_any_value_may_stand_at_any_member(form: str) -> None:
    """Each kind of value at each place of each chunk: events that fold, or an error of ours."""
    ended = []
    seen: set[Any] = set()
    for chunks in map(chunks_of, bodies().streams[form]):
        for position, chunk in enumerate(chunks):
            for odd in odd_versions(chunk, seen):
                spoiled = [*chunks[:position], odd, *chunks[position + 1 :]]
                events, error = read_stream(form, [sse(spoiled)])
                fold(events)
                ended.append(error is None)
    assert any(ended)
    assert not all(ended)


def plain(events: list[StreamEvent]) -> str:
    """What was said, whatever the pieces it came in."""
    reply = fold(events)
    return repr((reply, [choice.items for choice in reply.choices]))


@st.composite
def streams(draw: Any, form: str) -> bytes:
    """A stream with spoiled chunks, with one missing or repeated, or with noise between."""
    chunks = list(draw(st.sampled_from([chunks_of(stream) for stream in bodies().streams[form]])))
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(chunks) - 1))
        chunks[position : position + draw(st.integers(0, 1))] = draw(
            st.lists(spoiled_documents(chunks) | json_values, max_size=2)
        ) or [chunks[0]]
    ending = st.sampled_from([b"", b"data: [DONE]\n\n", b"data: [DONE]", b"\r\n", b"data: "])
    whole = sse(chunks, draw(ending))
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(0, len(whole)))
        whole = whole[:place] + draw(st.binary(max_size=12)) + whole[place:]
    return draw(st.sampled_from([bytes, _as_text, _wrapped]))(whole)


def _as_text(whole: bytes) -> bytes:
    return json.dumps({"data": whole.decode("utf-8", "replace")}).encode()


def _wrapped(whole: bytes) -> bytes:
    return whole.replace(b"data: {", b'data: {"data": {').replace(b"}\n\n", b"}}\n\n")


@forms
@given(data=st.data(), where=cuts, stops=st.lists(st.text(min_size=1, max_size=3), max_size=2))
def test_any_cut_reads_alike(form: str, data: Any, where: list[int], stops: list[str]) -> None:
    """Spoiled, wrapped and noisy streams say the same in any pieces, and end the same way."""
    whole = data.draw(streams(form))
    events, error = read_stream(form, [whole], stops)
    others, another = read_stream(form, cut(whole, where), stops)
    assert plain(events) == plain(others)
    assert type(error) is type(another)
    assert str(error) == str(another)


@forms
@given(whole=st.binary(max_size=400), where=cuts)
def test_any_bytes_are_refused(form: str, whole: bytes, where: list[int]) -> None:
    """Bytes without sense never pass for an answer."""
    events, error = read_stream(form, cut(whole, where))
    assert error is not None
    assert type(error) is type(read_stream(form, [whole])[1])
    assert not events


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1))
def test_stop_strings_cut_where_they_stand(text: str, stops: list[str]) -> None:
    """Letter by letter or whole, the text ends before the stop string that is complete first."""
    cutter, whole = TextStopFilter(stops), TextStopFilter(stops)
    slowly = "".join(map(cutter.feed, text)) + cutter.flush()
    assert slowly == whole.feed(text) + whole.flush()
    assert not any(stop in slowly for stop in stops)
