"""The response to any conversation is the same for every API, streamed or not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.clients import emulator_settings
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

API_NAMES = ("chat_completions", "messages", "responses")
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
# Messages after a question: text, with or without reasoning, or tool calls and their results.
ANSWERS = st.one_of(st.tuples(TEXTS, st.none() | TEXTS), CALLS)
TURNS = st.lists(st.tuples(TEXTS, ANSWERS), max_size=3)


def build_messages(system: str | None, turns: list[Any], question: str | None) -> list[Message]:
    """Return the messages of a conversation; they end with a question or with tool results."""
    messages = [Message("system", (TextPart(system),))] if system else []
    for number, (prompt, answer) in enumerate(turns):
        messages.append(Message("user", (TextPart(prompt),)))
        if isinstance(answer, tuple):
            text, reasoning = answer
            reasoning_parts = (ReasoningPart(reasoning),) if reasoning else ()
            messages.append(Message("assistant", (*reasoning_parts, TextPart(text))))
        else:
            messages += build_tool_messages(number, answer)
    if question or messages[-1:] == [] or messages[-1].role != "tool":
        messages.append(Message("user", (TextPart(question or "And now?"),)))
    return messages


def build_tool_messages(number: int, calls: list[tuple[str, int, str]]) -> Iterator[Message]:
    """Yield a message with parallel tool calls, and their results."""
    parts = [
        ToolCallPart(f"call_{number}_{index}", name, json.dumps({"a": value}))
        for index, (name, value, _) in enumerate(calls)
    ]
    yield Message("assistant", tuple(parts))
    for part, (_, _, result) in zip(parts, calls, strict=True):
        yield Message("tool", (ToolResultPart(part.id, (TextPart(result),)),))


@pytest.fixture(scope="module")
def model() -> Iterator[ChatModel]:
    """Yield a model that is connected to the emulator."""
    with running() as emulator:
        yield connect(emulator)


def connect(emulator: Emulator) -> ChatModel:
    """Return a model that is connected to the emulator."""
    return ChatModel(emulator_settings(emulator))


def accumulate_stream(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """Return the accumulated response of a stream."""
    accumulator = ResponseAccumulator()
    for event in model.stream(request):
        accumulator.add(event)
    return accumulator.build_response()


def comparable(response: ChatResponse) -> tuple[Any, ...]:
    """Return what must not depend on the API: text, calls, finish reason and usage."""
    calls = [(call.name, json.loads(call.arguments)) for call in response.tool_calls]
    usage = response.usage
    assert usage is not None
    token_counts = (
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.cached_input_tokens,
    )
    return response.text, calls, response.finish_reason, token_counts


@settings(max_examples=30, deadline=None)
@given(
    system=st.none() | TEXTS,
    turns=TURNS,
    question=st.none() | TEXTS,
    name=st.sampled_from(MODELS),
    limit=st.sampled_from([3, 1_000]),
)
def test_every_api_returns_the_same_response(
    model: ChatModel,
    system: str | None,
    turns: list[Any],
    question: str | None,
    name: str,
    limit: int,
) -> None:
    """Text, calls, finish reason and usage are the same for every API, streamed or not."""
    messages = tuple(build_messages(system, turns, question))
    results = []
    for api in API_NAMES:
        request = ChatRequest(model=name, messages=messages, tools=TOOLS, max_tokens=limit, api=api)  # type: ignore[arg-type]  # a table
        response, streamed = model.generate(request), accumulate_stream(model, request)
        assert comparable(streamed) == comparable(response)
        assert streamed.reasoning == response.reasoning
        results.append(comparable(response))
    assert results[0] == results[1] == results[2]
    assert results[0][0] or results[0][1]
