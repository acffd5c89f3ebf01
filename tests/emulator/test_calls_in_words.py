"""Agents that describe a text protocol to the system are answered in it, by the same decisions."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., httpx.Response]
Json = dict[str, Any]

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
REACT = f"""You can use these tools:
> Tool Name: multiply
Tool Description: multiply(a: int, b: int) -> int
Multiply two numbers.
Tool Args: {json.dumps(SCHEMA)}

> Tool Name: weather
Tool Description: weather(city: str) -> str
Weather of a city.
Tool Args: {{"type": "object", "properties": {{"city": {{"type": "string"}}}}}}

Use the following format:
Thought: what you think
Action: tool name
Action Input: the input, such as {{"input": "hello"}}
"""
CODE = '''Write code between <execute> and </execute>:
<execute>
def area(radius):
    return radius**2
</execute>
You can use the following functions:
def multiply(a: int, b: int) -> int:
  """
Multiply two numbers.
  """

  ...


def weather(city: str = "Rome"):
  ...
'''
MULTIPLY = "multiply 6 and 7"
CASES = {
    "react": (
        REACT,
        (
            "Thought: I need a tool to help me answer the question.\nAction: multiply\n"
            'Action Input: {"a":6,"b":7}'
        ),
        "Observation: 42",
        "Thought: I can answer without using any more tools.\nAnswer: ",
    ),
    "code": (
        CODE,
        "<execute>\nprint(multiply(a=6, b=7))\n</execute>",
        "Result of executing the code given:\n\n42",
        "",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[str, str, str, str]:
    """Each protocol in turn: how it is described, a call, its result, and how answers begin."""
    return CASES[request.param]


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    message = answer.json()["result"]["choices"][0]["message"]
    assert "tool_calls" not in message
    return str(message["content"])


def messages(*texts: str) -> list[Json]:
    roles = ("system", *["user", "assistant"] * len(texts))
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


def test_a_call_its_result_and_the_answer(ask: Ask, case: tuple[str, ...]) -> None:
    """A tool that is spoken of is called in the words of the protocol; then comes the answer."""
    described, call, result, lead = case
    assert said(ask(messages=messages(described, MULTIPLY))) == call
    answer = said(ask(messages=messages(described, MULTIPLY, call, result)))
    assert answer == f'{lead}The tools found: 42. That is what I can tell you about "{MULTIPLY}".'


def test_no_tool_is_spoken_of(ask: Ask, case: tuple[str, ...]) -> None:
    """What needs no tool is answered at once, whatever schemas the prompt holds."""
    described, _, _, lead = case
    assert said(ask(messages=messages(described, "Hello"))).startswith(f"{lead}Hello! You wrote")


def test_one_call_at_a_time(ask: Ask, case: tuple[str, ...]) -> None:
    """Words hold one call, also where two tools are spoken of."""
    asked = said(ask(messages=messages(case[0], f"{MULTIPLY}, and the weather in Paris")))
    assert asked == case[1]


def test_stop_strings_hold_for_the_words(ask: Ask, case: tuple[str, ...]) -> None:
    """Stop strings and limits count for all that is written."""
    described, call, _, _ = case
    stopped = ask(model="grok-3", stop=["multiply"], messages=messages(described, MULTIPLY))
    assert said(stopped) == call.partition("multiply")[0]
    limited = ask(max_tokens=2, messages=messages(described, MULTIPLY))
    assert call.startswith(said(limited))
    assert limited.json()["result"]["choices"][0]["finish_reason"] == "length"


def test_real_tools_win(ask: Ask, case: tuple[str, ...]) -> None:
    """A request with tools of its own is answered with calls of those."""
    function = {"name": "multiply", "parameters": SCHEMA}
    answer = ask(
        tools=[{"type": "function", "function": function}], messages=messages(case[0], MULTIPLY)
    )
    assert answer.json()["result"]["choices"][0]["message"]["tool_calls"]


def test_without_a_description_nothing_changes(ask: Ask) -> None:
    """The words of a protocol in what a user says do not start it."""
    answer = said(ask(messages=[{"role": "user", "content": "Thought: Action: Action Input:"}]))
    assert answer.startswith("Hello!")
