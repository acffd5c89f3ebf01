"""Law: a reply taken apart into events and folded again is the reply."""

from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.chat.accumulator import ResponseAccumulator, response_to_events
from xai_lowcode.types.events import ChoiceFinished, ResponseStarted, StreamEvent, UsageReported
from xai_lowcode.types.messages import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage

texts = st.text(max_size=6)
some = st.text(min_size=1, max_size=6)
choices = st.builds(
    lambda thought, text, calls, finish, refusal, odds: Choice(
        (*map(ReasoningPart, thought), *map(TextPart, text), *calls), finish, odds, refusal
    ),
    st.lists(some, max_size=1),
    st.lists(some, max_size=1),
    st.lists(st.builds(ToolCallPart, some, some, texts), max_size=3),
    some,
    st.none() | some,
    st.lists(st.fixed_dictionaries({"token": texts}), max_size=2).map(tuple),
)
usages = st.builds(Usage, *[st.integers(0, 99)] * 3, *[st.none() | st.integers(0, 99)] * 3)
replies = st.builds(
    ChatResponse,
    st.lists(choices, min_size=1, max_size=3).map(tuple),
    id=texts,
    model=texts,
    created=st.none() | st.integers(),
    usage=st.none() | usages,
    citations=st.lists(st.builds(Citation, texts, st.none() | texts), max_size=3).map(tuple),
    system_fingerprint=st.none() | texts,
    service_tier=st.none() | texts,
)


def fold(events: list[StreamEvent]) -> ChatResponse:
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return assembler.build_response()


@given(replies)
def test_apart_and_together(reply: ChatResponse) -> None:
    """Events of any reply fold into the same reply."""
    assert fold(list(response_to_events(reply))) == reply


@given(replies)
def test_the_order_of_events(reply: ChatResponse) -> None:
    """The facts come first and once, the usage last, each answer finishes once."""
    events = list(response_to_events(reply))
    assert [isinstance(event, ResponseStarted) for event in events] == [True] + [False] * (
        len(events) - 1
    )
    assert any(isinstance(event, UsageReported) for event in events[:-1]) is False
    finished = [event.choice for event in events if isinstance(event, ChoiceFinished)]
    assert finished == list(range(len(reply.choices)))


@given(replies, st.data())
def test_a_reply_as_far_as_it_has_come(reply: ChatResponse, data: st.DataObject) -> None:
    """At any point the assembler gives a reply, whose text begins the final text."""
    events = list(response_to_events(reply))
    part = fold(events[: data.draw(st.integers(0, len(events)))])
    assert reply.text.startswith(part.text)
    assert reply.reasoning.startswith(part.reasoning)
    assert part.tool_calls == reply.tool_calls[: len(part.tool_calls)]
