"""A gateway whose token is the canary, and a clean environment."""

import linecache
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xai_lowcode.emulator import Emulator, running

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.secrecy.canary import CANARY  # noqa: E402 - the line above makes it importable


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A gateway whose only token is the canary."""
    with running(embeddings=True, deferred_polls=0, api_token=CANARY) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries have no delay."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL", "XAI_LOWCODE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _unchanged_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stack traces, of which asyncio's debug mode makes thousands, do not stat each source file."""
    monkeypatch.setattr(linecache, "checkcache", lambda _name=None: None)
