"""What is known of Grok models, by patterns of their names. Unknown names always work.

Patterns deny; nothing is allowed by a list, since names and abilities change every month. What a
model refuses beyond this is learned from its answers, see ``parse_rejected_option``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

DEFAULT_MODEL = "grok-4.7"
"""The model that is asked where nobody names one."""

# Reasoning models answer 400 to these. Old names without reasoning are served by reasoning models
# by now, so one family alone is known to take them.
_REASONING_REFUSES = frozenset({"stop", "presence_penalty", "frequency_penalty"})
_NO_EFFORT = _REASONING_REFUSES | {"reasoning_effort"}

_PAGE = "xAI's models page, read on 2026-10-03"
_SPECIFICATION = "xAI's API specification of 2026-06-08"
_RECORDED = "an answer of xAI's recorded in 2026"
_GUESSED = "no source: the smallest window of the models xAI lists"
_RETIRED = "their own window until 2026-05-15; xAI serves them by grok-4.3 since"

_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "context_window": _PAGE,
        "max_output_tokens": "xAI states none",
        "inputs": _PAGE,
        "outputs": _PAGE,
        "reasons": _PAGE,
        "efforts": _PAGE,
        "refuses": _SPECIFICATION,
        "apis": _PAGE,
    }
)


def _sources(**other: str) -> Mapping[str, str]:
    return MappingProxyType({**_SOURCES, **other})


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Facts about a family of models.

    Attributes:
        context_window: Tokens of prompt and answer together.
        max_output_tokens: Most tokens of an answer; None where xAI states none.
        inputs: What it reads: ``"text"``, ``"image"``.
        outputs: What it gives.
        reasons: Whether it thinks before it answers.
        efforts: Values of ``reasoning_effort`` that are known to work; new ones may, too.
        refuses: Options of a request that it answers with an error.
        apis: Wire forms that it answers in.
        sources: Where each of these facts is from, and of which day.
    """

    context_window: int = 256_000
    max_output_tokens: int | None = None
    inputs: frozenset[str] = frozenset({"text", "image"})
    outputs: frozenset[str] = frozenset({"text"})
    reasons: bool = True
    efforts: tuple[str, ...] = ()
    refuses: frozenset[str] = _REASONING_REFUSES
    apis: frozenset[str] = frozenset({"chat_completions", "messages", "responses"})
    sources: Mapping[str, str] = field(default_factory=_sources, repr=False)


_UNKNOWN = ModelProfile(
    sources=_sources(context_window=_GUESSED, reasons=_GUESSED, inputs=_GUESSED)
)
_LONG = ModelProfile(1_000_000)

# The first pattern that fits the start of a name counts.
_FAMILIES: tuple[tuple[str, ModelProfile], ...] = (
    (
        r"grok-4\.20.*non-reasoning",
        replace(_LONG, reasons=False, refuses=frozenset({"reasoning_effort"})),
    ),
    (
        r"grok-4\.20-multi-agent",
        replace(
            _LONG,
            efforts=("low", "medium", "high", "xhigh"),
            refuses=_REASONING_REFUSES | {"max_tokens"},
            apis=frozenset({"responses"}),
            sources=_sources(refuses=_PAGE),
        ),
    ),
    (r"grok-4\.20", replace(_LONG, refuses=_NO_EFFORT, sources=_sources(refuses=_PAGE))),
    (
        r"grok-4\.3|grok-4(-1|\.1)?-fast|grok-latest|latest$",
        replace(_LONG, efforts=("none", "low", "medium", "high")),
    ),
    (r"grok-4\.5", ModelProfile(500_000, efforts=("low", "medium", "high"))),
    (r"grok-4\.[6-9]", ModelProfile(500_000, efforts=("low", "medium", "high", "xhigh"))),
    (r"grok-(build|code)", ModelProfile(refuses=_NO_EFFORT, sources=_sources(refuses=_RECORDED))),
    (
        r"grok-[23](?!\d)",
        ModelProfile(131_072, sources=_sources(context_window=_RETIRED, inputs=_RETIRED)),
    ),
)


@lru_cache(maxsize=256)
def get_profile(model: str) -> ModelProfile:
    """What is known of a model.

    Example:
        >>> profile_of("grok-4.7").context_window
        500000
        >>> "stop" in profile_of("some-new-model").refuses
        True
        >>> profile_of("grok-4.7").sources["context_window"]
        "xAI's models page, read on 2026-10-03"
    """
    return next((profile for pattern, profile in _FAMILIES if re.match(pattern, model)), _UNKNOWN)


# xAI's two sentences; it writes the names of its own inside, in camel case.
_REFUSALS = re.compile(
    r"argument not supported on this model: *(\w+)|does not support parameter '?(\w+)",
    re.IGNORECASE,
)
# Options whose loss changes how an answer is made, not what is asked or what becomes of the data.
_DISPENSABLE = frozenset(
    {
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
        "reasoning_summary",
        "temperature",
        "top_p",
        "seed",
        "logprobs",
        "top_logprobs",
        "max_tokens",
        "max_turns",
        "parallel_tool_calls",
        "prompt_cache_key",
        "service_tier",
        "user",
    }
)
_OTHER_NAMES = {
    "stop_sequences": "stop",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "effort": "reasoning_effort",
}


def parse_rejected_option(message: str) -> str | None:
    """The option that xAI's answer says a model does not take; None if it says nothing of the kind.

    Options without which the request would mean something else are never named: that answer is an
    error.

    Example:
        >>> refused_option("Argument not supported on this model: presencePenalty")
        'presence_penalty'
        >>> refused_option("Model grok-x does not support parameter reasoningEffort.")
        'reasoning_effort'
    """
    found = _REFUSALS.search(message)
    if found is None:
        return None
    wire_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[1] or found[2]).lower()
    option = _OTHER_NAMES.get(wire_name, wire_name)
    return option if option in _DISPENSABLE else None
