"""A stream is truncated at stop sequences like its whole text, however it is split."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xai_lowcode.chat.accumulator import ResponseAccumulator, response_to_events
from xai_lowcode.chat.stop_sequences import (
    StopSequenceFilter,
    TextStopFilter,
    find_stop,
    truncate_response,
)
from xai_lowcode.types.events import (
    ChoiceFinished,
    ReasoningDelta,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.messages import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Usage

texts = st.text(st.sampled_from("ab."), max_size=12)
stop_lists = st.lists(
    st.text(st.sampled_from("ab."), min_size=1, max_size=4), min_size=1, max_size=4
)


def split_at(text: str, indexes: list[int]) -> list[str]:
    edges = [0, *sorted(index for index in indexes if index <= len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def truncate_stepwise(text: str, stops: list[str]) -> tuple[str, bool]:
    """Return the text up to the first complete stop sequence, and whether there is one."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


def filter_deltas(deltas: list[str], stops: list[str]) -> tuple[str, bool]:
    text_filter = TextStopFilter(stops)
    passed_on = [text_filter.feed(delta) for delta in deltas]
    return "".join(passed_on) + text_filter.flush(), text_filter.stopped


@settings(max_examples=300)
@given(texts, stop_lists, st.lists(st.integers(0, 12), max_size=6))
def test_deltas_are_truncated_like_the_whole_text(
    text: str, stops: list[str], indexes: list[int]
) -> None:
    """The stop sequence that is complete first ends the text, for any split of the text."""
    expected = truncate_stepwise(text, stops)
    assert filter_deltas(split_at(text, indexes), stops) == expected
    stop_index = find_stop(text, stops)
    assert (text[:stop_index], stop_index is not None) == expected


def test_all_short_texts() -> None:
    """All texts of six letters, split into letters or at any index, are truncated alike."""
    for stops in (["ab"], ["aa"], ["aba", "b"], ["a", "ab"], ["abab", "ba"], ["bb", "abb"]):
        for letters in product("ab", repeat=6):
            text, expected = "".join(letters), truncate_stepwise("".join(letters), stops)
            assert filter_deltas(list(text), stops) == expected
            for index in range(6):
                assert filter_deltas([text[:index], text[index:]], stops) == expected


@settings(max_examples=300)
@given(texts, stop_lists)
def test_only_a_possible_stop_sequence_is_buffered(text: str, stops: list[str]) -> None:
    """The buffered text is the longest suffix that is a prefix of a stop sequence."""
    text_filter = TextStopFilter(stops)
    passed_on = "".join(map(text_filter.feed, text))
    if not text_filter.stopped:
        buffered = text[len(passed_on) :]
        candidates = [
            text[i:] for i in range(len(text)) if any(s.startswith(text[i:]) for s in stops)
        ]
        assert buffered == max(candidates, key=len, default="")


CALL = ToolCallPart("c1", "look", '{"a": "STOP"}')


def build_response(text: str, *, calls: bool, reasoning: str = "") -> ChatResponse:
    parts = (
        *((ReasoningPart(reasoning),) if reasoning else ()),
        *((TextPart(text),) if text else ()),
        *((CALL,) if calls else ()),
    )
    choice = Choice(
        parts, "tool_calls" if calls else "stop", items=({"text": text},), dialect="responses"
    )
    return ChatResponse((choice,), usage=Usage(1, 2, 3))


def build_events(response: ChatResponse, indexes: list[int]) -> list[StreamEvent]:
    """Return the events of a response, with its text split at indexes."""
    events: list[StreamEvent] = []
    for event in response_to_events(response):
        if isinstance(event, TextDelta):
            events += [replace(event, text=delta) for delta in split_at(event.text, indexes)]
        else:
            events.append(event)
    return events


def accumulate(events: list[StreamEvent]) -> ChatResponse:
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.build_response()


@settings(max_examples=300)
@given(texts, stop_lists, st.booleans(), st.lists(st.integers(0, 12), max_size=6))
def test_streams_are_truncated_like_responses(
    text: str, stops: list[str], calls: bool, indexes: list[int]
) -> None:
    """A filtered stream accumulates to the truncated response, whose items are left out."""
    response = build_response(text, calls=calls, reasoning="ab")
    stop_filter = StopSequenceFilter(stops)
    assert accumulate(
        list(stop_filter.apply(build_events(response, indexes)))
    ) == truncate_response(response, stops)
    assert stop_filter.finished == truncate_stepwise(text, stops)[1]


def test_reasoning_and_arguments_are_not_searched() -> None:
    """A stop sequence in reasoning or in tool arguments has no effect."""
    events: list[StreamEvent] = [
        ResponseStarted(),
        ReasoningDelta("think STOP think"),
        ToolCallDelta(0, "c1", "look", '{"a": "STOP"}'),
        ChoiceFinished("tool_calls"),
        UsageReported(Usage(1, 2, 3)),
    ]
    stop_filter = StopSequenceFilter(["STOP"])
    assert list(stop_filter.apply(events)) == events
    assert not stop_filter.finished
    response = build_response("", calls=True, reasoning="think STOP think")
    assert truncate_response(response, ["STOP"]) == response


def test_tool_calls_after_a_stop_sequence_are_dropped() -> None:
    """Text and tool calls after the stop sequence are dropped."""
    response = truncate_response(build_response("Hello STOP more", calls=True), ["STOP"])
    assert (response.text, response.tool_calls, response.finish_reason) == ("Hello ", (), "stop")


@pytest.mark.parametrize("choices", [1, 2, 3])
def test_each_choice_is_truncated_separately(choices: int) -> None:
    """Each choice is truncated separately; the stream is finished when all are stopped."""
    stop_filter = StopSequenceFilter(["|"], choices)
    for index in range(choices):
        assert not stop_filter.finished
        events = list(stop_filter.apply([TextDelta(f"a{index}|b", index)]))
        assert events == [TextDelta(f"a{index}", index), ChoiceFinished("stop", index)]
    assert stop_filter.finished
    assert list(stop_filter.apply([TextDelta("more", 0), ChoiceFinished("length", 0)])) == []
