"""Laws of legacy completions: one text in, one reply out, whole, in pieces, sync and async."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import twins
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialect_selection import RESPONSES_ONLY
from xai_lowcode.chat.dialects.completions import Completions
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import CutStream, Emulator, Refuse
from xai_lowcode.errors import (
    BadRequestError,
    InvalidResponseError,
    RateLimitError,
    StreamInterruptedError,
    UsageError,
)
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.messages import ImagePart, Message, TextPart
from xai_lowcode.types.requests import OPTIONS, ChatRequest, ResponseFormat, ToolSpec
from xai_lowcode.types.responses import ChatResponse

DIALECT = Completions()
PLAIN = "grok-4.20-0309-non-reasoning"
HELLO = (Message("user", (TextPart("Hello"),)),)


@pytest.fixture
def model(emulator: Emulator) -> ChatModel:
    """A model behind it."""
    reach = {"api_token": emulator.api_token, "base_url": emulator.base_url}
    return ChatModel(Settings.create(**reach, max_retries=0))


def ask(**options: Any) -> ChatRequest:
    return ChatRequest(**{"model": PLAIN, "messages": HELLO, "api": "completions", **options})


def fold(events: list[StreamEvent]) -> ChatResponse:
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return assembler.reply()


SENT: dict[str, tuple[Any, dict[str, Any]]] = {
    "temperature": (0.0, {"temperature": 0.0}),
    "top_p": (0.5, {"top_p": 0.5}),
    "max_tokens": (7, {"max_tokens": 7}),
    "stop": (("a", "b"), {"stop": ["a", "b"]}),
    "n": (2, {"n": 2}),
    "seed": (0, {"seed": 0}),
    "presence_penalty": (1, {"presence_penalty": 1}),
    "frequency_penalty": (-1.5, {"frequency_penalty": -1.5}),
    "user": ("u", {"user": "u"}),
}
REFUSED: dict[str, Any] = {
    "tools": (ToolSpec("look"),),
    "response_format": ResponseFormat(),
    "deferred": True,
}
ELSEWHERE = {*RESPONSES_ONLY, "api", "clean_schemas", "stream_usage", "tool_choice"}


@pytest.mark.parametrize("name", SENT)
def test_options_have_their_member(name: str) -> None:
    """An option is sent under this form's name, and nothing else with it."""
    value, sent = SENT[name]
    body = DIALECT.render(ask(**{name: value}), stream=False)
    assert body == {"model": PLAIN, "prompt": "Hello", **sent}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_place_is_refused(name: str) -> None:
    """What would be missed is an error that names the field."""
    with pytest.raises(UsageError) as refusal:
        DIALECT.render(ask(**{name: REFUSED[name]}), stream=False)
    assert refusal.value.field == name


def test_no_option_is_forgotten() -> None:
    """Every option of a request is sent, refused, told of as unsupported, or settled before."""
    assert {*SENT, *REFUSED, *DIALECT.unsupported, *ELSEWHERE} == OPTIONS
    assert {field.name for field in fields(ChatRequest)} >= OPTIONS


@pytest.mark.parametrize(
    "messages",
    [
        (*HELLO, *HELLO),
        (Message("system", (TextPart("Be kind."),)),),
        (Message("user", (TextPart("What?"), ImagePart("https://x/a.png"))),),
    ],
)
def test_a_conversation_is_refused(messages: tuple[Message, ...]) -> None:
    """There is no form for turns, so none is made up."""
    with pytest.raises(UsageError) as refusal:
        DIALECT.render(ask(messages=messages), stream=False)
    assert refusal.value.field == "messages"


