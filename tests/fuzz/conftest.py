"""A clean environment, and importable helpers."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables of the person who runs the tests."""
    for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
