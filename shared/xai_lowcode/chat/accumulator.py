"""Events folded into the reply they tell of, and a whole reply told in events.

Law: folding the events of a stream gives the reply of the plain answer.
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


class _CallDraft:
    """One tool call being put together."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []

    def part(self) -> ToolCallPart:
        return ToolCallPart(self.id, self.name, "".join(self.arguments))


class _ChoiceDraft:
    """One answer being put together."""

    __slots__ = (
        "calls",
        "dialect",
        "finish",
        "items",
        "logprobs",
        "made",
        "reasoning",
        "refusal",
        "text",
    )

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.logprobs: list[Mapping[str, Any]] = []
        self.made: list[ServerToolPart | ImagePart] = []
        self.items: list[Mapping[str, Any]] = []
        self.calls: dict[int, _CallDraft] = {}
        self.finish = self.dialect = ""

    def add(self, event: ChoiceEvent) -> None:
        match event:
            case TextDelta():
                self.text.append(event.text)
                self.logprobs.extend(event.logprobs)
            case ReasoningDelta():
                self.reasoning.append(event.text)
            case ToolCallDelta():
                self._add_call(event)
            case RefusalDelta():
                self.refusal.append(event.text)
            case ServerToolCalled(part=part) | ImageGenerated(image=part):
                self.made.append(part)
            case OutputItemDone():
                self.items.append(event.item)
                self.dialect = event.dialect
            case ChoiceFinished():
                self.finish = event.reason

    def _add_call(self, piece: ToolCallDelta) -> None:
        call = self.calls.get(piece.index)
        if call is None:
            call = self.calls[piece.index] = _CallDraft()
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.arguments.append(piece.arguments)

    def choice(self) -> Choice:
        reasoning, text = "".join(self.reasoning), "".join(self.text)
        return Choice(
            (
                *((ReasoningPart(reasoning),) if reasoning else ()),
                *self.made,
                *((TextPart(text),) if text else ()),
                *(self.calls[index].part() for index in sorted(self.calls)),
            ),
            self.finish,
            tuple(self.logprobs),
            "".join(self.refusal) or None,
            tuple(self.items),
            self.dialect,
        )


class ResponseAccumulator:
    """Folds events into a reply.

    Example:
        >>> assembler = Assembler()
        >>> for event in (Began(model="grok"), TextDelta("4"), TextDelta("2"), Finished("stop")):
        ...     assembler.add(event)
        >>> assembler.reply().text
        '42'
    """

    def __init__(self) -> None:
        self._began = ResponseStarted()
        self._drafts: dict[int, _ChoiceDraft] = {0: _ChoiceDraft()}
        self._citations: list[Citation] = []
        self._usage: Usage | None = None
        self._raw: Mapping[str, Any] = {}

    def add(self, event: StreamEvent) -> None:
        """Takes the next event."""
        self._raw = event.raw
        match event:
            case ResponseStarted():
                self._began = event
            case UsageReported():
                self._usage = event.usage
            case CitationAdded():
                self._citations.append(event.citation)
            case _:
                self._draft(event.choice).add(event)

    def reply(self) -> ChatResponse:
        """The reply as far as it has come."""
        began = self._began
        return ChatResponse(
            choices=tuple(self._drafts[index].choice() for index in sorted(self._drafts)),
            id=began.id,
            model=began.model,
            created=began.created,
            usage=self._usage,
            citations=tuple(self._citations),
            system_fingerprint=began.system_fingerprint,
            service_tier=began.service_tier,
            raw=self._raw,
        )

    def _draft(self, choice: int) -> _ChoiceDraft:
        draft = self._drafts.get(choice)
        if draft is None:
            draft = self._drafts[choice] = _ChoiceDraft()
        return draft


def response_to_events(reply: ChatResponse) -> Iterator[StreamEvent]:
    """The events of a reply that came in one piece; the assembler's inverse."""
    raw = reply.raw
    yield ResponseStarted(
        reply.id, reply.model, reply.created, reply.system_fingerprint, reply.service_tier, raw
    )
    for index, choice in enumerate(reply.choices):
        yield from _choice_to_events(index, choice, raw)
    for citation in reply.citations:
        yield CitationAdded(citation, raw)
    for index, choice in enumerate(reply.choices):
        yield ChoiceFinished(choice.finish_reason, index, raw)
    if reply.usage is not None:
        yield UsageReported(reply.usage, raw)


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
    for position, call in enumerate(choice.tool_calls):
        yield ToolCallDelta(position, call.id, call.name, call.arguments, index, raw)
    for item in choice.items:
        yield OutputItemDone(item, choice.dialect, index, raw)
