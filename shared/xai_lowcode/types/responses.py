"""The response of a model: choices, usage and citations.

Plain values, the same for every API, streamed or not. Nothing modifies them; see ``messages`` for
why they are not frozen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode._internal.values import Value
from xai_lowcode.types.messages import Message, Part, ReasoningPart, TextPart, ToolCallPart

TICKS_PER_USD = 10_000_000_000
"""Ticks, xAI's unit of cost, in one US dollar."""

# Names of the APIs for counts that are fields of ``Usage``, and for objects with more details.
_COUNTS = frozenset(
    {"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"}
)
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")
_RENAMED = _COUNTS.union(_PROMPT_DETAILS, _COMPLETION_DETAILS)


@dataclass(slots=True, eq=False, repr=False)
class Usage(Value):
    """Token usage and cost of a call. None means that the service did not return the value.

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens of the output, reasoning included.
        total_tokens: Sum as returned by the service.
        cached_input_tokens: Input tokens that were read from the cache.
        reasoning_tokens: Output tokens that were used for reasoning.
        cost_ticks: Cost in 10^-10 US dollars.
        details: The service's usage object, unchanged; its counts have the meaning of its API.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_ticks: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def cost_usd(self) -> float | None:
        """Cost in US dollars."""
        return None if self.cost_ticks is None else self.cost_ticks / TICKS_PER_USD

    def to_token_usage(self) -> dict[str, Any]:
        """Return the usage with the names of OpenAI's Chat Completions, alike for all APIs.

        Completion tokens include reasoning tokens, so that prompt and completion are the total.
        Details without a field (sources, server-side tools, modalities) keep their names.

        Example:
            >>> details = {"output_tokens": 4, "num_sources_used": 1}
            >>> Usage(3, 4, 7, details=details).to_token_usage()  # doctest: +NORMALIZE_WHITESPACE
            {'prompt_tokens': 3, 'completion_tokens': 4, 'total_tokens': 7,
             'num_sources_used': 1}
        """
        prompt = self._get_details(_PROMPT_DETAILS, cached_tokens=self.cached_input_tokens)
        completion = self._get_details(_COMPLETION_DETAILS, reasoning_tokens=self.reasoning_tokens)
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
            **{name: value for name, value in self.details.items() if name not in _RENAMED},
            **({"prompt_tokens_details": prompt} if prompt else {}),
            **({"completion_tokens_details": completion} if completion else {}),
        }

    def _get_details(self, names: tuple[str, ...], **counts: int | None) -> dict[str, Any]:
        details: dict[str, Any] = {}
        for name in names:
            if isinstance(value := self.details.get(name), dict):
                details = value
                break
        return details | {name: count for name, count in counts.items() if count is not None}


@dataclass(slots=True, eq=False, repr=False)
class Citation(Value):
    """A source cited in the response.

    Attributes:
        url: URL of the source.
        title: Title, as returned by the service.
        start: Start index of its marker in the text; None if the service did not return it.
        end: End index of its marker.
    """

    url: str
    title: str | None = None
    start: int | None = None
    end: int | None = None

    def is_within(self, length: int) -> bool:
        """Return whether its marker, if it has one, is within the first characters of the text."""
        return max(self.start or 0, self.end or 0) <= length


@dataclass(slots=True, eq=False, repr=False)
class Choice(Value):
    """One of the ``n`` choices of a response.

    Attributes:
        parts: Reasoning, text and tool calls, in this order.
        finish_reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or
            another value of the service.
        logprobs: Log probabilities of the tokens as returned by xAI, if requested.
        refusal: The refusal message, if the model refused.
        items: Output items of the service, unchanged and in order, to be sent back.
        dialect: The dialect of the items.
    """

    parts: tuple[Part, ...]
    finish_reason: str
    logprobs: tuple[Mapping[str, Any], ...] = ()
    refusal: str | None = None
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    dialect: str = ""

    @property
    def text(self) -> str:
        """The text content."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """The reasoning content."""
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls that the caller must execute."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))

    @property
    def message(self) -> Message:
        """The assistant message, to be sent back with the next request."""
        return Message("assistant", self.parts, items=self.items, dialect=self.dialect)


@dataclass(slots=True, eq=False, repr=False)
class ChatResponse(Value):
    """The response of a model.

    Attributes:
        choices: The choices; one unless ``n`` was set.
        id: Id of the response.
        model: The model that generated the response, which may differ from the requested one.
        created: Unix time in seconds.
        usage: Token usage; None if the service did not return it.
        citations: Cited sources.
        system_fingerprint: Version of xAI's backend.
        service_tier: Service tier of the call.
        extra: Other members of the response, for instance ``output_files``, ``status`` and
            ``stop_sequence``. Options of the request, which Responses repeats, are left out.
        api: The API that returned it.
        raw: xAI's response body; for a stream, its last chunk.
        headers: xAI's response headers, if the gateway returns them.
    """

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int | None = None
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    api: str = field(default="", compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        """The reasoning content of the first choice."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls of the first choice."""
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> str:
        """The finish reason of the first choice."""
        return self.choices[0].finish_reason


# The response may have ended inside a tool call.
_TRUNCATED = frozenset({"length", "content_filter"})

REFUSAL_REASONS = frozenset({"refusal", "content_filter"})
"""Finish reasons of refusals that are no field of their own; the text is the refusal's, if any."""


def normalize_finish_reason(reason: Any, *, has_calls: bool) -> str:
    """Return the finish reason; ``"tool_calls"`` if there are tool calls that are not truncated.

    xAI and gateways return "stop", "" and null beside tool calls, and "end_turn" of the Messages
    API; agents that rely on these values stop too early.
    """
    if has_calls and not (isinstance(reason, str) and reason in _TRUNCATED):
        return "tool_calls"
    return reason if isinstance(reason, str) and reason not in {"", "end_turn"} else "stop"
