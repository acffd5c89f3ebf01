"""Laws of all recorded chat responses, plain and streamed, without a network.

``rendering`` makes a stream of each plain response, and a plain response of each stream, without
the code under test.
"""

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import LAWS, bodies_of_law, for_law, table
from tests.recorded.parsing import DIALECTS, cut_at, events_in, parse, read, sent_back
from tests.recorded.rendering import block_of, blocks_of, data_of, plain_of
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import InvalidResponseError, StreamInterruptedError
from xai_lowcode.types.responses import ChatResponse

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

Json = dict[str, Any]
SIZES = (1, 7, 61, 1_000)
# Larger streams are cut at some offsets only, and at each of the last bytes.
LARGE = 20_000
OFFSETS = 12
LAST = 16


def test_every_body_has_a_law() -> None:
    """Each recorded body has a law, and each law has a body and a test."""
    covered = {case.file for law in LAWS for case in bodies_of_law(law)}
    assert {case.file for case in cases()} - covered == set()
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert [law for law in LAWS if not any(f'_law("{law}")' in text for text in texts)] == []
    assert [law for law in LAWS if not bodies_of_law(law)] == []
    assert len(table().splitlines()) == len(LAWS) + 2


@for_law("folded")
def test_plain_equals_folded_stream(case: Case) -> None:
    """A stream accumulates to the plain response, with each field equal."""
    streamed = read(case.api, [b"".join(blocks_of(case))])
    assert streamed == parse(case.api, plain_of(case))


@for_law("any cut")
def test_any_cut_gives_the_same_events(case: Case) -> None:
    """Events depend on the bytes, not on the chunks in which they arrive."""
    content = b"".join(blocks_of(case))
    whole = events_in(case.api, [content])
    assert events_in(case.api, blocks_of(case)) == whole
    for size in SIZES if len(content) <= LARGE else SIZES[1:]:
        assert events_in(case.api, cut_at(content, range(size, len(content), size))) == whole


@for_law("sent back")
def test_output_is_sent_back_unchanged(case: Case) -> None:
    """Output items are sent back unchanged and in order, from streams and plain responses."""
    body = plain_of(case)
    for reply in (parse(case.api, body), read(case.api, blocks_of(case))):
        sent = sent_back(case.api, reply)
        match case.api:
            case "responses":
                assert serialize(sent["input"][1 : 1 + len(body["output"])]) == serialize(
                    body["output"]
                )
            case "messages":
                assert serialize(sent["messages"][1]["content"]) == serialize(body["content"])
            case _:
                check_turn(sent["messages"][1], body["choices"][0]["message"])


def check_turn(sent: Json, message: Json) -> None:
    """Check that the message has the text, reasoning and tool calls of the response."""
    calls = [{**call} for call in message.get("tool_calls") or ()]
    for call in calls:
        call.pop("index", None)
    assert sent["content"] == (message["content"] or "")
    assert sent.get("reasoning_content") == (message.get("reasoning_content") or None)
    assert [sorted(call.items()) for call in sent.get("tool_calls", [])] == [
        sorted(call.items()) for call in calls
    ]


def serialize(document: Any) -> str:
    """Return a document as text, in which the order of keys counts."""
    return json.dumps(document)


@for_law("usage")
def test_usage_adds_up(case: Case) -> None:
    """Input and output tokens add up to the total and include their details, in each API."""
    for reply in (parse(case.api, plain_of(case)), read(case.api, blocks_of(case))):
        used = reply.usage
        assert used is not None
        assert (used.input_tokens, used.output_tokens, used.total_tokens) == COUNTERS[case.api](
            plain_of(case)["usage"]
        )
        assert used.input_tokens + used.output_tokens == used.total_tokens
        assert (used.cached_input_tokens or 0) <= used.input_tokens
        assert (used.reasoning_tokens or 0) <= used.output_tokens


def count_chat(usage: Json) -> tuple[int, int, int]:
    """Count reasoning tokens in addition to the completion tokens."""
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    return usage["prompt_tokens"], usage["completion_tokens"] + reasoning, usage["total_tokens"]


def count_message(usage: Json) -> tuple[int, int, int]:
    """Count cached tokens in addition to the input; reasoning is part of the output."""
    extra_tokens = ("cache_creation_input_tokens", "cache_read_input_tokens")
    input_tokens = usage["input_tokens"] + sum(usage[name] for name in extra_tokens)
    return input_tokens, usage["output_tokens"], input_tokens + usage["output_tokens"]


def count_response(usage: Json) -> tuple[int, int, int]:
    """Count the totals; in two published examples reasoning is not part of the output."""
    if "prompt_tokens" in usage:
        return count_chat(usage)
    reasoning = usage["output_tokens_details"]["reasoning_tokens"]
    extra_tokens = reasoning if reasoning > usage["output_tokens"] else 0
    return usage["input_tokens"], usage["output_tokens"] + extra_tokens, usage["total_tokens"]


COUNTERS = {
    "chat_completions": count_chat,
    "messages": count_message,
    "responses": count_response,
}


@for_law("interrupted")
def test_an_interrupted_stream_raises(case: Case) -> None:
    """A stream that is cut before its terminal event, at any event or byte, raises."""
    content = b"".join(blocks_of(case))
    end = end_of_response(case)
    boundaries = [match.end() for match in re.finditer(rb"\n\n", content[: end - 1])]
    offsets = {*sample(range(end)), *sample(boundaries), *range(max(0, end - LAST), end)}
    reader, before = StreamReader(DIALECTS[case.api]), 0
    for place in sorted(offsets):
        # A copy of the reader at this offset: each beginning is not read again.
        list(reader.feed(content[before:place]))
        before = place
        with pytest.raises(InvalidResponseError) as raised:
            list(deepcopy(reader).close())
        has_event = content.find(b"\n\n") < place
        assert isinstance(raised.value, StreamInterruptedError) or not has_event
    assert read(case.api, [content[:end]]).text == parse(case.api, plain_of(case)).text


