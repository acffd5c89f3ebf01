"""The events of a streamed ``/v1/responses`` as ours."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xai_lowcode.dialects import UNKNOWN
from xai_lowcode.dialects.bodies import index_of
from xai_lowcode.dialects.interruption import interrupted
from xai_lowcode.dialects.responses.answer import (
    CANCELLED,
    check_failure,
    is_cancelled,
    read_citation,
    read_facts,
    read_finish,
    read_image,
    read_server_tool,
    read_usage,
)
from xai_lowcode.events import (
    Began,
    Cited,
    Finished,
    ImageMade,
    ItemDone,
    ReasoningDelta,
    RefusalDelta,
    ServerToolUsed,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Used,
)
from xai_lowcode.members import object_of, odds_of, text_of

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
        yield Began(**read_facts(object_of(chunk, "response")), raw=chunk)

    def _text(self, chunk: Json) -> Iterable[StreamEvent]:
        text = text_of(chunk, "delta")
        logprobs = odds_of(chunk, "logprobs") if chunk.get("logprobs") else ()
        return (TextDelta(text, 0, logprobs, chunk),) if text or logprobs else ()

    def _thought(self, chunk: Json) -> Iterable[StreamEvent]:
        thought = text_of(chunk, "delta")
        return (ReasoningDelta(thought, 0, chunk),) if thought else ()

    def _refusal(self, chunk: Json) -> Iterable[StreamEvent]:
        if refusal := text_of(chunk, "delta"):
            yield RefusalDelta(refusal, raw=chunk)

    def _annotation(self, chunk: Json) -> Iterable[StreamEvent]:
        if (citation := read_citation(chunk.get("annotation"))) is not None:
            yield Cited(citation, raw=chunk)

    def _item_added(self, chunk: Json) -> Iterable[StreamEvent]:
        item = object_of(chunk, "item")
        if item.get("type") == "function_call":
            index = self._calls.setdefault(index_of(chunk, "output_index"), len(self._calls))
            name, call_id = text_of(item, "name"), text_of(item, "call_id")
            yield ToolCallDelta(index, call_id, name, raw=chunk)

    def _arguments(self, chunk: Json) -> Iterable[StreamEvent]:
        index = self._calls.get(index_of(chunk, "output_index"))
        piece = text_of(chunk, "delta")
        if index is not None and piece:
            self._whole.add(index)
            yield ToolCallDelta(index, arguments=piece, raw=chunk)

    def _item_done(self, chunk: Json) -> Iterable[StreamEvent]:
        item = object_of(chunk, "item")
        index = self._calls.get(index_of(chunk, "output_index"))
        if item.get("type") == "function_call" and index is not None and index not in self._whole:
            # Arguments that came in no delta of their own stand in the finished item.
            yield ToolCallDelta(index, arguments=text_of(item, "arguments"), raw=chunk)
        if (image := read_image(item)) is not None:
            yield ImageMade(image, raw=chunk)
        elif (tool := read_server_tool(item)) is not None:
            yield ServerToolUsed(tool, raw=chunk)
        yield ItemDone(item, "responses", raw=chunk)

    def _closed(self, chunk: Json) -> Iterable[StreamEvent]:
        if self.ended:
            return
        response = object_of(chunk, "response")
        if status := _STATUSES.get(chunk["type"]):
            response = {**response, "status": status}
        check_failure(response)
        if is_cancelled(response):
            raise interrupted(CANCELLED)
        self.ended = True
        yield Finished(read_finish(response, has_calls=bool(self._calls)), raw=chunk)
        if (usage := read_usage(response.get("usage"))) is not None:
            yield Used(usage, raw=chunk)

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
