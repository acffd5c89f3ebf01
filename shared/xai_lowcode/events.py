"""A reply while it arrives: its events, and the assembler that folds them into the whole.

Law: folding the events of a stream gives the reply of the plain answer. Heartbeats have no event;
dialects swallow them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.conversation import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.reply import Choice, Citation, Reply, Usage


@dataclass(frozen=True, slots=True)
class Began:
    """The reply's own facts; comes first, once."""

    id: str = ""
    model: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text.

    Attributes:
        text: The new piece.
        choice: Which answer it belongs to.
        logprobs: Probabilities of its tokens, if asked for.
        raw: The chunk it came in, without envelope.
    """

    text: str
    choice: int = 0
    logprobs: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model shows of its thoughts."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A tool call, whole or a piece of it; pieces with one ``index`` belong together."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the text with which the model refuses."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Cited:
    """A source of the answer; each comes once."""

    citation: Citation
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer is complete."""

    reason: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Used:
    """What the call used; comes at most once, last."""

    usage: Usage
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


StreamEvent = (
    Began | TextDelta | ReasoningDelta | ToolCallDelta | RefusalDelta | Cited | Finished | Used
)


class _ChoiceDraft:
    """One answer being put together."""

    __slots__ = ("calls", "finish", "logprobs", "reasoning", "refusal", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.logprobs: list[Mapping[str, Any]] = []
        self.calls: dict[int, list[str]] = {}
        self.finish = ""

    def add_call(self, piece: ToolCallDelta) -> None:
        call = self.calls.setdefault(piece.index, ["", "", ""])
        call[0] = call[0] or piece.id
        call[1] = call[1] or piece.name
        call[2] += piece.arguments

    def choice(self) -> Choice:
        reasoning, text = "".join(self.reasoning), "".join(self.text)
        return Choice(
            (
                *((ReasoningPart(reasoning),) if reasoning else ()),
                *((TextPart(text),) if text else ()),
                *(ToolCallPart(*self.calls[index]) for index in sorted(self.calls)),
            ),
            self.finish,
            tuple(self.logprobs),
            "".join(self.refusal) or None,
        )


class Assembler:
    """Folds events into a reply.

    Example:
        >>> assembler = Assembler()
        >>> for event in (Began(model="grok"), TextDelta("4"), TextDelta("2"), Finished("stop")):
        ...     assembler.add(event)
        >>> assembler.reply().text
        '42'
    """

    def __init__(self) -> None:
        self._began = Began()
        self._drafts: dict[int, _ChoiceDraft] = {0: _ChoiceDraft()}
        self._citations: list[Citation] = []
        self._usage: Usage | None = None
        self._raw: Mapping[str, Any] = {}

    def add(self, event: StreamEvent) -> None:
        """Takes the next event."""
        self._raw = event.raw
        match event:
            case TextDelta():
                draft = self._draft(event.choice)
                draft.text.append(event.text)
                draft.logprobs.extend(event.logprobs)
            case ReasoningDelta():
                self._draft(event.choice).reasoning.append(event.text)
            case ToolCallDelta():
                self._draft(event.choice).add_call(event)
            case RefusalDelta():
                self._draft(event.choice).refusal.append(event.text)
            case Finished():
                self._draft(event.choice).finish = event.reason
            case Cited():
                self._citations.append(event.citation)
            case Used():
                self._usage = event.usage
            case Began():
                self._began = event

    def reply(self) -> Reply:
        """The reply as far as it has come."""
        began = self._began
        return Reply(
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


def events_of(reply: Reply) -> Iterator[StreamEvent]:
    """The events of a reply that came in one piece; the assembler's inverse."""
    raw = reply.raw
    yield Began(
        reply.id, reply.model, reply.created, reply.system_fingerprint, reply.service_tier, raw
    )
    for index, choice in enumerate(reply.choices):
        yield from _events_of_choice(index, choice, raw)
    for citation in reply.citations:
        yield Cited(citation, raw)
    for index, choice in enumerate(reply.choices):
        yield Finished(choice.finish_reason, index, raw)
    if reply.usage is not None:
        yield Used(reply.usage, raw)


def _events_of_choice(index: int, choice: Choice, raw: Mapping[str, Any]) -> Iterator[StreamEvent]:
    if choice.reasoning:
        yield ReasoningDelta(choice.reasoning, index, raw)
    if choice.text or choice.logprobs:
        yield TextDelta(choice.text, index, choice.logprobs, raw)
    if choice.refusal:
        yield RefusalDelta(choice.refusal, index, raw)
    for position, call in enumerate(choice.tool_calls):
        yield ToolCallDelta(position, call.id, call.name, call.arguments, index, raw)
