"""The table of reasoning efforts agrees with the models' profiles."""

import re
from pathlib import Path

from xai_lowcode import Gateway
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.emulator import running

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "reasoning.md"
ROW = re.compile(r"^\| `(grok-[^`]+)` \| ([^|]*) \| ([^|]*?) ?\|$", re.MULTILINE)


def test_each_model_has_the_efforts_of_its_profile() -> None:
    """Each listed model is in the table once, with the values and the default of its profile."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    for model, efforts, default in rows:
        profile = get_profile(model)
        assert tuple(re.findall(r"`(\w+)`", efforts)) == profile.reasoning_efforts
        assert (efforts == "\N{EN DASH}") == ("reasoning_effort" in profile.unsupported)
        if profile.reasoning_efforts:
            assert default.strip("`") == (profile.default_reasoning_effort or "not published")
    with running() as emulator:
        gateway = Gateway(base_url=emulator.base_url, api_token=emulator.api_token)
        with gateway:
            listed = [model.id for model in gateway.list_language_models()]
    assert sorted(model for model, _, _ in rows) == sorted(listed)
