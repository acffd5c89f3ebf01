"""Output items: order, positions of citations, the caller's tools, and metadata."""

from dataclasses import replace
from itertools import combinations
from typing import Any

from tests.cases import for_each
from tests.recorded.parsing import DIALECTS, fold, parse, read
from tests.recorded.rendering import block_of, chat_blocks, data_of, responses_blocks
from xai_lowcode._internal import json
from xai_lowcode.chat.stop_sequences import truncate_response
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.types.messages import ImagePart, Message, ServerToolPart, TextPart, ToolResultPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

Json = dict[str, Any]


def _create_contents(*texts: str) -> list[Json]:
    """Return the contents of a message; each text has a citation at each of its markers."""
    contents = []
    for text in texts:
        positions = [start for start in range(len(text)) if text.startswith("[[1]](u)", start)]
        annotations = [
            {
                "type": "url_citation",
                "url": "u",
                "title": "1",
                "start_index": position,
                "end_index": position + 8,
            }
            for position in positions
        ]
        contents.append({"type": "output_text", "text": text, "annotations": annotations})
    return contents


def _message(*texts: str, role: str = "assistant") -> Json:
    return {"type": "message", "id": "m", "role": role, "content": _create_contents(*texts)}


SHELL_CALL = {
    "type": "shell_call",
    "id": "sh_1",
    "call_id": "call_sh",
    "status": "completed",
    "action": {"commands": ["ls"], "timeout_ms": 9, "max_output_length": 100},
    "environment": {"type": "local"},
}
ITEMS: list[Json] = [
    {"type": "web_search_call", "id": "ws_0", "action": {"type": "search", "query": "a"}},
    {"type": "web_search_call", "id": "ws_0", "action": {"type": "open_page", "url": "b"}},
    _message("not an answer [[1]](u)", role="tool"),
    {"type": "image_generation_call", "id": "ig", "prompt": "A cat", "result": "aW1hZ2U="},
    _message("One [[1]](u) two.", " Three [[1]](u)."),
    {"type": "function_call", "id": "f", "call_id": "call_f", "name": "f", "arguments": '{"n": 1}'},
    SHELL_CALL,
    _message(" Four [[1]](u) five."),
]
BODY: Json = {"id": "r", "model": "grok-4.7", "status": "completed", "output": ITEMS}


def test_items_have_the_order_of_their_indexes() -> None:
    """A stream accumulates to the plain response, in whatever order its items are done."""
    expected = parse("responses", BODY)
    assert list(expected.choices[0].items) == ITEMS
    blocks = responses_blocks(BODY)
    done_indexes = [i for i, block in enumerate(blocks) if b"response.output_item.done" in block]
    for late_indexes in (
        subset for n in range(len(done_indexes) + 1) for subset in combinations(done_indexes, n)
    ):
        early_blocks = [block for i, block in enumerate(blocks[:-1]) if i not in late_indexes]
        for order in (late_indexes, late_indexes[::-1]):
            shuffled = [*early_blocks, *(blocks[i] for i in order), blocks[-1]]
            assert read("responses", shuffled) == expected


def test_an_item_is_returned_when_those_before_it_are_done() -> None:
    """An item is buffered until the items before it are done, unless they were never added."""
    decoder = DIALECTS["responses"].decoder()
    event_prefix = "response.output_item."
    for index in (0, 1):
        added = {"type": f"{event_prefix}added", "output_index": index, "item": ITEMS[index]}
        assert list(decoder.feed(added)) == []
    event_counts = [
        len(
            list(
                decoder.feed(
                    {"type": f"{event_prefix}done", "output_index": i, "item": ITEMS[i % 2]}
                )
            )
        )
        for i in (1, 0, 2)
    ]
    assert event_counts == [0, 4, 2]


def test_citations_point_to_their_markers() -> None:
    """Positions count from the start of the text of the whole response."""
    for response in (parse("responses", BODY), read("responses", responses_blocks(BODY))):
        marks = [response.text[c.start : c.end] for c in response.citations]
        assert marks == ["[[1]](u)"] * 3
        assert "not an answer" not in response.text


