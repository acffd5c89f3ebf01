"""A stream of Responses has everything that its items have, also what came in no event."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.responses.response import parse_response
from xai_lowcode.chat.dialects.responses.stream import ResponsesDecoder

Json = dict[str, Any]

REASONING: Json = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm, "}]}
RAW_REASONING: Json = {
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "I see. "}],
}
CITATIONS = [
    {"type": "url_citation", "url": f"https://{name}.example", "start_index": i, "end_index": i + 1}
    for i, name in enumerate(("a", "b"))
]
TEXT: Json = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello. ", "annotations": CITATIONS}],
}
REFUSAL: Json = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "No."}],
}
TOOL_OUTPUT: Json = {**TEXT, "role": "tool"}
OUTPUTS: list[list[Json]] = [
    [REASONING, TEXT],
    [REASONING, RAW_REASONING, TEXT],
    [REASONING, TEXT, RAW_REASONING, TEXT],
    [REFUSAL],
    [TEXT, REFUSAL],
    [TOOL_OUTPUT, TEXT],
]
KINDS = ["text", "reasoning", "refusal", "annotation"]


def iter_deltas(index: int, item: Json, kinds: list[str]) -> Iterator[Json]:
    """Yield the events of an item, of these kinds only."""
    place = {"output_index": index, "content_index": 0}
    contents = [*item.get("summary", ()), *item.get("content", ())]
    for content in contents:
        kind = "reasoning" if item["type"] == "reasoning" else content["type"].split("_")[-1]
        text = content.get("text") or content.get("refusal")
        names = {
            "reasoning": "response.reasoning_summary_text.delta",
            "text": "response.output_text.delta",
            "refusal": "response.refusal.delta",
        }
        if kind in kinds:
            for part in (text[:2], text[2:]):
                yield {"type": names[kind], "delta": part, **place}
        if "annotation" in kinds:
            for annotation in content.get("annotations", ()):
                name = "response.output_text.annotation.added"
                yield {"type": name, "annotation": annotation, **place}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("has_added", [False, True])
@pytest.mark.parametrize("has_done", [False, True])
def test_streams_have_everything(output: list[Json], *, has_added: bool, has_done: bool) -> None:
    """Reasoning, refusals and citations of a stream are those of the response, each once.

    Without the event ``done`` of an item they are taken from the terminal event.
    """
    body = {"id": "r", "model": "m", "status": "completed", "output": output}
    expected = parse_response(body)
    for chosen in product([False, True], repeat=len(KINDS)):
        kinds = [kind for kind, is_chosen in zip(KINDS, chosen, strict=True) if is_chosen]
        events: list[Json] = [{"type": "response.created", "response": {**body, "output": []}}]
        for index, item in enumerate(output):
            if has_added:
                added = {"type": "response.output_item.added", "item": {**item, "content": []}}
                events.append({**added, "output_index": index})
            events += iter_deltas(index, item, kinds)
            if has_done:
                done = {"type": "response.output_item.done", "item": item, "output_index": index}
                events.append(done)
        events.append({"type": "response.completed", "response": body})
        decoder, accumulator = ResponsesDecoder(), ResponseAccumulator()
        for event in events:
            for decoded in decoder.feed(event):
                accumulator.add(decoded)
        response = accumulator.build_response()
        assert response.choices[0].reasoning == expected.choices[0].reasoning, kinds
        assert response.choices[0].refusal == expected.choices[0].refusal, kinds
        assert {c.url for c in response.citations} == {c.url for c in expected.citations}, kinds
        if has_done and has_added:
            assert response.text == expected.text, kinds
            assert list(response.citations) == list(expected.citations), kinds
