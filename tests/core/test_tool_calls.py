"""A tool call is run only if it is complete, with the same arguments plain and streamed.

The arguments are truncated at every character, with every finish reason, and streamed in deltas of
several sizes. LangChain's chunks add up to the message of the plain response; LlamaIndex's last
response has the tool calls of the plain one.
"""

import contextlib
import json
import warnings
from collections.abc import Iterator
from functools import partial, reduce
from operator import add
from typing import Any

import pytest
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_core.utils.json import parse_partial_json

from langchain_xai_lowcode._output import to_result
from langchain_xai_lowcode._stream import ChunkBuilder
from llama_index_xai_lowcode import XAILowCode
from llama_index_xai_lowcode._request import PreparedRequest
from llama_index_xai_lowcode._responses import to_response
from llama_index_xai_lowcode._stream import ResponseBuilder
from xai_lowcode.chat.tool_calls import invalidating_suffix, parse_tool_calls
from xai_lowcode.types.events import ChoiceFinished, ResponseStarted, StreamEvent, ToolCallDelta
from xai_lowcode.types.messages import Message, TextPart, ToolCallPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, Choice, normalize_finish_reason

REASONS = ("tool_calls", "length", "content_filter")
COMPLETE = (
    '{"path": "a b", "lines": ["one\\n", "two \\"2\\" \\\\"], "n": 1250, "o": {"x": [1, {}]}}',
    '{"code": "print(1)\n\tprint(2)"}',
    '{"wei": 25123456789012345678901, "e": 1.5e3, "t": true}',
    "{}",
    "",
    "  ",
    "\n\n",
    "\ufeff{}",
    '\r\n\t {"x": 1} ',
)
INVALID = ('["x"]', "null", '"x"', '{"c": 1}{"c": 1}', "{'a': 1}", "a.txt", "3")
PREPARED = PreparedRequest(
    ChatRequest(model="grok-4.7", messages=[Message("user", (TextPart("x"),))]), {}
)


# Sizes of the deltas of streamed arguments; the last one is that of all arguments.
SIZES = (1, 3, 10**6)
NOT_TRUNCATED = len(REASONS) * len((*COMPLETE, *INVALID))


def generate_cases() -> Iterator[tuple[str, str]]:
    """Yield arguments and the finish reason of their response."""
    for reason in REASONS:
        for arguments in (*COMPLETE, *INVALID):
            yield arguments, reason
    for arguments in COMPLETE[:3]:
        for end in range(1, len(arguments)):
            for reason in REASONS:
                yield arguments[:end], reason


def create_response(arguments: str, reason: str) -> ChatResponse:
    """Return a plain response with two tool calls, the second one with the arguments."""
    calls = (ToolCallPart("c1", "f", '{"a": 1}'), ToolCallPart("c2", "g", arguments))
    finish = normalize_finish_reason(reason, has_calls=True)
    return ChatResponse(choices=(Choice(calls, finish),), model="grok-4.7", id="r1")


def create_events(arguments: str, reason: str, size: int) -> Iterator[StreamEvent]:
    """Yield the events of the same response, with arguments in deltas of a size."""
    yield ResponseStarted("r1", "grok-4.7")
    for index, (call_id, name, text) in enumerate(
        (("c1", "f", '{"a": 1}'), ("c2", "g", arguments))
    ):
        yield ToolCallDelta(index, call_id, name, "")
        for start in range(0, len(text), size):
            yield ToolCallDelta(index, arguments=text[start : start + size])
    yield ChoiceFinished(normalize_finish_reason(reason, has_calls=True))


def get_tool_calls(message: Any) -> tuple[list[Any], list[str]]:
    """Return valid tool calls, and the ids of invalid ones."""
    valid = [(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    return valid, [call["id"] for call in message.invalid_tool_calls]


def test_langchain_runs_complete_calls_only() -> None:
    """Plain and streamed messages have the same valid and invalid tool calls."""
    for number, (arguments, reason) in enumerate(generate_cases()):
        response = create_response(arguments, reason)
        plain = to_result(response, PREPARED.request, with_headers=False).generations[0].message
        expected = get_tool_calls(plain)
        # Arguments truncated at one character have each finish reason once and each size once; at
        # three characters, each reason with each size.
        size_of_truncated = SIZES[(number % 3 + number // 3) % 3]
        for size in SIZES if number < NOT_TRUNCATED else [size_of_truncated]:
            builder = ChunkBuilder(PREPARED.request)
            events = create_events(arguments, reason, size)
            chunks = [chunk for chunk in map(builder.feed, events) if chunk is not None]
            # Adding single characters one by one would take most of the time of this test.
            merge = merge_chat_generation_chunks if size == 1 else partial(reduce, add)
            streamed = merge([*chunks, *builder.end()]).message
            assert get_tool_calls(streamed) == expected, (arguments, reason, size)
        assert plain.response_metadata["finish_reason"] == reason


def test_llama_index_runs_complete_calls_only() -> None:
    """A call with invalid arguments warns; it is omitted if truncated, else it cannot run."""
    llm = XAILowCode(api_token="at_r" + "0" * 32)

    def get_selections(response: Any) -> Any:
        calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        return [(call.tool_id, call.tool_name, call.tool_kwargs) for call in calls]

    for arguments, reason in generate_cases():
        parsed = parse_tool_calls([ToolCallPart("c2", "g", arguments)], reason)[0]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plain = get_selections(to_response(create_response(arguments, reason), PREPARED))
            builder = ResponseBuilder(PREPARED)
            for event in create_events(arguments, reason, 3):
                builder.add(event)
            streamed = get_selections(builder.build_final())
        first = ("c1", "f", {"a": 1})
        if parsed.arguments is not None:
            expected: Any = [first, ("c2", "g", parsed.arguments)]
        else:
            error = (
                f"The tool was not run: its arguments are not a valid JSON object. {parsed.error}"
            )
            error = error.replace("The arguments are not a valid JSON object: ", "")
            rejected = {"self": error, "invalid_arguments": arguments}
            expected = [first, *([("c2", "g", rejected)] if reason == "tool_calls" else [])]
        assert plain == streamed == expected, (arguments, reason)
        assert bool(caught) == (parsed.arguments is None)


@pytest.mark.parametrize("reason", REASONS)
def test_the_error_of_a_truncated_call(reason: str) -> None:
    """The error of a truncated call names max_tokens, and the finish reason is unchanged."""
    (parsed,) = parse_tool_calls([ToolCallPart("c", "f", '{"a": 1')], reason)
    assert ("max_tokens" in parsed.error) == (reason == "length")
    assert normalize_finish_reason(reason, has_calls=True) == reason


def test_the_suffix_makes_arguments_invalid() -> None:
    """LangChain cannot repair arguments with the suffix, truncated at any character."""
    for arguments in COMPLETE:
        for end in range(len(arguments) + 1):
            text = arguments[:end]
            repaired = None
            with contextlib.suppress(json.JSONDecodeError):
                repaired = parse_partial_json(text + invalidating_suffix(text))
            assert not isinstance(repaired, dict), text