def sample(offsets: Sequence[int]) -> Sequence[int]:
    """Return about ``OFFSETS`` of the offsets, from the first one on."""
    return offsets[:: max(1, len(offsets) // OFFSETS)]


def end_of_response(case: Case) -> int:
    """Return the offset where the JSON ends that completes the (last) choice."""
    blocks = blocks_of(case)
    if case.api == "chat_completions":
        number = max(n for n, block in enumerate(blocks) if b'"finish_reason":"' in block)
    else:
        number = len(blocks) - 1
    return len(b"".join(blocks[: number + 1]).rstrip())


UNKNOWN: Json = {"brand_new": {"data": [1, None, {"text": "x"}]}, "novel": None}
ITEM = {"type": "brand_new_item", "id": "n1", "status": "completed", "content": [{"type": "new"}]}
BLOCK = {"type": "brand_new", "payload": {"a": [1]}}


def facts(reply: ChatResponse) -> tuple[Any, ...]:
    """Return what unknown fields must not change."""
    calls = [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    content = (reply.text, reply.reasoning, calls, reply.finish_reason)
    return (*content, reply.usage, reply.citations, reply.id, reply.model, reply.choices[0].refusal)


@for_law("unknown fields")
def test_unknown_events_are_ignored(case: Case) -> None:
    """Events and comments of unknown types, anywhere, change nothing but ``extra``."""
    blocks = blocks_of(case)
    whole = read(case.api, blocks)
    for place in {*sample(range(len(blocks))), len(blocks)}:
        mixed = [*blocks[:place], *unknown_blocks(case), *blocks[place:]]
        assert replace(read(case.api, mixed), extra=whole.extra) == whole
    everywhere = [piece for block in blocks for piece in (*unknown_blocks(case), block)]
    assert replace(read(case.api, everywhere), extra=whole.extra) == whole


def unknown_blocks(case: Case) -> list[bytes]:
    """Return unknown events and comments that xAI might send."""
    events: list[Json] = [{"type": "brand.new", **UNKNOWN}, {"type": "ping"}]
    if case.api == "chat_completions":
        events = [{"object": "chat.completion.novelty", **UNKNOWN}, {"choices": [], **UNKNOWN}]
    blocks = [block_of(event, named=case.api != "chat_completions") for event in events]
    return [b": still here\n\n", b"retry: 5\nid: 3\n\n", b"event: new\ndata:\n\n", *blocks]


@for_law("unknown fields")
def test_unknown_fields_are_kept_or_ignored(case: Case) -> None:
    """New fields in every object change nothing, and output items keep theirs."""
    blocks = [
        block if data is None else block_of(with_unknown_fields(data), named=False)
        for block, data in zip(blocks_of(case), map(data_of, blocks_of(case)), strict=True)
    ]
    for reply, extended in (
        (parse(case.api, plain_of(case)), parse(case.api, with_unknown_fields(plain_of(case)))),
        (read(case.api, blocks_of(case)), read(case.api, blocks)),
    ):
        assert facts(extended) == facts(reply)
        items = extended.choices[0].items
        assert [without_unknown_fields(item) for item in items] == list(reply.choices[0].items)
        assert all(UNKNOWN.items() <= item.items() for item in items)


def with_unknown_fields(value: Any) -> Any:
    """Return the value with unknown fields in every object but the arguments of tool calls."""
    if isinstance(value, dict):
        fields = {
            key: each if key == "input" else with_unknown_fields(each)
            for key, each in value.items()
        }
        return fields | UNKNOWN
    return [with_unknown_fields(each) for each in value] if isinstance(value, list) else value


def without_unknown_fields(value: Any) -> Any:
    """Return the value without the unknown fields."""
    if isinstance(value, dict):
        return {
            key: without_unknown_fields(each) for key, each in value.items() if key not in UNKNOWN
        }
    return [without_unknown_fields(each) for each in value] if isinstance(value, list) else value


@for_law("unknown fields")
def test_unknown_items_are_kept(case: Case) -> None:
    """Output items and content blocks of a new type are kept at their position."""
    key, item = {"responses": ("output", ITEM), "messages": ("content", BLOCK)}.get(
        case.api, ("choices", {})
    )
    body = plain_of(case)
    for place in range(len(body[key]) + 1) if item else ():
        extended = {**body, key: [*body[key][:place], item, *body[key][place:]]}
        extended_case = Case(
            case.file, json.dumps(extended).encode(), {**case.row, "stream": False}
        )
        for reply in (parse(case.api, extended), read(case.api, blocks_of(extended_case))):
            assert facts(reply) == facts(parse(case.api, body))
            assert list(reply.choices[0].items) == extended[key]
            sent = sent_back(case.api, reply)
            assert item in (sent.get("input") or sent["messages"][1]["content"])


@for_law("folded")
def test_text_without_deltas_is_kept(case: Case) -> None:
    """The text is read from the done event of its item, or from the terminal event."""
    if case.api != "responses":
        pytest.skip("only Responses repeat the text")
    plain = parse(case.api, plain_of(case))
    for omitted in ("delta", "delta|output_item|content_part|output_text"):
        event = re.compile(rf'"type": ?"response\.[a-z_.]*(?:{omitted})'.encode())
        remaining = [block for block in blocks_of(case) if event.search(block) is None]
        streamed = read(case.api, [b"".join(remaining)])
        assert (streamed.text, streamed.tool_calls) == (plain.text, plain.tool_calls)
