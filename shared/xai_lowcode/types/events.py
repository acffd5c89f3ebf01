"""Events of a streamed response; ``chat.accumulator`` combines them into a ``ChatResponse``.

Heartbeats produce no event. One is created for each chunk. They are therefore not frozen, which
would take three times as long, and repeat ``raw`` and ``choice``, since keyword-only fields of a
base class would take twice as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.types.messages import ImagePart, ServerToolPart
from xai_lowcode.types.responses import Citation, Usage


@dataclass(slots=True)
class ResponseStarted:
    """Metadata of the response; the first event, emitted once."""

    id: str = ""
    model: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class TextDelta:
    """A piece of text content.

    Attributes:
        text: The new text.
        choice: Index of the choice it belongs to.
        logprobs: Log probabilities of its tokens, if requested.
        raw: The chunk that contained it, without the envelope.
    """

    text: str
    choice: int = 0
    logprobs: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ReasoningDelta:
    """A piece of reasoning content."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ToolCallDelta:
    """A tool call or a part of one; parts with the same ``index`` belong together."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class RefusalDelta:
    """A piece of the refusal message."""

    text: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ServerToolCalled:
    """A server-side tool was called."""

    part: ServerToolPart
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ImageGenerated:
    """An image was generated."""

    image: ImagePart
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class OutputItemDone:
    """An output item is complete; the same dialect sends it back unchanged."""

    item: Mapping[str, Any]
    dialect: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class CitationAdded:
    """A citation; each is emitted once."""

    citation: Citation
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ChoiceFinished:
    """A choice is complete."""

    reason: str
    choice: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class ResponseCompleted:
    """Metadata of the response that is known at its end; emitted at most once.

    Attributes:
        service_tier: The service tier that was used; None if it is the one of ``ResponseStarted``.
        extra: See ``ChatResponse.extra``.
        raw: The chunk that contained it, without the envelope.
    """

    service_tier: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class UsageReported:
    """Token usage of the call; the last event, emitted at most once."""

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
"""Events that belong to one choice."""

StreamEvent = ResponseStarted | ChoiceEvent | CitationAdded | ResponseCompleted | UsageReported
