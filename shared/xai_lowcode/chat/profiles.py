"""Profiles of Grok models, by rules about their names. Unknown names always work.

A profile lists what a model rejects, not what it supports, since names and capabilities change
often. Other rejected options are detected in responses, see ``parse_rejected_option``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from xai_lowcode._internal.values import Value
from xai_lowcode.types.requests import ENCRYPTED_REASONING

DEFAULT_MODEL = "grok-4.7"
"""The default model."""

# Reasoning models reject these with status 400. xAI serves old names of models without reasoning by
# reasoning models, so that only one family supports them.
_REJECTED_BY_REASONING = frozenset({"stop", "presence_penalty", "frequency_penalty"})
_NO_REASONING_EFFORT = _REJECTED_BY_REASONING | {"reasoning_effort"}

_MODELS_PAGE = "xAI's models page, read on 2026-10-03"
_DOCUMENTATION = "xAI's documentation, read on 2026-11-30"
_API_SPECIFICATION = "xAI's API specification of 2026-06-08"
_RECORDED_RESPONSE = "a response of xAI's API, recorded in 2026"
_MODELS_DEV = "models.dev, a public list of models, as of 2026-07"
_NOT_PUBLISHED = "no source: not published by xAI"
_NO_SOURCE = "no source: the smallest context window of the models that xAI lists"
_RETIRED = "the retired model until 2026-05-15; xAI has served its name with grok-4.3 since"
_REDIRECTED = "grok-4.3, which has served this name since 2026-05-15"
_NEWEST_SOURCE = f"no source: as {DEFAULT_MODEL}, the newest model on 2026-11-30"

_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "name": _MODELS_PAGE,
        "release_date": _NOT_PUBLISHED,
        "context_window": _MODELS_PAGE,
        "max_output_tokens": _NOT_PUBLISHED,
        "input_modalities": _DOCUMENTATION,
        "output_modalities": _MODELS_PAGE,
        "reasoning": _MODELS_PAGE,
        "reasoning_efforts": _MODELS_PAGE,
        "default_reasoning_effort": _MODELS_PAGE,
        "tool_calling": _MODELS_PAGE,
        "deprecated": _MODELS_PAGE,
        "unsupported": _API_SPECIFICATION,
        "apis": _MODELS_PAGE,
    }
)


def _sources(**overrides: str) -> Mapping[str, str]:
    return MappingProxyType({**_SOURCES, **overrides})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelProfile(Value):
    """Capabilities and limits of a model family.

    Attributes:
        name: Name for people, for instance ``"Grok 4.7"``; None if it is unknown which model
            serves the name.
        release_date: Release date, ``"YYYY-MM-DD"``; None if unknown.
        context_window: Maximum number of tokens of prompt and output together.
        max_output_tokens: Maximum number of output tokens; None if unknown.
        input_modalities: Supported input: ``"text"``, ``"image"``, ``"pdf"``.
        output_modalities: Supported output: ``"text"``.
        reasoning: Whether it is a reasoning model.
        reasoning_efforts: Known values of ``reasoning_effort``; others are sent, too.
        default_reasoning_effort: The value that applies if none is sent; None if unknown.
        tool_calling: Whether the model can call the caller's own tools.
        deprecated: Whether xAI has retired the model, also if it still serves the name.
        unsupported: Options of ``ChatRequest`` that the model rejects. They are not sent.
        apis: APIs that serve the model, as in ``api=``.
        sources: Source and date of each of these values, by attribute.
    """

    name: str | None = None
    release_date: str | None = None
    context_window: int = 256_000
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] = frozenset({"text", "image", "pdf"})
    output_modalities: frozenset[str] = frozenset({"text"})
    reasoning: bool = True
    reasoning_efforts: tuple[str, ...] = ()
    default_reasoning_effort: str | None = None
    tool_calling: bool = True
    deprecated: bool = False
    unsupported: frozenset[str] = _REJECTED_BY_REASONING
    apis: frozenset[str] = frozenset({"chat_completions", "messages", "responses"})
    sources: Mapping[str, str] = field(default_factory=_sources, repr=False)


_UNKNOWN = ModelProfile(
    sources=_sources(
        name=_NO_SOURCE,
        context_window=_NO_SOURCE,
        reasoning=_NO_SOURCE,
        input_modalities=_NO_SOURCE,
    )
)
_LISTED = {"release_date": _MODELS_DEV, "max_output_tokens": _MODELS_DEV}
_GROK_4_20 = ModelProfile(
    name="Grok 4.20 (Reasoning)",
    release_date="2026-03-09",
    context_window=1_000_000,
    max_output_tokens=30_000,
    unsupported=_NO_REASONING_EFFORT,
    sources=_sources(unsupported=_MODELS_PAGE, **_LISTED),
)
_GROK_4_3 = ModelProfile(
    name="Grok 4.3",
    release_date="2026-04-17",
    context_window=1_000_000,
    max_output_tokens=30_000,
    reasoning_efforts=("none", "low", "medium", "high"),
    default_reasoning_effort="low",
    sources=_sources(**_LISTED),
)
_GROK_4_5 = ModelProfile(
    name="Grok 4.5",
    release_date="2026-07-08",
    context_window=500_000,
    max_output_tokens=500_000,
    reasoning_efforts=("low", "medium", "high"),
    default_reasoning_effort="high",
    sources=_sources(**_LISTED),
)
_GROK_4_7 = ModelProfile(
    name="Grok 4.7",
    context_window=500_000,
    reasoning_efforts=("low", "medium", "high", "xhigh"),
    default_reasoning_effort="high",
)
# Of a name that may be served by any model, now or later.
_NEWEST = replace(
    _GROK_4_7, name=None, sources=MappingProxyType(dict.fromkeys(_SOURCES, _NEWEST_SOURCE))
)
# Retired models whose names xAI still serves.
_REDIRECTED_4_FAST = replace(
    _GROK_4_3, deprecated=True, sources=_sources(context_window=_REDIRECTED, **_LISTED)
)
_REDIRECTED_4 = replace(
    _REDIRECTED_4_FAST, context_window=256_000, sources=_sources(context_window=_RETIRED, **_LISTED)
)
_REDIRECTED_3 = replace(_REDIRECTED_4, context_window=131_072)

# The first pattern that matches the start of a name applies.
_FAMILIES: tuple[tuple[str, ModelProfile], ...] = (
    (
        r"grok-4\.20.*non-reasoning",
        replace(
            _GROK_4_20,
            name="Grok 4.20 (Non-Reasoning)",
            reasoning=False,
            unsupported=frozenset({"reasoning_effort", "use_encrypted_content"}),
            sources=_sources(**_LISTED),
        ),
    ),
    (
        r"grok-4\.20-multi-agent",
        replace(
            _GROK_4_20,
            name="Grok 4.20 Multi-Agent",
            reasoning_efforts=("low", "medium", "high", "xhigh"),
            tool_calling=False,
            unsupported=_REJECTED_BY_REASONING | {"max_tokens"},
            apis=frozenset({"responses"}),
        ),
    ),
    (r"grok-4\.20(?!\d)", _GROK_4_20),
    (r"grok-4\.3(?!\d)", _GROK_4_3),
    (r"grok-4([-.]1)?-fast", _REDIRECTED_4_FAST),
    (r"grok-4([-.]1)?(?![\d.])", _REDIRECTED_4),
    (r"grok-4\.5(?!\d)", _GROK_4_5),
    (
        r"grok-4\.6(?!\d)",
        replace(
            _GROK_4_7,
            name="Grok 4.6",
            reasoning_efforts=("minimal", "low", "medium", "high", "xhigh"),
            default_reasoning_effort=None,
            sources=_sources(
                reasoning_efforts=_DOCUMENTATION, default_reasoning_effort=_NOT_PUBLISHED
            ),
        ),
    ),
    (r"grok-4\.7(?!\d)", _GROK_4_7),
    (
        r"grok-(build(-0\.1|$)|code-fast)",
        ModelProfile(
            name="Grok Build 0.1",
            release_date="2026-04-16",
            max_output_tokens=256_000,
            unsupported=_NO_REASONING_EFFORT,
            sources=_sources(unsupported=_RECORDED_RESPONSE, **_LISTED),
        ),
    ),
    (r"grok-build-", replace(_GROK_4_5, name=None)),
    (r"grok-3(?![\d.])", _REDIRECTED_3),
    (
        r"grok-2(?![\d.])",
        replace(
            _UNKNOWN,
            context_window=131_072,
            deprecated=True,
            sources=_sources(name=_NO_SOURCE, context_window=_RETIRED, input_modalities=_RETIRED),
        ),
    ),
)
_FLOATING = re.compile(r"(?:[a-z]+-)*latest")
_VERSION = re.compile(r"grok-([0-9]{1,9})(?:\.([0-9]{1,9}))?")


@lru_cache(maxsize=256)
def get_profile(model: str) -> ModelProfile:
    """Return the profile of a model; a default one for an unknown name.

    A name without a version, such as ``grok-latest``, and a version that is newer than any known
    one have the profile of the newest model.

    Args:
        model: Name of the model.

    Example:
        >>> get_profile("grok-4.7").context_window
        500000
        >>> get_profile("grok-latest").context_window, get_profile("grok-5").context_window
        (500000, 500000)
        >>> "stop" in get_profile("some-new-model").unsupported
        True
        >>> get_profile("grok-4.7").sources["context_window"]
        "xAI's models page, read on 2026-10-03"
    """
    for pattern, profile in _FAMILIES:
        if re.match(pattern, model):
            return profile
    return _NEWEST if _FLOATING.fullmatch(model) or _is_newer(model) else _UNKNOWN


def get_effort_hint(model: str, effort: str | None, message: str) -> str | None:
    """Return a hint with the reasoning efforts of a model, if a request was rejected for its own.

    Args:
        model: Name of the model.
        effort: The ``reasoning_effort`` that was sent; None if none was.
        message: The message of the ``BadRequestError``.

    Returns:
        The hint; None if the message is about something else, or the profile has no other values.

    Example:
        >>> get_effort_hint("grok-4.3", "xhigh", "invalid reasoning_effort 'xhigh'")
        "reasoning_effort of grok-4.3 is one of 'none', 'low', 'medium', 'high'."
        >>> get_effort_hint("grok-4.3", "high", "invalid reasoning_effort 'high'")
    """
    known = get_profile(model).reasoning_efforts
    if effort is None or effort in known or not known or "effort" not in message.lower():
        return None
    return f"reasoning_effort of {model} is one of {', '.join(map(repr, known))}."


def _is_newer(model: str) -> bool:
    """Return whether the version in a name is above that of the default model."""
    return _get_version(model) > _get_version(DEFAULT_MODEL)


def _get_version(model: str) -> tuple[int, int]:
    match = _VERSION.match(model)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


# xAI's messages, in which names of options are in camel case.
_REJECTION = (
    r"(?i)"
    r"argument not supported(?: on this model)?: *([\w.]+)|does not support parameter '?([\w.]+)"
)
_NO_ENCRYPTED_CONTENT = (
    r"(?is)"
    r"not support.*encrypted|encrypted.*not (?:\w+ )?support"
    r"|(?:unknown|unrecognized|unsupported|invalid)[\w ]*\W+include\b"
    r"|(?:invalid|unknown|unsupported) include"
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
    ENCRYPTED_REASONING: "use_encrypted_content",
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
    match = re.search(_REJECTION, message)
    if match is None:
        return "use_encrypted_content" if re.search(_NO_ENCRYPTED_CONTENT, message) else None
    api_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", (match[1] or match[2]).strip(".")).lower()
    option = _OPTIONS_BY_API_NAME.get(api_name, api_name)
    return option if option in _DROPPABLE_OPTIONS else None
