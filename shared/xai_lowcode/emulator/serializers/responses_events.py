"""Serialize a response as the events of its stream."""

from collections.abc import Iterator
from itertools import count

from xai_lowcode.emulator.handler_types import SSEFrame
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.serializers.responses import ResponseSerializer
from xai_lowcode.emulator.tokenizer import split_tokens

Event = tuple[str, Json]  # its type and fields
# Fields that an item has only when it is done.
DONE_FIELDS = ("encrypted_content",)
STAGED_SINCE_2026 = ("web_search_call", "code_interpreter_call")
# Fields of an item before it is done.
INITIAL_FIELDS: dict[str, Json] = {
    "reasoning": {"summary": []},
    "message": {"content": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "web_search_call": {"action": {"type": "search", "query": "", "sources": []}},
    "code_interpreter_call": {"code": "", "outputs": []},
    "file_search_call": {"queries": [], "results": None},
    "image_generation_call": {"prompt": "", "result": None},
}
# The event and the field of an item whose input is streamed.
INPUTS = {
    "function_call": ("function_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
}
# The second of the three stages of an item.
STAGES = {
    "web_search_call": "searching",
    "code_interpreter_call": "interpreting",
    "file_search_call": "searching",
    "image_generation_call": "generating",
}


def to_frames(serializer: ResponseSerializer) -> list[SSEFrame]:
    """Return the stream. It has no `[DONE]`; its last event has the whole response."""
    initial, response = serializer.to_initial_body(), serializer.to_body()
    events: list[Event] = [
        ("response.created", {"response": initial}),
        ("response.in_progress", {"response": initial}),
    ]
    for index, item in enumerate(response["output"]):
        events += [(kind, {**fields, "output_index": index}) for kind, fields in _item(item)]
    numbers = count()
    frames = [_frame(next(numbers), kind, fields) for kind, fields in events]
    end = f"response.{response['status']}"
    return [*frames, _frame(next(numbers), end, {"response": response}, closing=True)]


def _frame(number: int, kind: str, fields: Json, *, closing: bool = False) -> SSEFrame:
    body = {"sequence_number": number, "type": kind, **fields}
    return SSEFrame(body, event=kind, closing=closing)


def _item(item: Json) -> Iterator[Event]:
    if "code" not in item and "action" not in item and item["type"] in STAGED_SINCE_2026:
        # In 2025 these items were complete at once.
        yield "response.output_item.added", {"item": item}
        yield "response.output_item.done", {"item": item}
        return
    added = {key: value for key, value in item.items() if key not in DONE_FIELDS}
    added |= {"status": "in_progress", **INITIAL_FIELDS.get(item["type"], {})}
    yield "response.output_item.added", {"item": added}
    for kind, fields in _content_events(item):
        yield kind, {"item_id": item["id"], **fields}
    yield "response.output_item.done", {"item": item}


def _content_events(item: Json) -> Iterator[Event]:
    kind = item["type"]
    if kind == "reasoning":
        yield from _reasoning(item)
    elif kind == "message":
        yield from _message(item)
    elif kind in INPUTS:
        name, key = INPUTS[kind]
        yield f"response.{name}.delta", {"delta": item[key]}
        yield f"response.{name}.done", {key: item[key]}
    elif kind in STAGES:
        for stage in ("in_progress", STAGES[kind], "completed"):
            yield f"response.{kind}.{stage}", {}


def _reasoning(item: Json) -> Iterator[Event]:
    for index, part in enumerate(item["summary"]):
        position = {"summary_index": index}
        empty = {"text": "", "type": "summary_text"}
        yield "response.reasoning_summary_part.added", {"part": empty, **position}
        for token in split_tokens(part["text"]):
            yield "response.reasoning_summary_text.delta", {"delta": token, **position}
        yield "response.reasoning_summary_text.done", {"text": part["text"], **position}
        yield "response.reasoning_summary_part.done", {"part": part, **position}


def _message(item: Json) -> Iterator[Event]:
    for index, part in enumerate(item["content"]):
        position = {"content_index": index}
        empty = {**part, "text": "", "logprobs": [], "annotations": []}
        yield "response.content_part.added", {"part": empty, **position}
        tokens = split_tokens(part["text"])
        logprobs = part["logprobs"] or [None] * len(tokens)
        for token, logprob in zip(tokens, logprobs, strict=True):
            token_logprobs = [] if logprob is None else [logprob]
            yield (
                "response.output_text.delta",
                {"delta": token, "logprobs": token_logprobs, **position},
            )
        for number, annotation in enumerate(part["annotations"]):
            fields = {"annotation": annotation, "annotation_index": number, **position}
            yield "response.output_text.annotation.added", fields
        text = {"text": part["text"], "logprobs": part["logprobs"]}
        yield "response.output_text.done", {**text, **position}
        yield "response.content_part.done", {"part": part, **position}
