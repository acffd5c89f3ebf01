"""Writing an answer as the events of its stream: numbered, and each named on a line of its own."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.handler_types import Frame, Json
from xai_lowcode.emulator.serializers.responses import Writer

Step = tuple[str, Json]
DONE_MEMBERS = ("encrypted_content", "outputs")


def frames(writer: Writer) -> list[Frame]:
    """Writes the stream, which has no closing sign but its last event."""
    begun, whole = writer.begun(), writer.whole()
    numbers = count()
    found = [
        _frame(next(numbers), "response.created", {"response": begun}),
        _frame(next(numbers), "response.in_progress", {"response": begun}),
    ]
    for index, item in enumerate(whole["output"]):
        found += [
            _frame(next(numbers), kind, {**members, "output_index": index})
            for kind, members in _item(item)
        ]
    kind = f"response.{whole['status']}"
    return [*found, _frame(next(numbers), kind, {"response": whole}, closing=True)]


def _frame(number: int, kind: str, members: Json, *, closing: bool = False) -> Frame:
    body = {"sequence_number": number, "type": kind, **members}
    return Frame(body, event=kind, closing=closing)


def _item(item: Json) -> Iterator[Step]:
    opened = {key: value for key, value in item.items() if key not in DONE_MEMBERS}
    opened |= {"status": "in_progress", **EMPTY.get(item["type"], {})}
    yield "response.output_item.added", {"item": opened}
    for kind, members in STEPS.get(item["type"], _nothing)(item):
        yield kind, {"item_id": item["id"], **members}
    yield "response.output_item.done", {"item": item}


def _nothing(_: Json) -> Iterator[Step]:
    return iter(())


def _reasoning(item: Json) -> Iterator[Step]:
    for index, part in enumerate(item["summary"]):
        place = {"summary_index": index}
        empty = {"text": "", "type": "summary_text"}
        yield "response.reasoning_summary_part.added", {"part": empty, **place}
        for piece in tokens.pieces(part["text"]):
            yield "response.reasoning_summary_text.delta", {"delta": piece, **place}
        yield "response.reasoning_summary_text.done", {"text": part["text"], **place}
        yield "response.reasoning_summary_part.done", {"part": part, **place}


def _message(item: Json) -> Iterator[Step]:
    for index, part in enumerate(item["content"]):
        place = {"content_index": index}
        empty = {**part, "text": "", "logprobs": [], "annotations": []}
        yield "response.content_part.added", {"part": empty, **place}
        pieces = tokens.pieces(part["text"])
        chances = part["logprobs"] or [None] * len(pieces)
        for piece, chance in zip(pieces, chances, strict=True):
            likely = [] if chance is None else [chance]
            yield "response.output_text.delta", {"delta": piece, "logprobs": likely, **place}
        for number, annotation in enumerate(part["annotations"]):
            where = {"annotation_index": number, **place}
            yield "response.output_text.annotation.added", {"annotation": annotation, **where}
        text = {"text": part["text"], "logprobs": part["logprobs"]}
        yield "response.output_text.done", {**text, **place}
        yield "response.content_part.done", {"part": part, **place}


def _function_call(item: Json) -> Iterator[Step]:
    yield "response.function_call_arguments.delta", {"delta": item["arguments"]}
    yield "response.function_call_arguments.done", {"arguments": item["arguments"]}


def _custom_tool_call(item: Json) -> Iterator[Step]:
    yield "response.custom_tool_call_input.delta", {"delta": item["input"]}
    yield "response.custom_tool_call_input.done", {"input": item["input"]}


def _stages(name: str, *stages: str) -> Callable[[Json], Iterator[Step]]:
    def steps(_: Json) -> Iterator[Step]:
        return ((f"response.{name}.{stage}", {}) for stage in stages)

    return steps


# What an item holds while it is not yet done.
EMPTY: dict[str, Json] = {
    "reasoning": {"summary": []},
    "message": {"content": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "web_search_call": {"action": {"type": "search", "query": "", "sources": []}},
    "code_interpreter_call": {"arguments": ""},
    "file_search_call": {"queries": [], "results": None},
    "image_generation_call": {"prompt": "", "result": None},
}
STEPS: dict[str, Callable[[Json], Iterator[tuple[str, dict[str, Any]]]]] = {
    "reasoning": _reasoning,
    "message": _message,
    "function_call": _function_call,
    "custom_tool_call": _custom_tool_call,
    "web_search_call": _stages("web_search_call", "in_progress", "searching", "completed"),
    "code_interpreter_call": _stages(
        "code_interpreter_call", "in_progress", "interpreting", "completed"
    ),
    "file_search_call": _stages("file_search_call", "in_progress", "searching", "completed"),
    "image_generation_call": _stages(
        "image_generation_call", "in_progress", "generating", "completed"
    ),
}
