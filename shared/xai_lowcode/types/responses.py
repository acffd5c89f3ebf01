"""What we get: a reply with its choices, usage and citations.

Plain values, the same from every dialect, whether they came in one piece or in many (``events``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.types.messages import Message, Part, ReasoningPart, TextPart, ToolCallPart

TICKS_PER_USD = 10_000_000_000
"""xAI's unit of cost: 10^10 ticks are one US dollar."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. None means that the service did not say.

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens of the answer, reasoning included.
        total_tokens: As the service counted.
        cached_input_tokens: Part of the input that came from the cache.
        reasoning_tokens: Part of the output that was thought.
        cost_ticks: Cost in 10^-10 US dollars.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_ticks: int | None = None

    @property
    def cost_usd(self) -> float | None:
        """Cost in US dollars."""
        return None if self.cost_ticks is None else self.cost_ticks / TICKS_PER_USD


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the answer.

    Attributes:
        url: Where it is.
        title: What the service calls it.
        start: Where its mark begins in the text; None where the service does not say.
        end: Where its mark ends.
    """

    url: str
    title: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        parts: Reasoning, text and tool calls, in this order.
        finish_reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or what
            else the service says.
        logprobs: Probabilities of the tokens as xAI gives them, if asked for.
        refusal: Text with which the model refused, if it did.
        items: What the service answered, verbatim and in order, to be sent back as it is.
        dialect: The dialect that gave the items.
    """

    parts: tuple[Part, ...]
    finish_reason: str
    logprobs: tuple[Mapping[str, Any], ...] = ()
    refusal: str | None = None
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    dialect: str = ""

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """What the model showed of its thoughts."""
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The calls of the caller's tools."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))

    @property
    def message(self) -> Message:
        """The answer as a turn of the conversation, to be sent back with the next request."""
        return Message("assistant", self.parts, items=self.items, dialect=self.dialect)


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """What a model answered.

    Attributes:
        choices: The answers; one unless more were asked for.
        id: The service's id of the reply.
        model: The model that answered, which is often not the one asked for.
        created: Seconds since 1970.
        usage: What it used; None if the service did not say.
        citations: Sources of the answer.
        system_fingerprint: Version of xAI's back end.
        service_tier: The tier that served the call.
        api: The wire form it came in.
        raw: xAI's body as it came; of a stream its last chunk.
        headers: xAI's response headers, where the gateway passes them on.
    """

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int | None = None
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    system_fingerprint: str | None = None
    service_tier: str | None = None
    api: str = field(default="", compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The visible text of the first answer."""
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        """What the model showed of its thoughts before the first answer."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls of the first answer."""
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> str:
        """Why the first answer ended."""
        return self.choices[0].finish_reason


def normalize_finish_reason(said: Any, *, has_calls: bool) -> str:
    """Why an answer ended, whatever the wire says: calls waiting are always ``"tool_calls"``.

    xAI and what stands before it have been seen to say "stop", "" and null beside tool calls, and
    documents name Anthropic's "end_turn"; agents that believe them stop too early.
    """
    if has_calls:
        return "tool_calls"
    return said if isinstance(said, str) and said not in {"", "end_turn"} else "stop"
