"""The events of a streamed ``/v1/responses`` as ours."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xai_lowcode._internal.parsing import get_dict, get_logprobs, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import get_index, interrupted_error
from xai_lowcode.chat.dialects.responses.response import (
    CANCELLED,
    check_status,
    is_cancelled,
    parse_citation,
    parse_finish_reason,
    parse_image,
    parse_metadata,
    parse_server_tool,
    parse_usage,
)
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ImageGenerated,
    OutputItemDone,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)

Json = dict[str, Any]

# Terminal events whose name alone says that the response is not complete.
_STATUSES = {
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


class ResponsesDecoder:
    """Turns events into ours; those of an unknown type are ignored."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._whole: set[int] = set()
        self.ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Our events of the next one."""
        read = self._READ.get(str(chunk.get("type")))
        return UNKNOWN if read is None else read(self, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """Nothing: the terminal event says all."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the terminal event has come."""
        return self.ended

    def _created(self, chunk: Json) -> Iterable[StreamEvent]:
        yield ResponseStarted(**parse_metadata(get_dict(chunk, "response")), raw=chunk)

    def _text(self, chunk: Json) -> Iterable[StreamEvent]:
        text = get_str(chunk, "delta")
        logprobs = get_logprobs(chunk, "logprobs") if chunk.get("logprobs") else ()
        return (TextDelta(text, 0, logprobs, chunk),) if text or logprobs else ()

    def _thought(self, chunk: Json) -> Iterable[StreamEvent]:
        thought = get_str(chunk, "delta")
        return (ReasoningDelta(thought, 0, chunk),) if thought else ()

    def _refusal(self, chunk: Json) -> Iterable[StreamEvent]:
        if refusal := get_str(chunk, "delta"):
            yield RefusalDelta(refusal, raw=chunk)

    def _annotation(self, chunk: Json) -> Iterable[StreamEvent]:
        if (citation := parse_citation(chunk.get("annotation"))) is not None:
            yield CitationAdded(citation, raw=chunk)

    def _item_added(self, chunk: Json) -> Iterable[StreamEvent]:
        item = get_dict(chunk, "item")
        if item.get("type") == "function_call":
            index = self._calls.setdefault(get_index(chunk, "output_index"), len(self._calls))
            name, call_id = get_str(item, "name"), get_str(item, "call_id")
            yield ToolCallDelta(index, call_id, name, raw=chunk)

    def _arguments(self, chunk: Json) -> Iterable[StreamEvent]:
        index = self._calls.get(get_index(chunk, "output_index"))
        piece = get_str(chunk, "delta")
        if index is not None and piece:
            self._whole.add(index)
            yield ToolCallDelta(index, arguments=piece, raw=chunk)

    def _item_done(self, chunk: Json) -> Iterable[StreamEvent]:
        item = get_dict(chunk, "item")
        index = self._calls.get(get_index(chunk, "output_index"))
        if item.get("type") == "function_call" and index is not None and index not in self._whole:
            # Arguments that came in no delta of their own stand in the finished item.
            yield ToolCallDelta(index, arguments=get_str(item, "arguments"), raw=chunk)
        if (image := parse_image(item)) is not None:
            yield ImageGenerated(image, raw=chunk)
        elif (tool := parse_server_tool(item)) is not None:
            yield ServerToolCalled(tool, raw=chunk)
        yield OutputItemDone(item, "responses", raw=chunk)

    def _closed(self, chunk: Json) -> Iterable[StreamEvent]:
        if self.ended:
            return
        response = get_dict(chunk, "response")
        if status := _STATUSES.get(chunk["type"]):
            response = {**response, "status": status}
        check_status(response)
        if is_cancelled(response):
            raise interrupted_error(CANCELLED)
        self.ended = True
        yield ChoiceFinished(parse_finish_reason(response, has_calls=bool(self._calls)), raw=chunk)
        if (usage := parse_usage(response.get("usage"))) is not None:
            yield UsageReported(usage, raw=chunk)

    _READ: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "response.created": _created,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.output_text.delta": _text,
        "response.output_text.annotation.added": _annotation,
        "response.reasoning_summary_text.delta": _thought,
        "response.reasoning_text.delta": _thought,
        "response.refusal.delta": _refusal,
        "response.function_call_arguments.delta": _arguments,
        "response.completed": _closed,
        "response.incomplete": _closed,
        "response.failed": _closed,
        "response.cancelled": _closed,
        "response.done": _closed,
    }
