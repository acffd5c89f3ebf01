"""Law: every name works; what is known of families only ever denies."""

import re
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.chat.profiles import ModelProfile, get_profile, parse_rejected_option
from xai_lowcode.types.requests import ChatRequest

PENALTIES = {"stop", "presence_penalty", "frequency_penalty"}
# Model: context window, reasons, refuses reasoning_effort.
KNOWN = [
    ("grok-4.7", 500_000, True, False),
    ("grok-4.5", 500_000, True, False),
    ("grok-4.3", 1_000_000, True, False),
    ("grok-4.3-latest", 1_000_000, True, False),
    ("grok-latest", 1_000_000, True, False),
    ("grok-4.20-0309-reasoning", 1_000_000, True, True),
    ("grok-4.20-0309-non-reasoning", 1_000_000, False, True),
    ("grok-4.20-multi-agent-0309", 1_000_000, True, False),
    ("grok-build-0.1", 256_000, True, True),
    ("grok-code-fast-1", 256_000, True, True),
    ("grok-4-fast-reasoning", 1_000_000, True, False),
    ("grok-4-1-fast-non-reasoning", 1_000_000, True, False),
]


@pytest.mark.parametrize(("model", "window", "reasons", "no_effort"), KNOWN)
def test_known_families(model: str, window: int, reasons: bool, no_effort: bool) -> None:
    """The table of xAI's models page holds for every name in it."""
    profile = get_profile(model)
    assert (profile.context_window, profile.reasoning) == (window, reasons)
    assert ("reasoning_effort" in profile.unsupported) == no_effort
    assert profile.unsupported >= PENALTIES if reasons else not PENALTIES & profile.unsupported


@pytest.mark.parametrize("model", [*(row[0] for row in KNOWN), "grok-2", "grok-3-mini", "new"])
def test_every_fact_has_a_source(model: str) -> None:
    """What is known says where from; what was read somewhere says when."""
    profile = get_profile(model)
    facts = {field.name for field in fields(ModelProfile)} - {"sources"}
    assert profile.sources.keys() == facts
    for fact, source in profile.sources.items():
        unstated = fact == "max_output_tokens" or source.startswith("no source")
        assert unstated or re.search(r"20\d\d", source), fact


def test_one_model_answers_in_one_form_alone() -> None:
    """The model of several agents has responses only, and takes no limit of tokens."""
    profile = get_profile("grok-4.20-multi-agent-0309")
    assert profile.apis == {"responses"}
    assert "max_tokens" in profile.unsupported
    assert "chat_completions" in get_profile("grok-4.7").apis


# xAI's sentences as transcribed or recorded, and what each says a model does not take.
REFUSALS = [
    ("Argument not supported on this model: presencePenalty", "presence_penalty"),
    ("Argument not supported on this model: stop", "stop"),
    ("Argument not supported on this model: stopSequences", "stop"),
    ("Argument not supported on this model: maxOutputTokens", "max_tokens"),
    ("Model grok-build-0.1 does not support parameter reasoningEffort.", "reasoning_effort"),
    ("Model grok-4.x does not support parameter stop", "stop"),
    # A value is refused here, not the option.
    ("This model does not support 'reasoning_effort' value 'none'", None),
    # Without these the request would be another one.
    ("Argument not supported on this model: responseFormat", None),
    ("Argument not supported on this model: tools", None),
    ("Argument not supported on this model: store", None),
    ("Argument not supported on this model: messages", None),
    ("Model not found: stop", None),
    ("", None),
]


@pytest.mark.parametrize(("message", "option"), REFUSALS)
def test_refusals_name_options(message: str, option: str | None) -> None:
    """What xAI's sentence names is one of our options, or nothing that may be left out."""
    assert parse_rejected_option(message) == option


@given(st.text(max_size=80))
def test_no_text_names_what_is_no_option(message: str) -> None:
    """Whatever is said, only an option of a request comes out."""
    for text in (message, f"Argument not supported on this model: {message}"):
        assert parse_rejected_option(text) in {
            None,
            *(option.name for option in fields(ChatRequest)),
        }


@given(st.text(max_size=30))
def test_any_name_has_a_profile(model: str) -> None:
    """An unknown name has facts too, and what is refused are options of a request."""
    profile = get_profile(model)
    assert profile.context_window > 0
    assert profile.unsupported <= {option.name for option in fields(ChatRequest)}
    assert not profile.unsupported & {"model", "messages"}


@pytest.mark.parametrize("model", ["grok-2", "grok-2-vision", "grok-3", "grok-3-mini"])
def test_old_names_are_no_prefix_of_new_ones(model: str) -> None:
    """A small old window is not given to a later family whose name begins alike."""
    assert get_profile(model).context_window == 131_072
    assert get_profile("grok-20").context_window > 131_072
    assert get_profile("grok-30-mini").context_window > 131_072