@given(st.lists(st.text(), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_the_prompt_is_the_text(texts: list[str], stream: bool, usage: bool) -> None:
    """The parts of the one message are the prompt as they are; extra members pass through."""
    message = Message("user", tuple(map(TextPart, texts)))
    asked = ask(messages=(message,), stream_usage=usage, extra={"echo": True})
    body = DIALECT.render(asked, stream=stream)
    streamed = {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}
    assert body == {
        "model": PLAIN,
        "prompt": "".join(texts),
        "echo": True,
        **(streamed if stream else {}),
    }


@pytest.mark.parametrize("options", [{}, {"max_tokens": 4}, {"n": 3}, {"extra": {"echo": True}}])
def test_all_ways_give_one_reply(model: ChatModel, options: dict[str, Any]) -> None:
    """Whole and folded, sync and async, replies say the same, usage and finish included."""
    plain, twin = twins.generate(model, ask(**options))
    streams = [fold(events) for events in twins.stream(model, ask(**options))]
    assert plain.api == "completions"
    assert plain.text
    assert plain.usage is not None
    for reply in (twin, *streams):
        assert reply.choices == plain.choices
        assert (reply.usage, reply.model) == (plain.usage, plain.model)
    assert len(plain.choices) == options.get("n", 1)
    assert plain.text.startswith("Hello") or "extra" not in options
    assert plain.finish_reason == ("length" if "max_tokens" in options else "stop")


def test_a_choice_that_ends_silently_is_not_whole() -> None:
    """Without a finish reason a choice has not ended; the usage comes last all the same."""
    decoder, usage = DIALECT.decoder(), {"prompt_tokens": 1, "completion_tokens": 2}
    events = [
        *decoder.feed({"id": "x", "choices": [{"text": "a", "index": 1}], "usage": usage}),
        *decoder.feed({"choices": [{"text": "b"}], "usage": {**usage, "completion_tokens": 3}}),
    ]
    assert not decoder.complete
    reply = fold([*events, *decoder.done()])
    assert [choice.text for choice in reply.choices] == ["b", "a"]
    assert [choice.finish_reason for choice in reply.choices] == ["", ""]
    assert reply.usage is not None
    assert reply.usage.output_tokens == 3


def test_stop_strings_are_kept_everywhere(model: ChatModel, emulator: Emulator) -> None:
    """The text ends before a stop string whether the service or this package cuts."""
    whole = model.generate(ask())
    word = whole.text.split()[2]
    for reply in (
        *twins.generate(model, ask(stop=(word,))),
        fold(twins.stream(model, ask(stop=(word,)))[1]),
    ):
        assert reply.text == whole.text.partition(word)[0]
        assert reply.finish_reason == "stop"
    assert {request.path for request in emulator.requests} == {"/xai/v1/completions"}


def test_refusals_and_broken_streams(model: ChatModel, emulator: Emulator) -> None:
    """A reasoning model's refusal, a limit and a cut stream are the errors they are in a chat."""
    with pytest.raises(BadRequestError, match="reasoning model"):
        model.generate(ask(model="grok-4.7"))
    emulator.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        model.generate(ask())
    emulator.inject(CutStream(after_chunks=2))
    with pytest.raises(StreamInterruptedError):
        list(model.stream(ask()))


@pytest.mark.parametrize("name", ["server_tools", "previous_response_id"])
def test_what_only_responses_have_is_refused(model: ChatModel, name: str) -> None:
    """A wish that only responses can grant names itself."""
    with pytest.raises(UsageError) as refusal:
        model.generate(ask(**{name: "r"}))
    assert refusal.value.field == name


def test_what_is_unsupported_goes_with_a_word(model: ChatModel) -> None:
    """An option without a member is left out, and said to be."""
    with pytest.warns(UserWarning, match="completions refuses logprobs"):
        assert model.generate(ask(logprobs=True)).text


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": ["a"]}, {"choices": [{"text": 5}]}]
)
def test_no_answer_is_unreadable(body: dict[str, Any]) -> None:
    """What holds no text is no answer."""
    with pytest.raises(InvalidResponseError):
        DIALECT.parse(body)


def test_answers_stand_in_the_order_of_their_numbers() -> None:
    """Choices that come in another order, or without a number, are put in order."""
    rows = [{"text": "c", "index": 2}, {"text": "b", "index": 1}, {"text": "a"}]
    reply = DIALECT.parse({"choices": rows})
    assert [choice.text for choice in reply.choices] == ["a", "b", "c"]
    assert reply.usage is None
