"""Accumulate stream events into a response, and convert a response into events.

The accumulated response of a stream equals the response of the same request without streaming.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode.types.events import (
    ChoiceEvent,
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
from xai_lowcode.types.messages import (
    ImagePart,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
)
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage


class _ToolCallBuilder:
    """Builds one tool call from its deltas."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []

    def build(self) -> ToolCallPart:
        return ToolCallPart(self.id, self.name, "".join(self.arguments))


class _ChoiceBuilder:
    """Builds one choice from its events."""

    __slots__ = (
        "dialect",
        "finish_reason",
        "items",
        "logprobs",
        "reasoning",
        "refusal",
        "server_side_parts",
        "text",
        "tool_calls",
    )

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.logprobs: list[Mapping[str, Any]] = []
        self.server_side_parts: list[ServerToolPart | ImagePart] = []
        self.items: list[Mapping[str, Any]] = []
        self.tool_calls: dict[int, _ToolCallBuilder] = {}
        self.finish_reason = self.dialect = ""

    def add(self, event: ChoiceEvent) -> None:
        match event:
            case TextDelta():
                self.text.append(event.text)
                self.logprobs.extend(event.logprobs)
            case ReasoningDelta():
                self.reasoning.append(event.text)
            case ToolCallDelta():
                self._add_tool_call(event)
            case RefusalDelta():
                self.refusal.append(event.text)
            case ServerToolCalled(part=part) | ImageGenerated(image=part):
                self.server_side_parts.append(part)
            case OutputItemDone():
                self.items.append(event.item)
                self.dialect = event.dialect
            case ChoiceFinished():
                self.finish_reason = event.reason

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        call = self.tool_calls.get(delta.index)
        if call is None:
            call = self.tool_calls[delta.index] = _ToolCallBuilder()
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        call.arguments.append(delta.arguments)

    def build(self) -> Choice:
        reasoning, text = "".join(self.reasoning), "".join(self.text)
        return Choice(
            (
                *((ReasoningPart(reasoning),) if reasoning else ()),
                *self.server_side_parts,
                *((TextPart(text),) if text else ()),
                *(self.tool_calls[index].build() for index in sorted(self.tool_calls)),
            ),
            self.finish_reason,
            tuple(self.logprobs),
            "".join(self.refusal) or None,
            tuple(self.items),
            self.dialect,
        )


class ResponseAccumulator:
    """Accumulates the events of a stream into a response.

    Example:
        >>> accumulator = ResponseAccumulator()
        >>> for event in (TextDelta("4"), TextDelta("2"), ChoiceFinished("stop")):
        ...     accumulator.add(event)
        >>> accumulator.build_response().text
        '42'
    """

    def __init__(self) -> None:
        self._started = ResponseStarted()
        self._completed = ResponseCompleted()
        self._choices: dict[int, _ChoiceBuilder] = {0: _ChoiceBuilder()}
        self._citations: list[Citation] = []
        self._usage: Usage | None = None
        self._raw: Mapping[str, Any] = {}

    def add(self, event: StreamEvent) -> None:
        """Add the next event."""
        self._raw = event.raw
        match event:
            case ResponseStarted():
                self._started = event
            case ResponseCompleted():
                self._completed = event
            case UsageReported():
                self._usage = event.usage
            case CitationAdded():
                self._citations.append(event.citation)
            case _:
                self._get_choice(event.choice).add(event)

    def build_response(self) -> ChatResponse:
        """Return the response so far."""
        started, completed = self._started, self._completed
        return ChatResponse(
            choices=tuple(self._choices[index].build() for index in sorted(self._choices)),
            id=started.id,
            model=started.model,
            created=started.created,
            usage=self._usage,
            citations=tuple(self._citations),
            system_fingerprint=started.system_fingerprint,
            service_tier=completed.service_tier or started.service_tier,
            extra=completed.extra,
            raw=self._raw,
        )

    def _get_choice(self, index: int) -> _ChoiceBuilder:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _ChoiceBuilder()
        return choice


def response_to_events(response: ChatResponse) -> Iterator[StreamEvent]:
    """Yield the events of a response that was not streamed; inverse of ``ResponseAccumulator``."""
    raw = response.raw
    yield ResponseStarted(
        response.id,
        response.model,
        response.created,
        response.system_fingerprint,
        response.service_tier,
        raw,
    )
    for index, choice in enumerate(response.choices):
        yield from _choice_to_events(index, choice, raw)
    for citation in response.citations:
        yield CitationAdded(citation, raw)
    for index, choice in enumerate(response.choices):
        yield ChoiceFinished(choice.finish_reason, index, raw)
    if response.extra:
        yield ResponseCompleted(extra=response.extra, raw=raw)
    if response.usage is not None:
        yield UsageReported(response.usage, raw)


def _choice_to_events(index: int, choice: Choice, raw: Mapping[str, Any]) -> Iterator[StreamEvent]:
    if choice.reasoning:
        yield ReasoningDelta(choice.reasoning, index, raw)
    for part in choice.parts:
        if isinstance(part, ServerToolPart):
            yield ServerToolCalled(part, index, raw)
        elif isinstance(part, ImagePart):
            yield ImageGenerated(part, index, raw)
    if choice.text or choice.logprobs:
        yield TextDelta(choice.text, index, choice.logprobs, raw)
    if choice.refusal:
        yield RefusalDelta(choice.refusal, index, raw)
    for call_index, call in enumerate(choice.tool_calls):
        yield ToolCallDelta(call_index, call.id, call.name, call.arguments, index, raw)
    for item in choice.items:
        yield OutputItemDone(item, choice.dialect, index, raw)
