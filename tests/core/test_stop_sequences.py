"""Law: a stream is cut at stop strings where its whole text is, whatever its pieces."""

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


def pieces_of(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place for place in places if place <= len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def by_hand(text: str, stops: list[str]) -> tuple[str, bool]:
    """Reads letter by letter, as a service writes, and ends at the first complete stop string."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


def cut_in_pieces(pieces: list[str], stops: list[str]) -> tuple[str, bool]:
    cutter = TextStopFilter(stops)
    shown = [cutter.feed(piece) for piece in pieces]
    return "".join(shown) + cutter.flush(), cutter.stopped


@settings(max_examples=300)
@given(texts, stop_lists, st.lists(st.integers(0, 12), max_size=6))
def test_any_pieces_are_cut_like_the_whole(text: str, stops: list[str], places: list[int]) -> None:
    """Overlapping or nested, the stop string that is complete first ends the text in any pieces."""
    expected = by_hand(text, stops)
    assert cut_in_pieces(pieces_of(text, places), stops) == expected
    cut = find_stop(text, stops)
    assert (text[:cut], cut is not None) == expected


def test_all_short_texts_letter_by_letter() -> None:
    """All texts of six letters are cut alike letter by letter, as a whole, and cut at any place."""
    for stops in (["ab"], ["aa"], ["aba", "b"], ["a", "ab"], ["abab", "ba"], ["bb", "abb"]):
        for letters in product("ab", repeat=6):
            text, expected = "".join(letters), by_hand("".join(letters), stops)
            assert cut_in_pieces(list(text), stops) == expected
            for place in range(6):
                assert cut_in_pieces([text[:place], text[place:]], stops) == expected


@settings(max_examples=300)
@given(texts, stop_lists)
def test_nothing_is_held_back_without_need(text: str, stops: list[str]) -> None:
    """What is held back is the beginning of a stop string, and the longest such ending."""
    cutter = TextStopFilter(stops)
    shown = "".join(map(cutter.feed, text))
    if not cutter.stopped:
        held = text[len(shown) :]
        endings = [text[i:] for i in range(len(text)) if any(s.startswith(text[i:]) for s in stops)]
        assert held == max(endings, key=len, default="")


CALL = ToolCallPart("c1", "look", '{"a": "STOP"}')


def reply_of(text: str, *, calls: bool, reasoning: str = "") -> ChatResponse:
    parts = (
        *((ReasoningPart(reasoning),) if reasoning else ()),
        *((TextPart(text),) if text else ()),
        *((CALL,) if calls else ()),
    )
    return ChatResponse((Choice(parts, "tool_calls" if calls else "stop"),), usage=Usage(1, 2, 3))


def stream_of(reply: ChatResponse, places: list[int]) -> list[StreamEvent]:
    """The events of a reply with its text in pieces."""
    events: list[StreamEvent] = []
    for event in response_to_events(reply):
        if isinstance(event, TextDelta):
            events += [replace(event, text=piece) for piece in pieces_of(event.text, places)]
        else:
            events.append(event)
    return events


def fold(events: list[StreamEvent]) -> ChatResponse:
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return assembler.build_response()


@settings(max_examples=300)
@given(texts, stop_lists, st.booleans(), st.lists(st.integers(0, 12), max_size=6))
def test_streams_are_cut_like_whole_replies(
    text: str, stops: list[str], calls: bool, places: list[int]
) -> None:
    """Folding a cut stream gives the cut reply: text, calls, finish reason and usage."""
    reply = reply_of(text, calls=calls, reasoning="ab")
    cutter = StopSequenceFilter(stops)
    assert fold(list(cutter.apply(stream_of(reply, places)))) == truncate_response(reply, stops)
    assert cutter.finished == by_hand(text, stops)[1]


def test_reasoning_and_arguments_are_never_searched() -> None:
    """A stop string in thoughts or in a call's arguments ends nothing."""
    events: list[StreamEvent] = [
        ResponseStarted(),
        ReasoningDelta("think STOP think"),
        ToolCallDelta(0, "c1", "look", '{"a": "STOP"}'),
        ChoiceFinished("tool_calls"),
        UsageReported(Usage(1, 2, 3)),
    ]
    cutter = StopSequenceFilter(["STOP"])
    assert list(cutter.apply(events)) == events
    assert not cutter.finished
    reply = reply_of("", calls=True, reasoning="think STOP think")
    assert truncate_response(reply, ["STOP"]) == reply


def test_calls_after_the_stop_string_were_not_to_be() -> None:
    """What a model writes after its stop string, calls included, is not passed on."""
    reply = truncate_response(reply_of("Hello STOP more", calls=True), ["STOP"])
    assert (reply.text, reply.tool_calls, reply.finish_reason) == ("Hello ", (), "stop")


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_each_answer_is_cut_for_itself(answers: int) -> None:
    """Of several answers each has its own cut, and reading ends when all are stopped."""
    cutter = StopSequenceFilter(["|"], answers)
    for index in range(answers):
        assert not cutter.finished
        events = list(cutter.apply([TextDelta(f"a{index}|b", index)]))
        assert events == [TextDelta(f"a{index}", index), ChoiceFinished("stop", index)]
    assert cutter.finished
    assert list(cutter.apply([TextDelta("more", 0), ChoiceFinished("length", 0)])) == []
