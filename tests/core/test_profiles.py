"""Unknown model names work; profiles only list what a model rejects."""

import re
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.chat.profiles import (
    DEFAULT_MODEL,
    ModelProfile,
    get_profile,
    parse_rejected_option,
)
from xai_lowcode.types.requests import ChatRequest

PENALTIES = {"stop", "presence_penalty", "frequency_penalty"}
# Model, context window, whether it reasons, whether it rejects reasoning_effort.
KNOWN = [
    ("grok-4.7", 500_000, True, False),
    ("grok-4.5", 500_000, True, False),
    ("grok-4.3", 1_000_000, True, False),
    ("grok-4.3-latest", 1_000_000, True, False),
    ("grok-latest", 500_000, True, False),
    ("latest", 500_000, True, False),
    ("grok-build-latest", 500_000, True, False),
    ("grok-4.20-0309-reasoning", 1_000_000, True, True),
    ("grok-4.20-0309-non-reasoning", 1_000_000, False, True),
    ("grok-4.20-multi-agent-0309", 1_000_000, True, False),
    ("grok-build-0.1", 256_000, True, True),
    ("grok-code-fast-1", 256_000, True, True),
    ("grok-4-fast-reasoning", 1_000_000, True, False),
    ("grok-4-1-fast-non-reasoning", 1_000_000, True, False),
]


@for_each(("model", "window", "reasoning", "no_effort"), KNOWN)
def test_known_families(model: str, window: int, reasoning: bool, no_effort: bool) -> None:
    """Profiles agree with the table on xAI's models page."""
    profile = get_profile(model)
    assert (profile.context_window, profile.reasoning) == (window, reasoning)
    assert ("reasoning_effort" in profile.unsupported) == no_effort
    assert profile.unsupported >= PENALTIES if reasoning else not PENALTIES & profile.unsupported


@for_each("model", [*(row[0] for row in KNOWN), "grok-2", "grok-3-mini", "new"])
def test_every_value_has_a_source(model: str) -> None:
    """Each value of a profile has a source with its date, or states that it has none."""
    profile = get_profile(model)
    names = {field.name for field in fields(ModelProfile)} - {"sources"}
    assert profile.sources.keys() == names
    for name, source in profile.sources.items():
        assert source.startswith("no source") or re.search(r"20\d\d", source), name
        if source == "no source: not published by xAI":
            assert getattr(profile, name) is None, name


def test_the_multi_agent_model() -> None:
    """The multi-agent model has Responses only, rejects max_tokens and calls no client tools."""
    profile = get_profile("grok-4.20-multi-agent-0309")
    assert profile.apis == {"responses"}
    assert (profile.tool_calling, get_profile("grok-4.7").tool_calling) == (False, True)
    assert "max_tokens" in profile.unsupported
    assert "chat_completions" in get_profile("grok-4.7").apis


# Messages of xAI, transcribed or recorded, and the option that each rejects.
REJECTIONS = [
    ("Argument not supported on this model: presencePenalty", "presence_penalty"),
    ("Argument not supported on this model: stop", "stop"),
    ("Argument not supported on this model: stopSequences", "stop"),
    ("Argument not supported on this model: maxOutputTokens", "max_tokens"),
    ("Model grok-build-0.1 does not support parameter reasoningEffort.", "reasoning_effort"),
    ("Model grok-4.x does not support parameter stop", "stop"),
    # The value is rejected, not the option.
    ("This model does not support 'reasoning_effort' value 'none'", None),
    # Without these the request would have another meaning.
    ("Argument not supported on this model: responseFormat", None),
    ("Argument not supported on this model: tools", None),
    ("Argument not supported on this model: store", None),
    ("Argument not supported on this model: messages", None),
    ("Model not found: stop", None),
    ("", None),
]


@for_each(("message", "option"), REJECTIONS)
def test_rejected_options_are_parsed(message: str, option: str | None) -> None:
    """A message names an option of ChatRequest, or none that can be dropped."""
    assert parse_rejected_option(message) == option


@given(st.text(max_size=80))
def test_any_message_is_parsed(message: str) -> None:
    """The result is an option of ChatRequest or None, whatever the message is."""
    for text in (message, f"Argument not supported on this model: {message}"):
        assert parse_rejected_option(text) in {
            None,
            *(option.name for option in fields(ChatRequest)),
        }


