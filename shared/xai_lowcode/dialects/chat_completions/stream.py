"""The chunks of a streamed ``/v1/chat/completions`` as our events."""

from collections.abc import Iterable, Mapping
from typing import Any

from xai_lowcode.dialects.chat_completions.answer import (
    object_of,
    objects_of,
    read_citations,
    read_facts,
    read_logprobs,
    read_usage,
    text_of,
)
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
from xai_lowcode.reply import finish_reason


class ChatCompletionsDecoder:
    """Turns chunks into events."""

    def __init__(self) -> None:
        self._began = False
        self._cited: set[str] = set()
        self._calls: dict[int, int] = {}
        self._finished: set[int] = set()
        self._seen: set[int] = set()
        self._usage: Used | None = None

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk."""
        events: list[StreamEvent] = []
        if not self._began:
            self._began = True
            events.append(Began(**read_facts(chunk), raw=chunk))
        for choice in objects_of(chunk, "choices"):
            self._read_choice(choice, chunk, events)
        if "citations" in chunk:
            self._read_new_citations(chunk, events)
        if chunk.get("usage"):
            # Usage has been sent with every chunk, as a running sum: the last one counts.
            usage = read_usage(chunk["usage"])
            self._usage = Used(usage, chunk) if usage else self._usage
        return events

    def done(self) -> Iterable[StreamEvent]:
        """The usage, and the finish of answers that came without a reason."""
        for index in sorted(self._seen - self._finished):
            yield Finished(finish_reason(None, has_calls=index in self._calls), index)
        if self._usage is not None:
            yield self._usage

    @property
    def complete(self) -> bool:
        """Whether every answer has its finish reason."""
        return bool(self._seen) and self._seen == self._finished

    def _read_choice(
        self, choice: Mapping[str, Any], chunk: dict[str, Any], events: list[StreamEvent]
    ) -> None:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        self._seen.add(index)
        delta = object_of(choice, "delta")
        if reasoning := text_of(delta, "reasoning_content"):
            events.append(ReasoningDelta(reasoning, index, chunk))
        text = text_of(delta, "content")
        logprobs = read_logprobs(choice) if choice.get("logprobs") else ()
        if text or logprobs:
            events.append(TextDelta(text, index, logprobs, chunk))
        if refusal := text_of(delta, "refusal"):
            events.append(RefusalDelta(refusal, index, chunk))
        events.extend(
            self._read_call(call, index, chunk) for call in objects_of(delta, "tool_calls")
        )
        if said := choice.get("finish_reason"):
            self._finished.add(index)
            reason = finish_reason(said, has_calls=index in self._calls)
            events.append(Finished(reason, index, chunk))

    def _read_call(
        self, call: Mapping[str, Any], choice: int, chunk: dict[str, Any]
    ) -> ToolCallDelta:
        begun, identifier = self._calls.get(choice, 0), text_of(call, "id")
        index = call.get("index")
        if not isinstance(index, int):
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
