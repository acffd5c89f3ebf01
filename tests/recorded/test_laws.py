"""Laws of every recorded answer in every API, streamed and plain, without a network.

A plain answer is read as a stream too, and a stream as a plain answer: ``rendering`` writes the
one from the other, with none of the code that is tested.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import LAWS, bodies_under, table, under
from tests.recorded.parsing import cut_at, events_in, parse, read, sent_back
from tests.recorded.rendering import block_of, blocks_of, data_of, plain_of
from xai_lowcode.errors import InvalidResponseError, StreamInterruptedError
from xai_lowcode.types.responses import ChatResponse

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

Json = dict[str, Any]
SIZES = (1, 7, 61, 1_000)
# Of larger streams every so many places are tried, and each of the last bytes.
LARGE = 20_000
PLACES = 12
LAST = 16


def test_every_body_is_under_a_law() -> None:
    """No recorded body is left out, and no law is without a body or without a test."""
    ruled = {case.file for law in LAWS for case in bodies_under(law)}
    assert {case.file for case in cases()} - ruled == set()
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert [law for law in LAWS if not any(f'under("{law}")' in text for text in texts)] == []
    assert [law for law in LAWS if not bodies_under(law)] == []
    assert len(table().splitlines()) == len(LAWS) + 2


@under("folded")
def test_plain_equals_folded_stream(case: Case) -> None:
    """What a stream folds into is what the plain answer says, in every member of the reply."""
    streamed = read(case.form, [b"".join(blocks_of(case))])
    assert streamed == parse(case.form, plain_of(case))


@under("any cut")
def test_any_cut_gives_the_same_events(case: Case) -> None:
    """Events depend on the bytes, not on the pieces they come in."""
    content = b"".join(blocks_of(case))
    whole = events_in(case.form, [content])
    assert events_in(case.form, blocks_of(case)) == whole
    for size in SIZES if len(content) <= LARGE else SIZES[1:]:
        assert events_in(case.form, cut_at(content, range(size, len(content), size))) == whole


@under("sent back")
def test_an_answer_goes_back_byte_for_byte(case: Case) -> None:
    """Output items are sent back unchanged and in order, from streams and plain responses."""
    body = plain_of(case)
    for reply in (parse(case.form, body), read(case.form, blocks_of(case))):
        sent = sent_back(case.form, reply)
        match case.form:
            case "responses":
                assert written(sent["input"][1 : 1 + len(body["output"])]) == written(
                    body["output"]
                )
            case "messages":
                assert written(sent["messages"][1]["content"]) == written(body["content"])
            case _:
                check_turn(sent["messages"][1], body["choices"][0]["message"])


def check_turn(sent: Json, said: Json) -> None:
    """A chat's turn has the text, reasoning and calls that were said."""
    calls = [{**call} for call in said.get("tool_calls") or ()]
    for call in calls:
        call.pop("index", None)
    assert sent["content"] == (said["content"] or "")
    assert sent.get("reasoning_content") == (said.get("reasoning_content") or None)
    assert [sorted(call.items()) for call in sent.get("tool_calls", [])] == [
        sorted(call.items()) for call in calls
    ]


def written(document: Any) -> str:
    """A document as bytes would have it: the order of members counts."""
    return json.dumps(document)


@under("usage")
def test_usage_adds_up(case: Case) -> None:
    """Whatever the form counts where: input and output are the total, with their parts inside."""
    for reply in (parse(case.form, plain_of(case)), read(case.form, blocks_of(case))):
        used = reply.usage
        assert used is not None
        assert (used.input_tokens, used.output_tokens, used.total_tokens) == ACCOUNTS[case.form](
            plain_of(case)["usage"]
        )
        assert used.input_tokens + used.output_tokens == used.total_tokens
        assert (used.cached_input_tokens or 0) <= used.input_tokens
        assert (used.reasoning_tokens or 0) <= used.output_tokens


def count_chat(usage: Json) -> tuple[int, int, int]:
    """Reasoning stand beside the completion."""
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    return usage["prompt_tokens"], usage["completion_tokens"] + thought, usage["total_tokens"]


def count_message(usage: Json) -> tuple[int, int, int]:
    """What comes from the cache stands beside the input, reasoning inside the output."""
    beside = ("cache_creation_input_tokens", "cache_read_input_tokens")
    tokens_in = usage["input_tokens"] + sum(usage[name] for name in beside)
    return tokens_in, usage["output_tokens"], tokens_in + usage["output_tokens"]


def count_response(usage: Json) -> tuple[int, int, int]:
    """Everything is inside, but for two published examples, where reasoning stand beside."""
    if "prompt_tokens" in usage:
        return count_chat(usage)
    thought = usage["output_tokens_details"]["reasoning_tokens"]
    beside = thought if thought > usage["output_tokens"] else 0
    return usage["input_tokens"], usage["output_tokens"] + beside, usage["total_tokens"]


ACCOUNTS = {
    "chat_completions": count_chat,
    "messages": count_message,
    "responses": count_response,
}


@under("broken off")
def test_a_stream_that_breaks_off_raises(case: Case) -> None:
    """Cut at any event or byte before what closes it, a stream is never a whole answer."""
    content = b"".join(blocks_of(case))
    end = closing(case)
    borders = [place + 2 for place in range(end - 2) if content.startswith(b"\n\n", place)]
    places = {*thin(range(end)), *thin(borders), *range(max(0, end - LAST), end)}
    for place in places:
        with pytest.raises(InvalidResponseError) as raised:
            read(case.form, [content[:place]])
        said_something = content.find(b"\n\n") < place
        assert isinstance(raised.value, StreamInterruptedError) or not said_something
    assert read(case.form, [content[:end]]).text == parse(case.form, plain_of(case)).text


