"""The chunks of a streamed ``/v1/chat/completions`` as our events."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode._internal.parsing import get_dict, get_dicts, get_int, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.chat_completions.response import parse_citations, parse_logprobs
from xai_lowcode.chat.dialects.common import get_index, parse_metadata, parse_usage
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.responses import normalize_finish_reason

# Fields of a chunk without choices.
_KNOWN = frozenset({"choices", "usage", "citations"})


class ChatCompletionsDecoder:
    """Turns chunks into events."""

    # The usage may follow whatever looks like the last chunk.
    ended = False

    def __init__(self) -> None:
        self._began = False
        self._cited: set[str] = set()
        self._calls: dict[int, int] = {}
        self._finished: set[int] = set()
        self._seen: set[int] = set()
        self._usage: UsageReported | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk."""
        choices = get_dicts(chunk, "choices")
        if not choices and (_KNOWN.isdisjoint(chunk) or chunk.get("type") == "error"):
            return UNKNOWN
        events: list[StreamEvent] = []
        if choices and not self._began:
            self._began = True
            events.append(ResponseStarted(**parse_metadata(chunk), raw=chunk))
        for choice in choices:
            self._read_choice(choice, chunk, events)
        if "citations" in chunk:
            self._read_new_citations(chunk, events)
        if chunk.get("usage"):
            # Usage has been sent with every chunk, as a running sum: the last one counts.
            usage = parse_usage(chunk["usage"])
            self._usage = UsageReported(usage, chunk) if usage else self._usage
        return events

    def done(self) -> Iterable[StreamEvent]:
        """The usage."""
        if self._usage is not None:
            yield self._usage

    @property
    def complete(self) -> bool:
        """Whether every choice that was seen has its finish reason."""
        return bool(self._seen) and self._seen == self._finished

    def _read_choice(
        self, choice: Mapping[str, Any], chunk: dict[str, Any], events: list[StreamEvent]
    ) -> None:
        index = get_index(choice)
        self._seen.add(index)
        delta = get_dict(choice, "delta")
        # Most deltas have one member and heartbeats none: the others are not read in vain.
        if delta.get("reasoning_content"):
            events.append(ReasoningDelta(get_str(delta, "reasoning_content"), index, chunk))
        logprobs = parse_logprobs(choice) if choice.get("logprobs") else ()
        if delta.get("content") or logprobs:
            events.append(TextDelta(get_str(delta, "content"), index, logprobs, chunk))
        if delta.get("refusal"):
            events.append(RefusalDelta(get_str(delta, "refusal"), index, chunk))
        if delta.get("tool_calls"):
            events += [
                self._read_call(call, index, chunk) for call in get_dicts(delta, "tool_calls")
            ]
        if said := choice.get("finish_reason"):
            self._finished.add(index)
            reason = normalize_finish_reason(said, has_calls=index in self._calls)
            events.append(ChoiceFinished(reason, index, chunk))

    def _read_call(
        self, call: Mapping[str, Any], choice: int, chunk: dict[str, Any]
    ) -> ToolCallDelta:
        begun, identifier = self._calls.get(choice, 0), get_str(call, "id")
        index = get_int(call, "index")
        if index is None:
            # Without a number a call begins where an id stands, and goes on where none does.
            index = begun if identifier or not begun else begun - 1
        self._calls[choice] = max(begun, index + 1)
        function = get_dict(call, "function")
        return ToolCallDelta(
            index,
            identifier,
            get_str(function, "name"),
            get_str(function, "arguments"),
            choice,
            chunk,
        )

    def _read_new_citations(self, chunk: dict[str, Any], events: list[StreamEvent]) -> None:
        for citation in parse_citations(chunk):
            if citation.url not in self._cited:
                self._cited.add(citation.url)
                events.append(CitationAdded(citation, chunk))
