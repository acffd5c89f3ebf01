"""Fixtures of the core's laws: a clean environment, a loopback server, and both clients as one."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.core.loopback import Loopback  # noqa: E402 - the path is set above
from tests.core.shelves import Shelf  # noqa: E402
from tests.core.twins import Pauses  # noqa: E402
from xai_lowcode.emulator import Emulator, running  # noqa: E402

# No clock in judgements, no folder of examples in the repository.
hypothesis.settings.register_profile("laws", max_examples=40, deadline=None, database=None)
hypothesis.settings.load_profile("laws")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, address or proxy of the person who runs the tests."""
    for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    """A scripted server on a loopback port."""
    with Loopback() as server:
        yield server


@pytest.fixture
def shelf(gateway: Loopback) -> Shelf:
    """A tiny xAI that keeps files, behind the scripted server."""
    gateway.play = shelf = Shelf()
    return shelf


@pytest.fixture(scope="session")
def session_emulator() -> Iterator[Emulator]:
    """A gateway with xAI behind it, running as long as the tests do."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(session_emulator: Emulator) -> Emulator:
    """A gateway with xAI behind it, as good as new."""
    session_emulator.reset()
    return session_emulator


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """The waits that both clients asked for, none of which is really waited; jitter is 0.5."""
    asked = Pauses()
    really = asyncio.sleep

    async def asleep(seconds: float, result: object = None) -> object:
        if seconds:
            asked.append(seconds)
        return await really(0, result)

    monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", asked.append)
    monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", asleep)
    monkeypatch.setattr("random.random", lambda: 0.5)
    return asked
