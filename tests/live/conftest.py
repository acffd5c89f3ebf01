"""The gateway under test, and what was found out about it, for the end of the output.

With ``LOWCODEAPI_API_TOKEN`` it is the real one. Otherwise it is the emulator, in its ordinary mode
and as a gateway that crashes: that checks these tests, and is no evidence of the real service.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from xai_lowcode.emulator import running
from xai_lowcode.protocol import urls

TOKEN = os.environ.get("LOWCODEAPI_API_TOKEN")
SOURCES: dict[str, dict[str, Any]] = {
    "emulator": {},
    "crashing emulator": {"url_forms": "old_new_drops", "restart_seconds": 0.015},
    "crashing emulator behind a proxy": {
        "url_forms": "old_new_drops",
        "restart_seconds": 0.015,
        "front": True,
    },
}
FOUND: list[str] = []


@pytest.fixture(scope="session", params=["gateway"] if TOKEN else list(SOURCES))
def source(request: pytest.FixtureRequest) -> str:
    """The name of the gateway under test."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def _address(source: str) -> Iterator[dict[str, str]]:
    if TOKEN:
        base_url = os.environ.get("LOWCODEAPI_BASE_URL")
        yield {"api_token": TOKEN, **({"base_url": base_url} if base_url else {})}
        return
    with running(**SOURCES[source]) as emulator:
        yield {"api_token": emulator.api_token, "base_url": emulator.base_url}


@pytest.fixture
def connection(_address: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Token and base URL of the gateway under test."""
    if not TOKEN:
        monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
        monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.02)
    return _address


@pytest.fixture
def found(source: str) -> Callable[[str], None]:
    """Note what was found out."""
    return lambda text: FOUND.append(f"{source}: {text}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was found out."""
    if FOUND:
        terminalreporter.section("what was found")
        for line in FOUND:
            terminalreporter.line(line)
