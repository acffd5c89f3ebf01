"""A response with text and function calls can be sent back to every API."""

import json
from itertools import permutations
from typing import Any

import pytest

from tests.emulator.conftest import Send
from xai_lowcode.emulator import Emulator, Reply

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "add"}
TEXT: Json = {"type": "message", "role": "assistant", "content": "I add."}
REASONING: Json = {"type": "reasoning", "summary": []}
TOOL: Json = {"type": "function", "name": "add", "parameters": {"type": "object"}}


def call(call_id: str) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "add", "arguments": "{}"}


def output(call_id: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": "5"}


def test_items_of_a_response_in_any_order(send_responses: Send) -> None:
    """The items of one response are accepted in any order, before the results of its calls."""
    for items in permutations([REASONING, TEXT, call("1"), call("2"), TEXT]):
        given = [USER, *items, output("1"), output("2")]
        response = send_responses(given=given, tools=[TOOL])
        assert response.status_code == 200, (items, response.text)


@pytest.mark.parametrize("between", [USER, {**TEXT, "role": "system"}])
def test_other_messages_before_the_results(send_responses: Send, between: Json) -> None:
    """Between a call and its result, messages that are not the model's are refused."""
    response = send_responses(given=[USER, call("1"), TEXT, between, output("1")])
    assert response.status_code == 400
    assert "No tool output found" in response.text


@pytest.mark.parametrize("stream", [False, True])
def test_output_is_valid_input(gateway: Emulator, send_responses: Send, stream: bool) -> None:
    """The output of a scripted reply with text and calls is accepted as the next input."""
    gateway.reply(Reply("I add.", tool_calls=[("add", {}), ("add", {})]))
    response = send_responses(given=[USER], tools=[TOOL], stream=stream)
    if stream:
        events = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
        body = json.loads(events[-1])["response"]
    else:
        body = response.json()["result"]
    results = [output(item["call_id"]) for item in body["output"] if "call_id" in item]
    assert len(results) == 2
    response = send_responses(given=[USER, *body["output"], *results], tools=[TOOL])
    assert response.status_code == 200, response.text
