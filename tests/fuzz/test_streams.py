"""Any stream gives the same events or the same documented error, in any chunks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import REQUESTS, bodies
from tests.fuzz.invalid_values import (
    changed_documents,
    cut,
    distinct_chunks,
    invalid_versions,
    json_values,
)
from tests.fuzz.parsing import fold, read_stream
from xai_lowcode.chat.stop_sequences import TextStopFilter
from xai_lowcode.types.events import StreamEvent

pytestmark = pytest.mark.slow

each_api = pytest.mark.parametrize("api", REQUESTS)
cuts = st.lists(st.integers(0, 4000), max_size=12)


def chunks_of(stream: bytes) -> list[Any]:
    """Return the first chunk of each shape of a stream."""
    lines = stream.split(b"\n")
    return distinct_chunks([json.loads(line[6:]) for line in lines if line.startswith(b"data: {")])


def sse(chunks: list[Any], done: bytes = b"") -> bytes:
    """Return a stream of these chunks."""
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + done


@each_api
def test_any_field_may_have_any_value(api: str) -> None:
    """Each kind of value at each path of each chunk gives events or a documented error."""
    successes = []
    visited: set[Any] = set()
    for chunks in map(chunks_of, bodies().streams[api]):
        for position, chunk in enumerate(chunks):
            before, after = sse(chunks[:position]), sse(chunks[position + 1 :])
            for version in invalid_versions(chunk, visited):
                events, error = read_stream(api, [before, sse([version]), after])
                fold(events)
                successes.append(error is None)
    assert any(successes)
    assert not all(successes)


def accumulated(events: list[StreamEvent]) -> str:
    """Return what does not depend on the chunks."""
    response = fold(events)
    return repr((response, [choice.items for choice in response.choices]))


@st.composite
def streams(draw: Any, api: str) -> bytes:
    """Draw a stream with changed, missing or repeated chunks, or with random bytes."""
    chunks = list(draw(st.sampled_from([chunks_of(stream) for stream in bodies().streams[api]])))
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(chunks) - 1))
        chunks[position : position + draw(st.integers(0, 1))] = draw(
            st.lists(changed_documents(chunks) | json_values, max_size=2)
        ) or [chunks[0]]
    ending = st.sampled_from([b"", b"data: [DONE]\n\n", b"data: [DONE]", b"\r\n", b"data: "])
    whole = sse(chunks, draw(ending))
    if draw(st.integers(0, 4)) == 0:
        offset = draw(st.integers(0, len(whole)))
        whole = whole[:offset] + draw(st.binary(max_size=12)) + whole[offset:]
    return draw(st.sampled_from([bytes, _as_text, _wrapped]))(whole)


def _as_text(whole: bytes) -> bytes:
    return json.dumps({"data": whole.decode("utf-8", "replace")}).encode()


def _wrapped(whole: bytes) -> bytes:
    return whole.replace(b"data: {", b'data: {"data": {').replace(b"}\n\n", b"}}\n\n")


@each_api
@given(data=st.data(), offsets=cuts, stops=st.lists(st.text(min_size=1, max_size=3), max_size=2))
def test_events_do_not_depend_on_the_cut(
    api: str, data: Any, offsets: list[int], stops: list[str]
) -> None:
    """Any stream gives the same events and the same error, in any chunks."""
    whole = data.draw(streams(api))
    events, error = read_stream(api, [whole], stops)
    other_events, other_error = read_stream(api, cut(whole, offsets), stops)
    assert accumulated(events) == accumulated(other_events)
    assert type(error) is type(other_error)
    assert str(error) == str(other_error)


@each_api
@given(whole=st.binary(max_size=400), offsets=cuts)
def test_random_bytes_are_rejected(api: str, whole: bytes, offsets: list[int]) -> None:
    """Random bytes give an error and no events."""
    events, error = read_stream(api, cut(whole, offsets))
    assert error is not None
    assert type(error) is type(read_stream(api, [whole])[1])
    assert not events


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1))
def test_stop_strings_do_not_depend_on_the_cut(text: str, stops: list[str]) -> None:
    """The text ends before the stop string that is complete first, in any chunks."""
    stop_filter, whole = TextStopFilter(stops), TextStopFilter(stops)
    by_character = "".join(map(stop_filter.feed, text)) + stop_filter.flush()
    assert by_character == whole.feed(text) + whole.flush()
    assert not any(stop in by_character for stop in stops)
