"""Decode streams of Responses (``/v1/responses``)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from xai_lowcode._internal.parsing import (
    get_dict,
    get_dicts,
    get_logprobs,
    get_nonempty_str,
    get_str,
)
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import get_index, interrupted_error
from xai_lowcode.chat.dialects.responses.response import (
    CANCELLED_MESSAGE,
    check_status,
    get_contents,
    get_reasoning,
    get_strings,
    is_assistant_message,
    is_cancelled,
    parse_citation,
    parse_citations,
    parse_extra,
    parse_finish_reason,
    parse_metadata,
    parse_output,
    parse_server_side_parts,
    parse_tool_call,
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
    ResponseCompleted,
    ResponseStarted,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.messages import ServerToolPart, TextPart, ToolCallPart

Json = dict[str, Any]

_NO_CALL = ToolCallPart("", "", "")

# Terminal events whose response may lack the status.
_STATUSES = {
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


class ResponsesDecoder:
    """Decodes events of Responses."""

    def __init__(self) -> None:
        # Indexes of tool calls by index of their item; the same, unless a service repeats it.
        self._call_indexes: dict[int, int] = {}
        self._call_ids, self._response_id = ToolCallIds(), ""
        self._calls_with_deltas: set[int] = set()
        # Indexes of items that were added and are not done. Server-side tools finish in any order:
        # the events of a later item wait.
        self._unfinished: set[int] = set()
        # Those that are done, as often as it was reported.
        self._finished: list[int] = []
        self._waiting: list[tuple[int, list[StreamEvent]]] = []
        self._tool_outputs: set[int] = set()
        # Start of a text in the text of the response, by indexes of its item and content.
        self._text_starts: dict[tuple[int, int], int] = {}
        self._text_length = 0
        self._has_text_deltas = self.ended = False
        # Of what came in events of its own: as much as is not yet known to be of a finished item.
        self._received = {"reasoning": 0, "refusal": 0, "citations": 0}

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
        if self._tool_outputs and get_index(chunk, "output_index") in self._tool_outputs:
            return ()
        self._text_length += len(text)
        self._has_text_deltas = True
        logprobs = get_logprobs(chunk, "logprobs") if chunk.get("logprobs") else ()
        return (TextDelta(text, 0, logprobs, chunk),) if text or logprobs else ()

    def _decode_reasoning(self, chunk: Json) -> Iterable[StreamEvent]:
        reasoning = get_str(chunk, "delta")
        self._received["reasoning"] += len(reasoning)
        return (ReasoningDelta(reasoning, 0, chunk),) if reasoning else ()

    def _decode_refusal(self, chunk: Json) -> Iterable[StreamEvent]:
        if refusal := get_str(chunk, "delta"):
            self._received["refusal"] += len(refusal)
            yield RefusalDelta(refusal, raw=chunk)

    def _decode_annotation(self, chunk: Json) -> Iterable[StreamEvent]:
        item_index = get_index(chunk, "output_index")
        if item_index in self._tool_outputs:
            return
        text_start = self._text_starts.get(
            (item_index, get_index(chunk, "content_index")),
            self._text_starts.get((item_index, 0), 0),
        )
        if (citation := parse_citation(chunk.get("annotation"), text_start)) is not None:
            self._received["citations"] += 1
            yield CitationAdded(citation, raw=chunk)

    def _decode_item_added(self, chunk: Json) -> Iterable[StreamEvent]:
        item, item_index = get_dict(chunk, "item"), get_index(chunk, "output_index")
        self._unfinished.add(item_index)
        match item.get("type"):
            case "function_call":
                yield self._start_call(item_index, item, chunk)
            case "message" if is_assistant_message(item):
                self._text_starts[item_index, 0] = self._text_length
            case "message":
                self._tool_outputs.add(item_index)

    def _decode_content_added(self, chunk: Json) -> Iterable[StreamEvent]:
        key = get_index(chunk, "output_index"), get_index(chunk, "content_index")
        self._text_starts[key] = self._text_length
        return ()

    def _start_call(self, item_index: int, item: Mapping[str, Any], chunk: Json) -> ToolCallDelta:
        calls = self._call_indexes
        index = max(calls.values()) + 1 if item_index in calls else item_index
        calls[item_index] = index
        call = parse_tool_call(item) or _NO_CALL
        call_id = self._call_ids.assign(call.id, self._response_id)
        return ToolCallDelta(index, call_id, call.name, raw=chunk)

    def _decode_arguments(self, chunk: Json) -> Iterable[StreamEvent]:
        index = self._call_indexes.get(get_index(chunk, "output_index"))
        arguments = get_str(chunk, "delta")
        if index is not None and arguments:
            self._calls_with_deltas.add(index)
            yield ToolCallDelta(index, arguments=arguments, raw=chunk)

    def _decode_item_done(self, chunk: Json) -> Iterable[StreamEvent]:
        item, item_index = get_dict(chunk, "item"), get_index(chunk, "output_index")
        self._finished.append(item_index)
        has_deltas = self._text_length != self._text_starts.get((item_index, 0), 0)
        if not (has_deltas and self._has_text_deltas):
            # A service may send a short text without deltas.
            for part in parse_output([item]):
                if isinstance(part, TextPart):
                    self._text_length += len(part.text)
                    yield TextDelta(part.text, raw=chunk)
        yield from self._decode_missing(item, item_index, chunk)
        if (call := parse_tool_call(item)) is not None:
            if item_index not in self._call_indexes:
                yield self._start_call(item_index, item, chunk)
            index = self._call_indexes[item_index]
            if index not in self._calls_with_deltas:
                yield ToolCallDelta(index, arguments=call.arguments, raw=chunk)
        events: list[StreamEvent] = [
            ServerToolCalled(part, raw=chunk)
            if isinstance(part, ServerToolPart)
            else ImageGenerated(part, raw=chunk)
            for part in parse_server_side_parts(item)
        ]
        events.append(OutputItemDone(item, "responses", raw=chunk))
        self._unfinished.discard(item_index)
        self._waiting.append((item_index, events))
        yield from self._release(min(self._unfinished, default=None))

    def _decode_missing(
        self, item: Mapping[str, Any], item_index: int, chunk: Json
    ) -> Iterable[StreamEvent]:
        """Yield what a finished item has, but came in no event of its own."""
        if item.get("type") == "reasoning":
            reasoning = get_reasoning(item)
            if self._is_missing("reasoning", len(reasoning)):
                yield ReasoningDelta(reasoning, 0, chunk)
        if not is_assistant_message(item):
            return
        contents = get_contents([item])
        refusal = "".join(get_strings(contents, "refusal"))
        if self._is_missing("refusal", len(refusal)):
            yield RefusalDelta(refusal, raw=chunk)
        last_start = self._text_length - sum(map(len, get_strings(contents, "text")))
        text_start = self._text_starts.get((item_index, 0), last_start)
        citations = [*parse_citations(contents, text_start)]
        if self._is_missing("citations", len(citations)):
            yield from (CitationAdded(citation, raw=chunk) for citation in citations)

    def _is_missing(self, kind: str, amount: int) -> bool:
        received = self._received[kind]
        self._received[kind] = max(0, received - amount)
        return amount > 0 and received == 0

    def _release(self, end: int | None) -> Iterable[StreamEvent]:
        """Yield the events of the finished items before an index, in order; None for all."""
        self._waiting.sort(key=lambda waiting: waiting[0])
        while self._waiting and (end is None or self._waiting[0][0] < end):
            yield from self._waiting.pop(0)[1]

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
        output = list(get_dicts(response, "output"))
        # A service may send no events of an item; one that repeats indexes sends those of all.
        if len(self._finished) < len(output):
            for item_index, item in enumerate(output):
                if item_index not in self._finished:
                    done = {**chunk, "item": item, "output_index": item_index}
                    yield from self._decode_item_done(done)
        yield from self._release(None)
        reason = parse_finish_reason(response, has_calls=bool(self._call_indexes))
        yield ChoiceFinished(reason, raw=chunk)
        tier, extra = get_nonempty_str(response, "service_tier"), parse_extra(response)
        if tier or extra:
            yield ResponseCompleted(tier, extra, raw=chunk)
        if (usage := parse_usage(response.get("usage"))) is not None:
            yield UsageReported(usage, raw=chunk)

    _DECODERS: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "response.created": _decode_created,
        "response.output_item.added": _decode_item_added,
        "response.output_item.done": _decode_item_done,
        "response.content_part.added": _decode_content_added,
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
