"""Law: every recorded response, plain and streamed, gives the facts of the index, in any cut.

Without a network: the reading of streams from sockets is the same for every wire form.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.wire import WIRE
from xai_lowcode.conversation import ChatRequest, Message, ServerToolPart, TextPart, ToolResultPart
from xai_lowcode.dialects.responses import Responses
from xai_lowcode.errors import StreamInterruptedError
from xai_lowcode.events import Assembler
from xai_lowcode.reply import Reply
from xai_lowcode.streams import StreamReader

if not WIRE.is_dir():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

ROWS = [
    row
    for row in map(json.loads, (WIRE / "index.jsonl").read_text(encoding="utf-8").splitlines())
    if row["file"].startswith("responses/")
]
PLAIN = [row for row in ROWS if not row["stream"]]
STREAMS = [row for row in ROWS if row["stream"]]


def named(row: dict[str, Any]) -> str:
    """The name of a case."""
    return str(row["file"].partition("/")[2])


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    """The body of a plain answer, or the one that closes a stream."""
    content = (WIRE / row["file"]).read_bytes()
    if not row["stream"]:
        return dict(json.loads(content))
    *_, last = (line for line in content.splitlines() if line.startswith(b"data: {"))
    return dict(json.loads(last.removeprefix(b"data: "))["response"])


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    """The content in pieces of one size."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def folded(content: Iterator[bytes]) -> Reply:
    """The reply that a stream folds into."""
    reader, assembler = StreamReader(Responses()), Assembler()
    for piece in content:
        for event in reader.feed(piece):
            assembler.add(event)
    for event in reader.close():
        assembler.add(event)
    return assembler.reply()


def check(reply: Reply, expect: dict[str, Any]) -> None:
    """The facts of the index."""
    digest = hashlib.sha256(reply.text.encode()).hexdigest()
    assert (len(reply.text), digest) == (expect["text_chars"], expect["text_sha256"])
    assert len(reply.reasoning) == expect["reasoning_chars"]
    calls = [
        [call.name, hashlib.sha256(call.arguments.encode()).hexdigest()]
        for call in reply.tool_calls
    ]
    assert calls == expect["calls"]
    assert reply.finish_reason == ("tool_calls" if calls else "stop")
    used, told = reply.usage, expect["usage"]
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (told["input"], told["output"])
    assert (used.total_tokens, used.reasoning_tokens) == (told["total"], told["reasoning"])
    assert used.cached_input_tokens == told["cached"]


@pytest.mark.parametrize("row", PLAIN, ids=named)
def test_plain_answers(row: dict[str, Any]) -> None:
    """A plain response has the facts of the index."""
    check(Responses().parse(body_of(row)), row["expect"])


@pytest.mark.parametrize("row", STREAMS, ids=named)
@pytest.mark.parametrize("size", [1, 7, 64, 1_000_000])
def test_streams_in_any_cut(row: dict[str, Any], size: int) -> None:
    """A streamed response has the facts of the index, however its bytes arrive."""
    check(folded(pieces((WIRE / row["file"]).read_bytes(), size)), row["expect"])


@pytest.mark.parametrize("row", STREAMS, ids=named)
def test_a_folded_stream_is_the_reply_that_closes_it(row: dict[str, Any]) -> None:
    """Text, thoughts, calls, server tools, citations, items, usage: all as in the closing body."""
    streamed = folded(iter([(WIRE / row["file"]).read_bytes()]))
    closing = Responses().parse(body_of(row))
    assert streamed.choices == closing.choices
    assert streamed.citations == closing.citations
    assert streamed.usage == closing.usage
    assert (streamed.id, streamed.model) == (closing.id, closing.model)


@pytest.mark.parametrize("row", STREAMS, ids=named)
def test_a_cut_stream_raises(row: dict[str, Any]) -> None:
    """A stream without its closing event is no whole answer, wherever it was cut."""
    content = (WIRE / row["file"]).read_bytes()
    end = (
        content.rindex(b"event: response.completed") if b"event:" in content else len(content) // 2
    )
    for cut in {end, end // 2, end // 3, end - 1}:
        with pytest.raises(StreamInterruptedError):
            folded(iter([content[:cut]]))


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_reply_goes_back_item_by_item(row: dict[str, Any]) -> None:
    """What xAI answered is sent back verbatim and in order, ids that repeat included."""
    body = body_of(row)
    reply = Responses().parse(body)
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart("done"),)),))
        for call in reply.tool_calls
    ]
    question = Message("user", (TextPart("?"),))
    request = ChatRequest(model="grok-4.7", messages=(question, reply.choices[0].message, *results))
    sent = Responses().render(request, stream=False)["input"]
    assert sent[1 : 1 + len(body["output"])] == body["output"]


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_only_function_calls_are_the_callers(row: dict[str, Any]) -> None:
    """What xAI ran itself is shown, and never handed to the caller's tools."""
    output = body_of(row)["output"]
    reply = Responses().parse(body_of(row))
    wanted = [item for item in output if item["type"] == "function_call"]
    assert [call.id for call in reply.tool_calls] == [item["call_id"] for item in wanted]
    shown = [part for part in reply.choices[0].parts if isinstance(part, ServerToolPart)]
    kinds = {"web_search_call", "x_search_call", "custom_tool_call", "code_interpreter_call"}
    assert [part.kind for part in shown] == [
        item["type"] for item in output if item["type"] in kinds
    ]


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_marks_of_citations_lie_in_the_text(row: dict[str, Any]) -> None:
    """Where a citation has a place, the text has its mark there."""
    reply = Responses().parse(body_of(row))
    for citation in reply.citations:
        if citation.start is not None:
            mark = reply.text[citation.start : citation.end]
            assert mark == f"[[{citation.title}]]({citation.url})"