def thin(places: Sequence[int]) -> Sequence[int]:
    """About so many of the places, from the first on."""
    return places[:: max(1, len(places) // PLACES)]


def closing(case: Case) -> int:
    """Where the JSON ends with which an answer is complete; of several answers, the last one's."""
    blocks = blocks_of(case)
    if case.form == "chat_completions":
        number = max(n for n, block in enumerate(blocks) if b'"finish_reason":"' in block)
    else:
        number = len(blocks) - 1
    return len(b"".join(blocks[: number + 1]).rstrip())


STRANGER: Json = {"brand_new": {"data": [1, None, {"text": "x"}]}, "novel": None}
ITEM = {"type": "brand_new_item", "id": "n1", "status": "completed", "content": [{"type": "new"}]}
BLOCK = {"type": "brand_new", "payload": {"a": [1]}}


def facts(reply: ChatResponse) -> tuple[Any, ...]:
    """What strangers must not change."""
    calls = [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    said = (reply.text, reply.reasoning, calls, reply.finish_reason)
    return (*said, reply.usage, reply.citations, reply.id, reply.model, reply.choices[0].refusal)


@under("strangers")
def test_unknown_events_are_passed_over(case: Case) -> None:
    """Events and comments of unknown types, anywhere, change nothing but ``extra``."""
    blocks = blocks_of(case)
    whole = read(case.form, blocks)
    for place in {*thin(range(len(blocks))), len(blocks)}:
        mixed = [*blocks[:place], *strange_blocks(case), *blocks[place:]]
        assert replace(read(case.form, mixed), extra=whole.extra) == whole
    everywhere = [piece for block in blocks for piece in (*strange_blocks(case), block)]
    assert replace(read(case.form, everywhere), extra=whole.extra) == whole


def strange_blocks(case: Case) -> list[bytes]:
    """What a service might put between its events."""
    events: list[Json] = [{"type": "brand.new", **STRANGER}, {"type": "ping"}]
    if case.form == "chat_completions":
        events = [{"object": "chat.completion.novelty", **STRANGER}, {"choices": [], **STRANGER}]
    blocks = [block_of(event, named=case.form != "chat_completions") for event in events]
    return [b": still here\n\n", b"retry: 5\nid: 3\n\n", b"event: new\ndata:\n\n", *blocks]


@under("strangers")
def test_unknown_members_are_carried_or_passed_over(case: Case) -> None:
    """With new members in every object nothing is lost, and items keep theirs."""
    blocks = [block if data is None else block_of(crowded(data), named=False) for block, data in
              zip(blocks_of(case), map(data_of, blocks_of(case)), strict=True)]  # fmt: skip
    for reply, crowd in (
        (parse(case.form, plain_of(case)), parse(case.form, crowded(plain_of(case)))),
        (read(case.form, blocks_of(case)), read(case.form, blocks)),
    ):
        assert facts(crowd) == facts(reply)
        items = crowd.choices[0].items
        assert [thinned(item) for item in items] == list(reply.choices[0].items)
        assert all(STRANGER.items() <= item.items() for item in items)


def crowded(value: Any) -> Any:
    """The same with strangers in every object; arguments of calls are nobody's but the caller's."""
    if isinstance(value, dict):
        held = {key: each if key == "input" else crowded(each) for key, each in value.items()}
        return held | STRANGER
    return [crowded(each) for each in value] if isinstance(value, list) else value


def thinned(value: Any) -> Any:
    """The same without the strangers."""
    if isinstance(value, dict):
        return {key: thinned(each) for key, each in value.items() if key not in STRANGER}
    return [thinned(each) for each in value] if isinstance(value, list) else value


@under("strangers")
def test_unknown_items_are_carried(case: Case) -> None:
    """Items and blocks of a new type, before, between and after, are kept in their place."""
    member, item = {"responses": ("output", ITEM), "messages": ("content", BLOCK)}.get(
        case.form, ("choices", {})
    )
    body = plain_of(case)
    for place in range(len(body[member]) + 1) if item else ():
        grown = {**body, member: [*body[member][:place], item, *body[member][place:]]}
        told = Case(case.file, json.dumps(grown).encode(), {**case.row, "stream": False})
        for reply in (parse(case.form, grown), read(case.form, blocks_of(told))):
            assert facts(reply) == facts(parse(case.form, body))
            assert list(reply.choices[0].items) == grown[member]
            sent = sent_back(case.form, reply)
            assert item in (sent.get("input") or sent["messages"][1]["content"])


@under("folded")
def test_a_text_without_deltas_is_not_lost(case: Case) -> None:
    """The done event of its item has it, or the terminal event if no item was sent."""
    if case.form != "responses":
        pytest.skip("only Responses repeat the text")
    plain = parse(case.form, plain_of(case))
    for omitted in ("delta", "delta|output_item|content_part|output_text"):
        event = re.compile(rf'"type": ?"response\.[a-z_.]*(?:{omitted})'.encode())
        kept = [block for block in blocks_of(case) if event.search(block) is None]
        streamed = read(case.form, [b"".join(kept)])
        assert (streamed.text, streamed.tool_calls) == (plain.text, plain.tool_calls)
