"""Invalid chat requests raise a `UsageError` with the field when they are created."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, NamedTool, ToolSpec

HELLO = (Message("user", (TextPart("Hello"),)),)
NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
INTEGERS = ("max_tokens", "n", "seed", "top_logprobs")
STRINGS = ("reasoning_effort", "user", "service_tier", "prompt_cache_key")
LOOK_TOOL = ToolSpec("look")
INVALID: list[tuple[str, Any]] = [
    *[
        (name, value)
        for name in NUMBERS
        for value in ("1", True, [1], math.nan, math.inf, -math.inf)
    ],
    *[(name, value) for name in INTEGERS for value in ("1", True, 1.0, [1], math.nan)],
    *[(name, value) for name in STRINGS for value in (1, True, ["low"], b"low")],
    *[("temperature", value) for value in (-0.1, 2.1, 9, -(10**400))],
    *[("top_p", value) for value in (-0.1, 1.1, 3)],
    *[(name, value) for name in ("presence_penalty", "frequency_penalty") for value in (-3, 2.5)],
    *[(name, value) for name in ("max_tokens", "n", "max_turns") for value in (0, -5)],
    *[("top_logprobs", value) for value in (-1, 9)],
    ("model", ""),
    ("model", "  "),
    ("model", None),
    ("model", 4),
    ("messages", ()),
    ("messages", []),
    ("stop", "END"),
    ("stop", [""]),
    ("stop", ["a", ""]),
    ("stop", [1]),
    ("stop", [None]),
    ("include", "reasoning.encrypted_content"),
    ("include", [1]),
    ("tool_choice", NamedTool("look")),
]


@for_each(("name", "value"), INVALID)
def test_invalid_values_raise(name: str, value: Any) -> None:
    """A value of the wrong type or out of range raises an error that names the field."""
    with pytest.raises(UsageError) as raised:
        ChatRequest(**{"model": "m", "messages": HELLO, name: value})
    assert raised.value.field == name
    assert str(raised.value).startswith(f"{name}: ")


@given(st.floats(0, 1) | st.integers(0, 1), st.sampled_from(NUMBERS))
def test_every_number_in_range_is_accepted(value: float, name: str) -> None:
    """A number within xAI's range is unchanged."""
    options: dict[str, Any] = {name: value}
    assert getattr(ChatRequest(model="m", messages=HELLO, **options), name) == value


@for_each("parts", [(), (TextPart(""),), (TextPart(""), TextPart(""))])
@for_each("position", [0, 1])
def test_a_user_message_without_content_raises(parts: Any, position: int) -> None:
    """A user message without content raises an error with its position."""
    messages = [*HELLO]
    messages.insert(position, Message("user", parts))
    with pytest.raises(UsageError, match=rf"messages\[{position}\]: .*no content"):
        ChatRequest(model="m", messages=messages)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_messages_without_any_content_raise(role: Any) -> None:
    """Other messages may be empty, but one message must have content."""
    empty = Message(role, (TextPart(""),))
    ChatRequest(model="m", messages=[empty, *HELLO])
    with pytest.raises(UsageError, match="no message has content"):
        ChatRequest(model="m", messages=[empty])


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_tool_without_a_name_raises(name: Any) -> None:
    """A tool without a name raises an error."""
    with pytest.raises(UsageError, match="tools"):
        ToolSpec(name)


@for_each("parameters", [None, [], "x", 5])
def test_tool_parameters_must_be_an_object(parameters: Any) -> None:
    """Parameters that are not an object raise an error that names the tool."""
    with pytest.raises(UsageError, match="'look'"):
        ToolSpec("look", parameters=parameters)


def test_the_tool_choice_must_be_one_of_the_tools() -> None:
    """The choice of an unknown tool raises an error that lists the tools."""
    ChatRequest(model="m", messages=HELLO, tools=[LOOK_TOOL], tool_choice=NamedTool("look"))
    with pytest.raises(UsageError, match=r"'loook'.*look"):
        ChatRequest(model="m", messages=HELLO, tools=[LOOK_TOOL], tool_choice=NamedTool("loook"))
