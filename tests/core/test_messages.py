"""The Messages dialect: requests, unsupported options, responses and streams."""

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cases import for_each
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.messages.request import DEFAULT_MAX_TOKENS
from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest, NamedTool, ResponseFormat, ToolSpec

if TYPE_CHECKING:
    from xai_lowcode.types.events import StreamEvent

QUESTION = Message("user", (TextPart("?"),))
SCHEMA = {"type": "object", "properties": {}}
CALL = ToolCallPart("c", "add", '{"a":1}')


def render(**options: Any) -> dict[str, Any]:
    """Return the body of a request."""
    request = ChatRequest(**{"model": "grok-4.7", "messages": (QUESTION,), **options})
    return MESSAGES.render(request, stream=False)


def test_system_messages_and_tool_results() -> None:
    """System messages have their own field; consecutive tool results are one message."""
    body = render(
        messages=(
            Message("system", (TextPart("a"),)),
            QUESTION,
            Message(
                "assistant", (ReasoningPart("hm"), TextPart("yes"), CALL, replace(CALL, id="d"))
            ),
            Message("tool", (ToolResultPart("c", (TextPart("1"),)),)),
            Message("tool", (ToolResultPart("d", (TextPart("2"), ImagePart("https://x/a.png"))),)),
            Message("system", (TextPart("b"),)),
        )
    )
    assert body["system"] == "a\n\nb"
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS
    assert body["messages"] == [
        {"role": "user", "content": "?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "yes"},
                {"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "d", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c", "content": "1"},
                {
                    "type": "tool_result",
                    "tool_use_id": "d",
                    "content": [
                        {"type": "text", "text": "2"},
                        {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}},
                    ],
                },
            ],
        },
    ]


@for_each(
    ("options", "fields"),
    [
        ({"temperature": 0.5, "top_p": 0.1}, {"temperature": 0.5, "top_p": 0.1}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"stop": ("a", "b")}, {"stop_sequences": ["a", "b"]}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        (
            {"tools": (ToolSpec("add", "Adds.", SCHEMA),), "tool_choice": "required"},
            {
                "tools": [{"name": "add", "description": "Adds.", "input_schema": SCHEMA}],
                "tool_choice": {"type": "any"},
            },
        ),
        (
            {"tools": (ToolSpec("add", "", SCHEMA),), "tool_choice": NamedTool("add")},
            {
                "tools": [{"name": "add", "description": "", "input_schema": SCHEMA}],
                "tool_choice": {"type": "tool", "name": "add"},
            },
        ),
        ({"tools": (ToolSpec("add"),), "tool_choice": "none"}, {}),
        ({"extra": {"top_k": 3}}, {"top_k": 3}),
    ],
)
def test_options(options: dict[str, Any], fields: dict[str, Any]) -> None:
    """An option is sent under the name in this API; unset options are not sent."""
    body = render(**options)
    del body["messages"], body["model"]
    assert body == {"max_tokens": DEFAULT_MAX_TOKENS, **fields}


@for_each(
    ("options", "field"),
    [
        ({"n": 2}, "n"),
        ({"deferred": True}, "deferred"),
        ({"response_format": ResponseFormat()}, "response_format"),
        ({"messages": (Message("system", (ImagePart("https://x/a"),)),)}, "messages"),
        ({"messages": (Message("user", (ImagePart(file_id="f"),)),)}, "messages"),
        ({"messages": (Message("user", (CALL, CALL)),)}, "messages"),
        ({"messages": (Message("tool", (TextPart("x"),)),)}, "messages"),
    ],
)
def test_unsupported_options_and_parts(options: dict[str, Any], field: str) -> None:
    """Options and parts that the API does not support raise an error that names the field."""
    with pytest.raises(UsageError) as raised:
        render(**options)
    assert raised.value.field == field


def test_a_stream_accumulates_to_the_response() -> None:
    """Blocks without an index, and with a ping, accumulate to the parsed response."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "yes"},
        {"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1}},
    ]
    usage = {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 7}
    response_body = {
        "id": "m",
        "model": "grok",
        "content": blocks,
        "stop_reason": "tool_use",
        "usage": usage,
    }
    starts: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "c", "name": "add", "input": {}},
    ]
    deltas: list[list[dict[str, Any]]] = [
        [{"thinking": "h"}, {"thinking": "m"}, {"signature": "sig"}],
        [{"text": "ye"}, {"text": "s"}],
        [{"partial_json": '{"a"'}, {"partial_json": ":1}"}],
    ]
    decoder, accumulator = MESSAGES.decoder(), ResponseAccumulator()
    events: list[StreamEvent] = [
        *decoder.feed({"type": "message_start", "message": {"id": "m", "model": "grok"}}),
        *decoder.feed({"type": "ping"}),
    ]
    for start, block_deltas in zip(starts, deltas, strict=True):
        events += decoder.feed({"type": "content_block_start", "content_block": start})
        for delta in block_deltas:
            events += decoder.feed({"type": "content_block_delta", "delta": delta})
        events += decoder.feed({"type": "content_block_stop"})
    message_delta = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage}
    events += decoder.feed(message_delta)
    assert not decoder.complete
    events += decoder.feed({"type": "message_stop"})
    assert decoder.complete
    for event in events:
        accumulator.add(event)
    response = MESSAGES.parse(response_body)
    assert accumulator.build_response() == response
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.total_tokens) == (8, 15)


def test_a_response_without_content_is_invalid() -> None:
    """A body without content blocks is invalid."""
    with pytest.raises(InvalidResponseError):
        MESSAGES.parse({"content": "hi"})


@for_each(
    ("arguments", "rounded"),
    [
        ('{"wei": 25123456789012345678901}', True),
        ('{"a": [{"n": -9007199254740993}]}', True),
        ('{"n": 9007199254740992}', False),
        ('{"id": "25123456789012345678901", "x": 0.12345678901234567}', False),
        ("not JSON 25123456789012345678901", False),
    ],
)
def test_integers_that_the_gateway_rounds(arguments: str, *, rounded: bool) -> None:
    """Large integers in arguments are JSON numbers in this API only: the gateway rounds them."""
    call = ToolCallPart("c1", "pay", arguments)
    items = ({"type": "tool_use", "id": "c1", "name": "pay", "input": json.loads(arguments)},) if (
        arguments.startswith("{")
    ) else ()  # fmt: skip
    result = Message("tool", (ToolResultPart("c1", (TextPart("paid"),)),))
    for fields in ({}, {"items": items, "dialect": "messages"} if items else {}):
        messages = (
            Message("user", (TextPart("?"),)),
            Message("assistant", (call,), **fields),
            result,
        )
        request = ChatRequest(model="grok-4.7", messages=messages)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            MESSAGES.render(request, stream=False)
            assert len(caught) == rounded
            CHAT_COMPLETIONS.render(request, stream=False)
            assert len(caught) == rounded
        assert all("rounds integers" in str(warning.message) for warning in caught)
