"""Law: any conversation, told in three wire forms, is answered alike, streamed and whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.gateways import settings_of
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.types.messages import (
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest, ToolSpec
from xai_lowcode.types.responses import ChatResponse

pytestmark = pytest.mark.slow

FORMS = ("chat_completions", "messages", "responses")
MODELS = ("grok-3-mini", "grok-4.3", "grok-4.7", "grok-4.20-0309-non-reasoning")
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = tuple(ToolSpec(name, f"{name} numbers", NUMBERS) for name in ("add", "multiply"))
WORDS = st.sampled_from(
    ["Hello", "add 3", "multiply 4", "then", "你好", "é 🎉", "story", '"quoted"', "\n", "\u2028"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join).filter(str.strip)
CALLS = st.lists(
    st.tuples(st.sampled_from(["add", "multiply"]), st.integers(0, 99), TEXTS),
    min_size=1,
    max_size=3,
)
# What follows a question: an answer, perhaps with its thoughts, or calls and their results.
FOLLOWING = st.one_of(st.tuples(TEXTS, st.none() | TEXTS), CALLS)
ROUNDS = st.lists(st.tuples(TEXTS, FOLLOWING), max_size=3)


def conversation(system: str | None, rounds: list[Any], question: str | None) -> list[Message]:
    """The turns; without a last question they end with the results of calls, if there are any."""
    messages = [Message("system", (TextPart(system),))] if system else []
    for number, (asked, following) in enumerate(rounds):
        messages.append(Message("user", (TextPart(asked),)))
        if isinstance(following, tuple):
            text, thoughts = following
            shown = (ReasoningPart(thoughts),) if thoughts else ()
            messages.append(Message("assistant", (*shown, TextPart(text))))
        else:
            messages += called(number, following)
    if question or messages[-1:] == [] or messages[-1].role != "tool":
        messages.append(Message("user", (TextPart(question or "And now?"),)))
    return messages


def called(number: int, calls: list[tuple[str, int, str]]) -> Iterator[Message]:
    """A turn of calls side by side, and their results."""
    parts = [
        ToolCallPart(f"call_{number}_{place}", name, json.dumps({"a": value}))
        for place, (name, value, _) in enumerate(calls)
    ]
    yield Message("assistant", tuple(parts))
    for part, (_, _, found) in zip(parts, calls, strict=True):
        yield Message("tool", (ToolResultPart(part.id, (TextPart(found),)),))


@pytest.fixture(scope="module")
def model() -> Iterator[ChatModel]:
    """A model with the emulator behind it."""
    with running() as emulator:
        yield connected(emulator)


def connected(emulator: Emulator) -> ChatModel:
    """A model of this emulator."""
    return ChatModel(settings_of(emulator))


def folded(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """The reply that the stream folds into."""
    assembler = ResponseAccumulator()
    for event in model.stream(request):
        assembler.add(event)
    return assembler.build_response()


def facts(reply: ChatResponse) -> tuple[Any, ...]:
    """What must not depend on the form: what was said, called and counted, and how it ended."""
    calls = [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]
    used = reply.usage
    assert used is not None
    counts = (used.input_tokens, used.output_tokens, used.total_tokens, used.cached_input_tokens)
    return reply.text, calls, reply.finish_reason, counts


@settings(max_examples=30, deadline=None)
@given(
    system=st.none() | TEXTS,
    rounds=ROUNDS,
    question=st.none() | TEXTS,
    name=st.sampled_from(MODELS),
    limit=st.sampled_from([3, 1_000]),
)
def test_a_conversation_is_answered_alike_in_every_form(
    model: ChatModel,
    system: str | None,
    rounds: list[Any],
    question: str | None,
    name: str,
    limit: int,
) -> None:
    """Text, calls, end and usage agree over the forms, and a stream folds into the plain answer."""
    messages = tuple(conversation(system, rounds, question))
    found = []
    for form in FORMS:
        request = ChatRequest(
            model=name, messages=messages, tools=TOOLS, max_tokens=limit, api=form
        )  # type: ignore[arg-type]  # a table
        plain, streamed = model.generate(request), folded(model, request)
        assert facts(streamed) == facts(plain)
        assert streamed.reasoning == plain.reasoning
        found.append(facts(plain))
    assert found[0] == found[1] == found[2]
    assert found[0][0] or found[0][1]
