"""The chunks of a streamed ``/v1/chat/completions`` as our events."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode.dialects import UNKNOWN
from xai_lowcode.dialects.bodies import index_of, read_facts, read_usage
from xai_lowcode.dialects.chat_completions.answer import read_citations, read_logprobs
from xai_lowcode.events import (
    Began,
    Cited,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Used,
)
from xai_lowcode.members import count_of, object_of, objects_of, text_of
from xai_lowcode.reply import finish_reason

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
        self._usage: Used | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk."""
        choices = objects_of(chunk, "choices")
        if not choices and (_KNOWN.isdisjoint(chunk) or chunk.get("type") == "error"):
            return UNKNOWN
        events: list[StreamEvent] = []
        if choices and not self._began:
            self._began = True
            events.append(Began(**read_facts(chunk), raw=chunk))
        for choice in choices:
            self._read_choice(choice, chunk, events)
        if "citations" in chunk:
            self._read_new_citations(chunk, events)
        if chunk.get("usage"):
            # Usage has been sent with every chunk, as a running sum: the last one counts.
            usage = read_usage(chunk["usage"])
            self._usage = Used(usage, chunk) if usage else self._usage
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
        index = index_of(choice)
        self._seen.add(index)
        delta = object_of(choice, "delta")
        # Most deltas have one member and heartbeats none: the others are not read in vain.
        if delta.get("reasoning_content"):
            events.append(ReasoningDelta(text_of(delta, "reasoning_content"), index, chunk))
        logprobs = read_logprobs(choice) if choice.get("logprobs") else ()
        if delta.get("content") or logprobs:
            events.append(TextDelta(text_of(delta, "content"), index, logprobs, chunk))
        if delta.get("refusal"):
            events.append(RefusalDelta(text_of(delta, "refusal"), index, chunk))
        if delta.get("tool_calls"):
            events += [
                self._read_call(call, index, chunk) for call in objects_of(delta, "tool_calls")
            ]
        if said := choice.get("finish_reason"):
            self._finished.add(index)
            reason = finish_reason(said, has_calls=index in self._calls)
            events.append(Finished(reason, index, chunk))

    def _read_call(
        self, call: Mapping[str, Any], choice: int, chunk: dict[str, Any]
    ) -> ToolCallDelta:
        begun, identifier = self._calls.get(choice, 0), text_of(call, "id")
        index = count_of(call, "index")
        if index is None:
            # Without a number a call begins where an id stands, and goes on where none does.
            index = begun if identifier or not begun else begun - 1
        self._calls[choice] = max(begun, index + 1)
        function = object_of(call, "function")
        return ToolCallDelta(
            index,
            identifier,
            text_of(function, "name"),
            text_of(function, "arguments"),
            choice,
            chunk,
        )

    def _read_new_citations(self, chunk: dict[str, Any], events: list[StreamEvent]) -> None:
        for citation in read_citations(chunk):
            if citation.url not in self._cited:
                self._cited.add(citation.url)
                events.append(Cited(citation, chunk))
