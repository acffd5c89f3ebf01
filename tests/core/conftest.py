"""Fixtures of the core's tests: a clean environment, a fake server, an emulator, and no delays."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.core.fake_files import FakeFiles  # noqa: E402 - the path is set above
from tests.core.fake_server import FakeServer  # noqa: E402
from tests.core.sync_async import Delays  # noqa: E402
from xai_lowcode.emulator import Emulator, running  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def _clean_environment() -> Iterator[None]:
    """Remove token, base URL and proxies from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL"):
            patch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        yield


@pytest.fixture
def gateway() -> Iterator[FakeServer]:
    """A scripted server on a loopback port."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def fake_files(gateway: FakeServer) -> FakeFiles:
    """A fake files API behind the scripted server."""
    gateway.respond = files = FakeFiles()
    return files


@pytest.fixture(scope="session")
def session_emulator() -> Iterator[Emulator]:
    """The emulator of all tests."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(session_emulator: Emulator) -> Emulator:
    """The emulator, reset."""
    session_emulator.reset()
    return session_emulator


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> Delays:
    """The delays of both clients, which are recorded instead of slept; the jitter is 0.5.

    The clock of the call flows is the sum of the delays, so that a deadline is reached.
    """
    recorded = Delays()
    original = asyncio.sleep

    def clock() -> float:
        return sum(recorded)

    async def sleep(seconds: float, result: object = None) -> object:
        if seconds:
            recorded.append(seconds)
        return await original(0, result)

    monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", recorded.append)
    monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", sleep)
    monkeypatch.setattr("xai_lowcode.transport.config.monotonic", clock)
    monkeypatch.setattr("random.random", lambda: 0.5)
    return recorded
