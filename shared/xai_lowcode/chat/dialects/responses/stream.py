"""Decode streams of Responses (``/v1/responses``)."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xai_lowcode._internal.parsing import get_dict, get_logprobs, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import get_index, interrupted_error
from xai_lowcode.chat.dialects.responses.response import (
    CANCELLED_MESSAGE,
    check_status,
    is_cancelled,
    parse_citation,
    parse_finish_reason,
    parse_image,
    parse_metadata,
    parse_server_tool_call,
    parse_usage,
)
from xai_lowcode.chat.tool_calls import ToolCallIds
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

# Terminal events whose response may lack the status.
_STATUSES = {
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


class ResponsesDecoder:
    """Decodes events of Responses."""

    def __init__(self) -> None:
        # Indexes of tool calls, by index of their output item.
        self._call_indexes: dict[int, int] = {}
        self._call_ids, self._response_id = ToolCallIds(), ""
        self._calls_with_deltas: set[int] = set()
        self.ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Return the events of the next chunk."""
        decode = self._DECODERS.get(str(chunk.get("type")))
        return UNKNOWN if decode is None else decode(self, chunk)

    def finish(self) -> Iterable[StreamEvent]:
        """Return no events: the terminal event contains all data."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the terminal event was received."""
        return self.ended

    def _decode_created(self, chunk: Json) -> Iterable[StreamEvent]:
        response = get_dict(chunk, "response")
        self._response_id = get_str(response, "id")
        yield ResponseStarted(**parse_metadata(response), raw=chunk)

    def _decode_text(self, chunk: Json) -> Iterable[StreamEvent]:
        text = get_str(chunk, "delta")
        logprobs = get_logprobs(chunk, "logprobs") if chunk.get("logprobs") else ()
        return (TextDelta(text, 0, logprobs, chunk),) if text or logprobs else ()

    def _decode_reasoning(self, chunk: Json) -> Iterable[StreamEvent]:
        reasoning = get_str(chunk, "delta")
        return (ReasoningDelta(reasoning, 0, chunk),) if reasoning else ()

    def _decode_refusal(self, chunk: Json) -> Iterable[StreamEvent]:
        if refusal := get_str(chunk, "delta"):
            yield RefusalDelta(refusal, raw=chunk)

    def _decode_annotation(self, chunk: Json) -> Iterable[StreamEvent]:
        if (citation := parse_citation(chunk.get("annotation"))) is not None:
            yield CitationAdded(citation, raw=chunk)

    def _decode_item_added(self, chunk: Json) -> Iterable[StreamEvent]:
        item = get_dict(chunk, "item")
        if item.get("type") == "function_call":
            output_index = get_index(chunk, "output_index")
            index = self._call_indexes.setdefault(output_index, len(self._call_indexes))
            name = get_str(item, "name")
            call_id = self._call_ids.assign(get_str(item, "call_id"), self._response_id)
            yield ToolCallDelta(index, call_id, name, raw=chunk)

    def _decode_arguments(self, chunk: Json) -> Iterable[StreamEvent]:
        index = self._call_indexes.get(get_index(chunk, "output_index"))
        arguments = get_str(chunk, "delta")
        if index is not None and arguments:
            self._calls_with_deltas.add(index)
            yield ToolCallDelta(index, arguments=arguments, raw=chunk)

    def _decode_item_done(self, chunk: Json) -> Iterable[StreamEvent]:
        item = get_dict(chunk, "item")
        if item.get("type") == "function_call":
            index = self._call_indexes.get(get_index(chunk, "output_index"))
            if index is not None and index not in self._calls_with_deltas:
                yield ToolCallDelta(index, arguments=get_str(item, "arguments"), raw=chunk)
        if (image := parse_image(item)) is not None:
            yield ImageGenerated(image, raw=chunk)
        elif (part := parse_server_tool_call(item)) is not None:
            yield ServerToolCalled(part, raw=chunk)
        yield OutputItemDone(item, "responses", raw=chunk)

    def _decode_terminal_event(self, chunk: Json) -> Iterable[StreamEvent]:
        if self.ended:
            return
        response = get_dict(chunk, "response")
        if status := _STATUSES.get(chunk["type"]):
            response = {**response, "status": status}
        check_status(response)
        if is_cancelled(response):
            raise interrupted_error(CANCELLED_MESSAGE)
        self.ended = True
        reason = parse_finish_reason(response, has_calls=bool(self._call_indexes))
        yield ChoiceFinished(reason, raw=chunk)
        if (usage := parse_usage(response.get("usage"))) is not None:
            yield UsageReported(usage, raw=chunk)

    _DECODERS: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "response.created": _decode_created,
        "response.output_item.added": _decode_item_added,
        "response.output_item.done": _decode_item_done,
        "response.output_text.delta": _decode_text,
        "response.output_text.annotation.added": _decode_annotation,
        "response.reasoning_summary_text.delta": _decode_reasoning,
        "response.reasoning_text.delta": _decode_reasoning,
        "response.refusal.delta": _decode_refusal,
        "response.function_call_arguments.delta": _decode_arguments,
        "response.completed": _decode_terminal_event,
        "response.incomplete": _decode_terminal_event,
        "response.failed": _decode_terminal_event,
        "response.cancelled": _decode_terminal_event,
        "response.done": _decode_terminal_event,
    }
