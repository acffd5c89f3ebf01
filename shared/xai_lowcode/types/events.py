"""A reply while it arrives, event by event; ``folding`` makes the whole of them.

Heartbeats have no event; dialects swallow them. Events are not frozen: one is made for each chunk,
and a frozen one takes three times as long to make.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.types.messages import ImagePart, ServerToolPart
from xai_lowcode.types.responses import Citation, Usage


@dataclass(slots=True)
class ResponseStarted:
    """The reply's own facts; comes first, once."""

    id: str = ""
    model: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
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


@dataclass(slots=True)
class ReasoningDelta:
    """More of what the model shows of its thoughts."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ToolCallDelta:
    """A tool call, whole or a piece of it; pieces with one ``index`` belong together."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class RefusalDelta:
    """More of the text with which the model refuses."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ServerToolCalled:
    """A tool of xAI's own was used."""

    part: ServerToolPart
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ImageGenerated:
    """A picture is part of the answer."""

    image: ImagePart
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class OutputItemDone:
    """An item is complete, to be sent back as it is by the dialect that gave it."""

    item: Mapping[str, Any]
    dialect: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class CitationAdded:
    """A source of the answer; each comes once."""

    citation: Citation
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ChoiceFinished:
    """An answer is complete."""

    reason: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class UsageReported:
    """What the call used; comes at most once, last."""

    usage: Usage
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


ChoiceEvent = (
    TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | RefusalDelta
    | ServerToolCalled
    | ImageGenerated
    | OutputItemDone
    | ChoiceFinished
)
"""What belongs to one of the answers."""

StreamEvent = ResponseStarted | ChoiceEvent | CitationAdded | UsageReported
