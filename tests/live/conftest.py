"""The gateway under test, and findings about it, which are printed at the end.

With ``LOWCODEAPI_API_TOKEN`` it is the hosted gateway. Otherwise it is the emulator, with its
default options and as a gateway that crashes, which only checks these tests.
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
FINDINGS: list[str] = []


@pytest.fixture(scope="session", params=["gateway"] if TOKEN else list(SOURCES))
def source(request: pytest.FixtureRequest) -> str:
    """Return the name of the gateway under test."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def _connection(source: str) -> Iterator[dict[str, str]]:
    if TOKEN:
        base_url = os.environ.get("LOWCODEAPI_BASE_URL")
        yield {"api_token": TOKEN, **({"base_url": base_url} if base_url else {})}
        return
    with running(**SOURCES[source]) as emulator:
        yield {"api_token": emulator.api_token, "base_url": emulator.base_url}


@pytest.fixture
def connection(_connection: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return token and base URL of the gateway under test."""
    if not TOKEN:
        monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
        monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.02)
    return _connection


@pytest.fixture
def report_finding(source: str) -> Callable[[str], None]:
    """Return a function that records a finding."""
    return lambda text: FINDINGS.append(f"{source}: {text}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the findings."""
    if FINDINGS:
        terminalreporter.section("what was found")
        for line in FINDINGS:
            terminalreporter.line(line)
