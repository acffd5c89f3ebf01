"""Decode streams of Chat Completions (``/v1/chat/completions``)."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode._internal.parsing import get_dict, get_dicts, get_int, get_nonempty_str, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.chat_completions.response import (
    KNOWN_FIELDS,
    parse_citations,
    parse_images,
    parse_logprobs,
)
from xai_lowcode.chat.dialects.common import get_index, parse_extra, parse_metadata, parse_usage
from xai_lowcode.chat.tool_calls import ToolCallIds
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ImageGenerated,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.responses import normalize_finish_reason

# Fields of which chunks without choices have one.
_FIELDS_WITHOUT_CHOICES = frozenset({"choices", "usage", "citations"})


class ChatCompletionsDecoder:
    """Decodes chunks of Chat Completions."""

    # Never true: the usage chunk may follow the chunk with the finish reason.
    ended = False

    def __init__(self) -> None:
        self._started = False
        self._cited_urls: set[str] = set()
        self._calls: dict[int, _StreamedCalls] = {}
        self._finished_choices: set[int] = set()
        self._choices: set[int] = set()
        self._completed: ResponseCompleted | None = None
        self._usage: UsageReported | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Return the events of the next chunk."""
        choices = get_dicts(chunk, "choices")
        if not choices and (
            _FIELDS_WITHOUT_CHOICES.isdisjoint(chunk) or chunk.get("type") == "error"
        ):
            return UNKNOWN
        events: list[StreamEvent] = []
        if choices and not self._started:
            self._started = True
            events.append(ResponseStarted(**parse_metadata(chunk), raw=chunk))
        for choice in choices:
            self._decode_choice(choice, chunk, events)
        if "citations" in chunk:
            self._decode_citations(chunk, events)
        if chunk.get("usage"):
            # xAI has sent a running total with every chunk: the last one counts.
            usage = parse_usage(chunk["usage"])
            self._usage = UsageReported(usage, chunk) if usage else self._usage
        if not choices:
            self._complete(chunk)
        return events

    def finish(self) -> Iterable[StreamEvent]:
        """Return the metadata that is known at the end, and the usage."""
        if self._usage is not None:
            self._complete(self._usage.raw)
        return [event for event in (self._completed, self._usage) if event is not None]

    @property
    def complete(self) -> bool:
        """Whether every choice has a finish reason."""
        return bool(self._choices) and self._choices == self._finished_choices

    def _complete(self, chunk: Mapping[str, Any]) -> None:
        """Add what one of the last chunks says about the whole response; the last one counts."""
        known = self._completed or ResponseCompleted()
        tier = get_nonempty_str(chunk, "service_tier") or known.service_tier
        extra = {**known.extra, **parse_extra(chunk, KNOWN_FIELDS)}
        if tier or extra:
            self._completed = ResponseCompleted(tier, extra, chunk)

    def _decode_choice(
        self, choice: Mapping[str, Any], chunk: dict[str, Any], events: list[StreamEvent]
    ) -> None:
        index = get_index(choice)
        self._choices.add(index)
        delta = get_dict(choice, "delta")
        # Most deltas have one field, heartbeats have none: other fields are not parsed.
        if delta.get("reasoning_content"):
            events.append(ReasoningDelta(get_str(delta, "reasoning_content"), index, chunk))
        if delta.get("images"):
            events += [ImageGenerated(image, index, chunk) for image in parse_images(delta)]
        logprobs = parse_logprobs(choice) if choice.get("logprobs") else ()
        if delta.get("content") or logprobs:
            events.append(TextDelta(get_str(delta, "content"), index, logprobs, chunk))
        if delta.get("refusal"):
            events.append(RefusalDelta(get_str(delta, "refusal"), index, chunk))
        if delta.get("tool_calls"):
            calls = get_dicts(delta, "tool_calls")
            events += [self._decode_tool_call(call, index, chunk) for call in calls]
        if finish_reason := choice.get("finish_reason"):
            self._finished_choices.add(index)
            reason = normalize_finish_reason(finish_reason, has_calls=index in self._calls)
            events.append(ChoiceFinished(reason, index, chunk))
            self._complete(chunk)

    def _decode_tool_call(
        self, delta: Mapping[str, Any], choice: int, chunk: dict[str, Any]
    ) -> ToolCallDelta:
        calls = self._calls.setdefault(choice, _StreamedCalls())
        call_id, function = get_str(delta, "id"), get_dict(delta, "function")
        name = get_str(function, "name")
        index, is_new = calls.find(get_int(delta, "index"), call_id)
        if is_new:
            call_id = calls.ids.assign(call_id, get_str(chunk, "id"))
        else:
            # Some services repeat the id and the name in every delta.
            call_id, name = "", "" if index in calls.named else name
        if name:
            calls.named.add(index)
        return ToolCallDelta(index, call_id, name, get_str(function, "arguments"), choice, chunk)

    def _decode_citations(self, chunk: dict[str, Any], events: list[StreamEvent]) -> None:
        # The last chunks of a stream repeat citations.
        for citation in parse_citations(chunk):
            if citation.url not in self._cited_urls:
                self._cited_urls.add(citation.url)
                events.append(CitationAdded(citation, chunk))


class _StreamedCalls:
    """The tool calls of one choice of a stream.

    Attributes:
        ids: Assigns unique ids.
        named: Indexes of calls whose name was received.
    """

    def __init__(self) -> None:
        self.ids = ToolCallIds()
        self.named: set[int] = set()
        # By the index that the service sent: the id that it sent, and the index of the call.
        self._by_index: dict[int, tuple[str, int]] = {}
        self._count = 0

    def find(self, index: int | None, call_id: str) -> tuple[int, bool]:
        """Return the index of the call that a delta belongs to, and whether the call is new.

        Without an index, a delta with an id starts a call, and one without continues the last one.
        A delta with another id than before starts a call, too.
        """
        if index is None:
            index = self._count if call_id or not self._count else self._count - 1
        known = self._by_index.get(index)
        if known is not None and (not call_id or call_id == known[0]):
            return known[1], False
        position = index if known is None and index >= self._count else self._count
        self._by_index[index] = call_id, position
        self._count = max(self._count, position + 1)
        return position, True