@given(st.text(max_size=30))
def test_any_name_has_a_profile(model: str) -> None:
    """An unknown name has a profile, whose unsupported options are options of ChatRequest."""
    profile = get_profile(model)
    assert profile.context_window > 0
    assert profile.unsupported <= {option.name for option in fields(ChatRequest)}
    assert not profile.unsupported & {"model", "messages"}


name_parts = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6).filter(
    lambda part: part != "build"
)
versions = st.tuples(st.integers(4, 99), st.integers(0, 99)).filter(
    lambda version: version > (4, 7) and version != (4, 20)
)


@given(name_parts=st.lists(name_parts, max_size=3))
@example(name_parts=[])
@example(name_parts=["grok"])
def test_floating_names_have_the_newest_profile(name_parts: list[str]) -> None:
    """A name that ends in latest and has no version has the profile of the newest model."""
    assert_newest("-".join([*name_parts, "latest"]))


@given(version=versions, suffix=st.sampled_from(["", "-fast", "-mini", "-0301", "-latest"]))
@example(version=(4, 9), suffix="")
@example(version=(5, 0), suffix="")
@example(version=(4, 70), suffix="")
def test_newer_versions_have_the_newest_profile(version: tuple[int, int], suffix: str) -> None:
    """A version above the newest known one has its limits."""
    major, minor = version
    assert_newest(f"grok-{major}.{minor}{suffix}")
    if major > 4:
        assert_newest(f"grok-{major}{suffix}")


def assert_newest(model: str) -> None:
    """Check that a name has the limits of the newest model, and any reasoning effort."""
    profile, newest = get_profile(model), get_profile(DEFAULT_MODEL)
    assert profile.context_window == newest.context_window, model
    assert profile.reasoning_efforts == newest.reasoning_efforts, model
    assert "reasoning_effort" not in profile.unsupported, model
    # The model is not known.
    assert profile.name is None, model


@pytest.mark.parametrize("model", ["grok-4.3-latest", "grok-4-latest", "grok-3-latest"])
def test_a_name_with_a_version_does_not_float(model: str) -> None:
    """The latest build of a version is that version."""
    assert get_profile(model).name == "Grok 4.3"


REDIRECTED = ["grok-3", "grok-3-mini", "grok-4", "grok-4-0709", "grok-4-fast-reasoning"]


@for_each("model", [*REDIRECTED, "grok-4-1-fast-non-reasoning", "grok-4.1-fast"])
def test_redirected_names_accept_the_efforts_of_their_target(model: str) -> None:
    """A retired name is served by grok-4.3, and has no larger context window than before."""
    profile, target = get_profile(model), get_profile("grok-4.3")
    assert profile.reasoning_efforts == target.reasoning_efforts
    assert profile.unsupported == target.unsupported
    assert profile.context_window <= target.context_window
    assert profile.deprecated
    assert not target.deprecated


def test_efforts() -> None:
    """The known efforts of each family and the default one, as xAI's documentation has them."""
    efforts = {
        name: (get_profile(name).reasoning_efforts, get_profile(name).default_reasoning_effort)
        for name in ("grok-4.7", "grok-4.6", "grok-4.5", "grok-build-latest", "grok-4.3")
    }
    assert efforts == {
        "grok-4.7": (("low", "medium", "high", "xhigh"), "high"),
        "grok-4.6": (("minimal", "low", "medium", "high", "xhigh"), None),
        "grok-4.5": (("low", "medium", "high"), "high"),
        "grok-build-latest": (("low", "medium", "high"), "high"),
        "grok-4.3": (("none", "low", "medium", "high"), "low"),
    }


@for_each("model", ["grok-2", "grok-2-vision", "grok-3", "grok-3-mini"])
def test_old_names_are_not_prefixes_of_new_names(model: str) -> None:
    """The small context window of an old family does not apply to later families."""
    assert get_profile(model).context_window == 131_072
    assert get_profile("grok-20").context_window > 131_072
    assert get_profile("grok-30-mini").context_window > 131_072
