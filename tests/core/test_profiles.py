"""Law: every name works; what is known of families only ever denies."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.conversation import ChatRequest
from xai_lowcode.profiles import profile_of

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
    ("grok-4.20-multi-agent-0309", 1_000_000, True, True),
    ("grok-build-0.1", 256_000, True, True),
    ("grok-code-fast-1", 256_000, True, True),
    ("grok-4-fast-reasoning", 1_000_000, True, False),
    ("grok-4-1-fast-non-reasoning", 1_000_000, True, False),
]


@pytest.mark.parametrize(("model", "window", "reasons", "no_effort"), KNOWN)
def test_known_families(model: str, window: int, reasons: bool, no_effort: bool) -> None:
    """The table of xAI's models page holds for every name in it."""
    profile = profile_of(model)
    assert (profile.context_window, profile.reasons) == (window, reasons)
    assert ("reasoning_effort" in profile.refuses) == no_effort
    assert profile.refuses >= PENALTIES if reasons else not PENALTIES & profile.refuses


@given(st.text(max_size=30))
def test_any_name_has_a_profile(model: str) -> None:
    """An unknown name has facts too, and what is refused are options of a request."""
    profile = profile_of(model)
    assert profile.context_window > 0
    assert profile.refuses <= {option.name for option in fields(ChatRequest)}
    assert not profile.refuses & {"model", "messages"}


@pytest.mark.parametrize("model", ["grok-2", "grok-2-vision", "grok-3", "grok-3-mini"])
def test_old_names_are_no_prefix_of_new_ones(model: str) -> None:
    """A small old window is not given to a later family whose name begins alike."""
    assert profile_of(model).context_window == 131_072
    assert profile_of("grok-20").context_window > 131_072
    assert profile_of("grok-30-mini").context_window > 131_072
