"""Set the hypothesis profiles: the same inputs in each run, or random ones (``make test-random``).

No profile has a deadline, and none writes to the repository's folder.
"""

import pytest
from hypothesis import settings

from xai_lowcode.chat.dialect_selection import forget_apis
from xai_lowcode.protocol.urls import forget_url_formats

settings.register_profile(
    "deterministic", derandomize=True, max_examples=40, deadline=None, database=None
)
settings.register_profile("random", print_blob=True, max_examples=200, deadline=None, database=None)
settings.load_profile("deterministic")


@pytest.fixture(autouse=True)
def _no_known_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known about a gateway that had the same port in an earlier test."""
    monkeypatch.delenv("LOWCODEAPI_URL_FORMAT", raising=False)
    forget_url_formats()
    forget_apis()
