"""The events of a response accumulate to the same response."""

from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.chat.accumulator import ResponseAccumulator, response_to_events
from xai_lowcode.types.events import ChoiceFinished, ResponseStarted, StreamEvent, UsageReported
from xai_lowcode.types.messages import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage

texts = st.text(max_size=6)
nonempty_texts = st.text(min_size=1, max_size=6)
choices = st.builds(
    lambda reasoning, text, calls, finish_reason, refusal, logprobs: Choice(
        (*map(ReasoningPart, reasoning), *map(TextPart, text), *calls),
        finish_reason,
        logprobs,
        refusal,
    ),
    st.lists(nonempty_texts, max_size=1),
    st.lists(nonempty_texts, max_size=1),
    st.lists(st.builds(ToolCallPart, nonempty_texts, nonempty_texts, texts), max_size=3),
    nonempty_texts,
    st.none() | nonempty_texts,
    st.lists(st.fixed_dictionaries({"token": texts}), max_size=2).map(tuple),
)
usages = st.builds(Usage, *[st.integers(0, 99)] * 3, *[st.none() | st.integers(0, 99)] * 3)
responses = st.builds(
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


def accumulate(events: list[StreamEvent]) -> ChatResponse:
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.build_response()


@given(responses)
def test_events_accumulate_to_the_response(response: ChatResponse) -> None:
    """Converting a response to events and accumulating them returns the response."""
    assert accumulate(list(response_to_events(response))) == response


@given(responses)
def test_order_of_events(response: ChatResponse) -> None:
    """Metadata comes first and once, usage last, and each choice finishes once."""
    events = list(response_to_events(response))
    assert [isinstance(event, ResponseStarted) for event in events] == [True] + [False] * (
        len(events) - 1
    )
    assert any(isinstance(event, UsageReported) for event in events[:-1]) is False
    finished = [event.choice for event in events if isinstance(event, ChoiceFinished)]
    assert finished == list(range(len(response.choices)))


@given(responses, st.data())
def test_partial_responses(response: ChatResponse, data: st.DataObject) -> None:
    """After any event the text, reasoning and tool calls are prefixes of the final ones."""
    events = list(response_to_events(response))
    partial = accumulate(events[: data.draw(st.integers(0, len(events)))])
    assert response.text.startswith(partial.text)
    assert response.reasoning.startswith(partial.reasoning)
    assert partial.tool_calls == response.tool_calls[: len(partial.tool_calls)]
