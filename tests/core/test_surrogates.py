"""Surrogate pairs that are split into two chunks are joined; lone ones become U+FFFD."""

import json
from itertools import product
from typing import Any

import pytest

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialect_selection import get_dialect
from xai_lowcode.chat.stream_reader import StreamReader

HIGH, LOW = "\ud83d", "\ude00"
# Deltas of a text, and the resulting text.
TEXTS: list[tuple[list[str], str]] = [
    (["a", HIGH, LOW, "b"], "a\U0001f600b"),
    (["a" + HIGH, LOW + "b"], "a\U0001f600b"),
    ([HIGH + LOW], "\U0001f600"),
    (["a" + HIGH], "a\ufffd"),
    ([HIGH, "b"], "\ufffdb"),
    ([LOW, "b"], "\ufffdb"),
    ([HIGH, HIGH + LOW], "\ufffd\U0001f600"),
]


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    """Return one SSE event; JSON escapes the surrogates."""
    body = {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


@pytest.mark.parametrize("field", ["content", "reasoning_content", "arguments"])
def test_surrogates_are_joined(field: str) -> None:
    """Text, reasoning content and tool arguments have no lone surrogates, in any split."""
    for (deltas_of_text, expected), has_end_marker in product(TEXTS, [False, True]):
        if field == "arguments":
            start = {"index": 0, "id": "c", "type": "function", "function": {"name": "f"}}
            deltas: list[Any] = [{"tool_calls": [start]}]
            deltas += [
                {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
                for part in deltas_of_text
            ]
        else:
            deltas = [{field: part} for part in deltas_of_text]
        stream = b"".join(map(chunk, deltas)) + chunk({}, "stop")
        stream += b"data: [DONE]\n\n" if has_end_marker else b""
        reader, accumulator = StreamReader(get_dialect("chat_completions")), ResponseAccumulator()
        for event in [*reader.feed(stream), *reader.close()]:
            assert json.dumps(event.raw, ensure_ascii=False).encode()
            accumulator.add(event)
        choice = accumulator.build_response().choices[0]
        texts = {
            "content": choice.text,
            "reasoning_content": choice.reasoning,
            "arguments": "".join(call.arguments for call in choice.tool_calls),
        }
        assert texts[field] == expected, deltas_of_text
