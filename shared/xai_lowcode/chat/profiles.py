"""Profiles of Grok models, by patterns of their names. Unknown names always work.

A profile lists what a model rejects, not what it supports, since names and capabilities change
often. Other rejected options are detected in responses, see ``parse_rejected_option``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

DEFAULT_MODEL = "grok-4.7"
"""The default model."""

# Reasoning models reject these with status 400. xAI serves old names of models without reasoning by
# reasoning models, so that only one family supports them.
_REJECTED_BY_REASONING = frozenset({"stop", "presence_penalty", "frequency_penalty"})
_NO_REASONING_EFFORT = _REJECTED_BY_REASONING | {"reasoning_effort"}

_MODELS_PAGE = "xAI's models page, read on 2026-10-03"
_API_SPECIFICATION = "xAI's API specification of 2026-06-08"
_RECORDED_RESPONSE = "a response of xAI's API, recorded in 2026"
_NO_SOURCE = "no source: the smallest context window of the models that xAI lists"
_RETIRED = "the retired model until 2026-05-15; xAI has served its name with grok-4.3 since"

_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "context_window": _MODELS_PAGE,
        "max_output_tokens": "not published by xAI",
        "input_modalities": _MODELS_PAGE,
        "output_modalities": _MODELS_PAGE,
        "reasoning": _MODELS_PAGE,
        "reasoning_efforts": _MODELS_PAGE,
        "unsupported": _API_SPECIFICATION,
        "apis": _MODELS_PAGE,
    }
)


def _sources(**overrides: str) -> Mapping[str, str]:
    return MappingProxyType({**_SOURCES, **overrides})


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Capabilities and limits of a model family.

    Attributes:
        context_window: Maximum number of tokens of prompt and output together.
        max_output_tokens: Maximum number of output tokens; None if xAI publishes none.
        input_modalities: Supported input: ``"text"``, ``"image"``.
        output_modalities: Supported output: ``"text"``.
        reasoning: Whether it is a reasoning model.
        reasoning_efforts: Known values of ``reasoning_effort``; others are sent, too.
        unsupported: Options of ``ChatRequest`` that the model rejects. They are not sent.
        apis: APIs that serve the model, as in ``api=``.
        sources: Source and date of each of these values, by attribute.
    """

    context_window: int = 256_000
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] = frozenset({"text", "image"})
    output_modalities: frozenset[str] = frozenset({"text"})
    reasoning: bool = True
    reasoning_efforts: tuple[str, ...] = ()
    unsupported: frozenset[str] = _REJECTED_BY_REASONING
    apis: frozenset[str] = frozenset({"chat_completions", "messages", "responses"})
    sources: Mapping[str, str] = field(default_factory=_sources, repr=False)


_UNKNOWN = ModelProfile(
    sources=_sources(context_window=_NO_SOURCE, reasoning=_NO_SOURCE, input_modalities=_NO_SOURCE)
)
_ONE_MILLION_TOKENS = ModelProfile(1_000_000)

# The first pattern that matches the start of a name applies.
_FAMILIES: tuple[tuple[str, ModelProfile], ...] = (
    (
        r"grok-4\.20.*non-reasoning",
        replace(
            _ONE_MILLION_TOKENS,
            reasoning=False,
            unsupported=frozenset({"reasoning_effort", "use_encrypted_content"}),
        ),
    ),
    (
        r"grok-4\.20-multi-agent",
        replace(
            _ONE_MILLION_TOKENS,
            reasoning_efforts=("low", "medium", "high", "xhigh"),
            unsupported=_REJECTED_BY_REASONING | {"max_tokens"},
            apis=frozenset({"responses"}),
            sources=_sources(unsupported=_MODELS_PAGE),
        ),
    ),
    (
        r"grok-4\.20",
        replace(
            _ONE_MILLION_TOKENS,
            unsupported=_NO_REASONING_EFFORT,
            sources=_sources(unsupported=_MODELS_PAGE),
        ),
    ),
    (
        r"grok-4\.3|grok-4(-1|\.1)?-fast|grok-latest|latest$",
        replace(_ONE_MILLION_TOKENS, reasoning_efforts=("none", "low", "medium", "high")),
    ),
    (r"grok-4\.5", ModelProfile(500_000, reasoning_efforts=("low", "medium", "high"))),
    (
        r"grok-4\.[6-9]",
        ModelProfile(500_000, reasoning_efforts=("low", "medium", "high", "xhigh")),
    ),
    (
        r"grok-(build|code)",
        ModelProfile(
            unsupported=_NO_REASONING_EFFORT, sources=_sources(unsupported=_RECORDED_RESPONSE)
        ),
    ),
    (
        r"grok-[23](?!\d)",
        ModelProfile(131_072, sources=_sources(context_window=_RETIRED, input_modalities=_RETIRED)),
    ),
)


@lru_cache(maxsize=256)
def get_profile(model: str) -> ModelProfile:
    """Return the profile of a model; a default one for an unknown name.

    Args:
        model: Name of the model.

    Example:
        >>> get_profile("grok-4.7").context_window
        500000
        >>> "stop" in get_profile("some-new-model").unsupported
        True
        >>> get_profile("grok-4.7").sources["context_window"]
        "xAI's models page, read on 2026-10-03"
    """
    return next((profile for pattern, profile in _FAMILIES if re.match(pattern, model)), _UNKNOWN)


# xAI's messages, in which names of options are in camel case.
_REJECTION = re.compile(
    r"argument not supported(?: on this model)?: *(\w+)|does not support parameter '?(\w+)",
    re.IGNORECASE,
)
_NO_ENCRYPTED_CONTENT = re.compile(
    r"not support.*encrypted|encrypted.*not (?:\w+ )?support", re.IGNORECASE | re.DOTALL
)
# Options that change how the output is generated, but neither the task nor the handling of data.
_DROPPABLE_OPTIONS = frozenset(
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
        "top_k",
        "min_p",
        "safety_identifier",
        "stream_usage",
        "use_encrypted_content",
    }
)
_OPTIONS_BY_API_NAME = {
    "stop_sequences": "stop",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "effort": "reasoning_effort",
    "stream_options": "stream_usage",
    "include": "use_encrypted_content",
}


def parse_rejected_option(message: str) -> str | None:
    """Parse the option that a model rejects out of an error message.

    Args:
        message: The message of a ``BadRequestError``.

    Returns:
        The name of the option in ``ChatRequest``; None if the message reports another error, or if
        the request would have another meaning without the option.

    Example:
        >>> parse_rejected_option("Argument not supported on this model: presencePenalty")
        'presence_penalty'
        >>> parse_rejected_option("Model grok-x does not support parameter reasoningEffort.")
        'reasoning_effort'
    """
    match = _REJECTION.search(message)
    if match is None:
        return "use_encrypted_content" if _NO_ENCRYPTED_CONTENT.search(message) else None
    api_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", match[1] or match[2]).lower()
    option = _OPTIONS_BY_API_NAME.get(api_name, api_name)
    return option if option in _DROPPABLE_OPTIONS else None
