"""Makes the helpers beside the tests importable, and sets how long hypothesis looks."""

import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# No clock in judgements, no folder of examples in the repository.
hypothesis.settings.register_profile("noise", max_examples=60, deadline=None, database=None)
hypothesis.settings.load_profile("noise")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token or address of the person who runs the tests."""
    for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
