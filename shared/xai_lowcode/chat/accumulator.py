"""Accumulate stream events into a response, and convert a response into events.

The accumulated response of a stream equals the response of the same request without streaming.
"""

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

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
        return ToolCallPart(self.id, self.name, _join(self.arguments))


class ChoiceAccumulator:
    """Accumulates the events of one choice.

    Attributes:
        server_side_parts: Calls of server-side tools, and images.
        items: Output items, as they are sent back.
        dialect: The API of the items.
        finish_reason: Why the choice ended; empty before its end.
    """

    __slots__ = (
        "_logprobs",
        "_reasoning",
        "_refusal",
        "_text",
        "_tool_calls",
        "dialect",
        "finish_reason",
        "items",
        "server_side_parts",
    )

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._logprobs: list[Mapping[str, Any]] = []
        self._tool_calls: dict[int, _ToolCallBuilder] = {}
        self.server_side_parts: list[ServerToolPart | ImagePart] = []
        self.items: list[Mapping[str, Any]] = []
        self.finish_reason = self.dialect = ""

    @property
    def text(self) -> str:
        """The text so far."""
        return _join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return _join(self._reasoning)

    @property
    def refusal(self) -> str:
        """The refusal so far."""
        return _join(self._refusal)

    @property
    def tool_calls(self) -> dict[int, ToolCallPart]:
        """The tool calls so far, by the index of their events."""
        return {index: self._tool_calls[index].build() for index in sorted(self._tool_calls)}

    def add(self, event: ChoiceEvent) -> None:
        """Add the next event."""
        match event:
            case TextDelta():
                self._text.append(event.text)
                self._logprobs.extend(event.logprobs)
            case ReasoningDelta():
                self._reasoning.append(event.text)
            case ToolCallDelta():
                self._add_tool_call(event)
            case RefusalDelta():
                self._refusal.append(event.text)
            case ServerToolCalled(part=part) | ImageGenerated(image=part):
                self.server_side_parts.append(part)
            case OutputItemDone():
                self.items.append(event.item)
                self.dialect = event.dialect
            case ChoiceFinished():
                self.finish_reason = event.reason
            case _:
                assert_never(event)

    def build(self) -> Choice:
        """Return the choice so far."""
        reasoning, text = self.reasoning, self.text
        return Choice(
            (
                *((ReasoningPart(reasoning),) if reasoning else ()),
                *self.server_side_parts,
                *((TextPart(text),) if text else ()),
                *self.tool_calls.values(),
            ),
            self.finish_reason,
            tuple(self._logprobs),
            self.refusal or None,
            tuple(self.items),
            self.dialect,
        )

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        call = self._tool_calls.get(delta.index)
        if call is None:
            call = self._tool_calls[delta.index] = _ToolCallBuilder()
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        call.arguments.append(delta.arguments)


def _join(pieces: list[str]) -> str:
    """Join pieces in place, so that joining after each piece copies the text once."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


class ResponseAccumulator:
    """Accumulates the events of a stream into a response.

    Attributes:
        started: The event of the start; one without data if there was none.
        completed: The event of the end; one without data if there was none.
        citations: The citations so far.
        usage: The usage; None if not reported yet.

    Example:
        >>> accumulator = ResponseAccumulator()
        >>> for event in (TextDelta("4"), TextDelta("2"), ChoiceFinished("stop")):
        ...     accumulator.add(event)
        >>> accumulator.build_response().text
        '42'
    """

    def __init__(self) -> None:
        self.started = ResponseStarted()
        self.completed = ResponseCompleted()
        self.citations: list[Citation] = []
        self.usage: Usage | None = None
        self._choices: dict[int, ChoiceAccumulator] = {0: ChoiceAccumulator()}
        self._raw: Mapping[str, Any] = {}

    @property
    def choice(self) -> ChoiceAccumulator:
        """The first choice."""
        return self._choices[0]

    @property
    def service_tier(self) -> str | None:
        """The service tier that was used; the one that was requested may be another."""
        return self.completed.service_tier or self.started.service_tier

    def add(self, event: StreamEvent) -> None:
        """Add the next event."""
        self._raw = event.raw
        match event:
            case ResponseStarted():
                self.started = event
            case ResponseCompleted():
                self.completed = event
            case UsageReported():
                self.usage = event.usage
            case CitationAdded():
                self.citations.append(event.citation)
            case _:
                self._get_choice(event.choice).add(event)

    def build_response(self) -> ChatResponse:
        """Return the response so far."""
        started = self.started
        return ChatResponse(
            choices=tuple(self._choices[index].build() for index in sorted(self._choices)),
            id=started.id,
            model=started.model,
            created=started.created,
            usage=self.usage,
            citations=tuple(self.citations),
            system_fingerprint=started.system_fingerprint,
            service_tier=self.service_tier,
            extra=self.completed.extra,
            raw=self._raw,
        )

    def _get_choice(self, index: int) -> ChoiceAccumulator:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = ChoiceAccumulator()
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