@for_each("stop", ["two", "Three [[", "[[1]](u).", "](u) five", "five", "none"])
def test_no_citation_points_behind_a_stop_sequence(stop: str) -> None:
    """After a client-side stop sequence the citations are those of the remaining text."""
    plain = truncate_response(parse("responses", BODY), [stop])
    reader = StreamReader(DIALECTS["responses"], stops=[stop])
    events = [event for block in responses_blocks(BODY) for event in reader.feed(block)]
    streamed = fold([*events, *(() if reader.finished else reader.close())])
    assert plain.text == streamed.text == parse("responses", BODY).text.partition(stop)[0]
    assert plain.citations == streamed.citations
    assert len(plain.citations) == plain.text.count("[[1]](u)")


def _shell_turn(result: str) -> Json:
    response = parse("responses", BODY)
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart(result),)),))
        for call in response.tool_calls
    ]
    messages = (Message("user", (TextPart("?"),)), response.choices[0].message, *results)
    request = ChatRequest(model="grok-4.7", messages=messages)
    sent = DIALECTS["responses"].render(request, stream=False)["input"]
    assert sent[1:-2] == ITEMS
    assert sent[-2] == {"type": "function_call_output", "call_id": "call_f", "output": result}
    return dict(sent[-1])


def test_a_shell_call_is_a_call_of_the_caller() -> None:
    """The caller runs the shell tool of xAI, and its result is sent in xAI's format."""
    call = parse("responses", BODY).tool_calls[1]
    assert (call.id, call.name) == ("call_sh", "shell")
    assert json.loads(call.arguments) == {
        "commands": ["ls"],
        "timeout_ms": 9,
        "max_output_length": 100,
        "environment": {"type": "local"},
    }
    head = {"type": "shell_call_output", "call_id": "call_sh", "max_output_length": 100}
    outcome = {"outcome": {"type": "exit", "exit_code": 0}}
    assert _shell_turn("a.txt") == {**head, "output": [{"stdout": "a.txt", **outcome}]}
    failed = {"stderr": "no", "outcome": {"type": "exit", "exit_code": 2}}
    for result in (failed, [failed]):
        assert _shell_turn(json.dumps(result).decode()) == {**head, "output": [failed]}
    for text in ("[]", "[1]", '{"stdout": "x"}', ""):
        assert _shell_turn(text)["output"] == [{"stdout": text, **outcome}]


def test_other_items_are_output_of_server_side_tools() -> None:
    """A message of another role, and the prompt of an image, belong to server-side tools."""
    parts = parse("responses", BODY).choices[0].parts
    tools = [part for part in parts if isinstance(part, ServerToolPart)]
    assert [tool.kind for tool in tools] == [item["type"] for item in ITEMS[:4]]
    assert tools[2].result == ITEMS[2]["content"]
    assert json.loads(tools[3].arguments) == {"prompt": "A cat"}
    assert [part for part in parts if isinstance(part, ImagePart)] == [
        ImagePart("data:image/jpeg;base64,aW1hZ2U=")
    ]


CHAT: Json = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "grok-4.7",
    "service_tier": "priority",
    "output_files": [{"file_id": "f", "name": "a.csv"}],
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Here.",
                "images": [{"type": "image_url", "image_url": {"url": "https://x.ai/a.png"}}],
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def _streamed_chat(**changes: Any) -> ChatResponse:
    """Read the stream of a chat whose last chunk has other fields."""
    blocks = chat_blocks(CHAT)
    last_chunk = data_of(blocks[-2])
    assert last_chunk is not None
    images = {"index": 0, "delta": {"images": CHAT["choices"][0]["message"]["images"]}}
    head = {"id": "c", "created": 1, "model": "grok-4.7", "service_tier": "priority"}
    blocks[0:0] = [block_of({**head, "choices": [images]}, named=False)]
    blocks[-2] = block_of({**last_chunk, **changes}, named=False)
    return read("chat_completions", blocks)


def test_metadata_at_the_end_of_a_stream() -> None:
    """The last chunk of a stream has the service tier that was used, and unknown fields."""
    plain = parse("chat_completions", CHAT)
    assert plain.extra == {"output_files": CHAT["output_files"]}
    assert ImagePart("https://x.ai/a.png") in plain.choices[0].parts
    assert _streamed_chat() == plain
    assert _streamed_chat(service_tier="default") == replace(plain, service_tier="default")
