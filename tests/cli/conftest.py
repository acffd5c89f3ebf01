"""Fixtures: a clean environment, an emulator, and a function that runs a command line."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from xai_lowcode.cli import app
from xai_lowcode.emulator import Emulator, running

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.cli.commands import Run, connected_to  # noqa: E402 - the path is set above

# A pattern that redacts a token takes 8 ms to compile: the emulators of all tests have one token.
TOKEN = "at_r" + "0123456789abcdef" * 2
VARIABLES = ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL", "XAI_LOWCODE_DEBUG")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove token, base URL and proxies from the environment; set the width to 100 columns."""
    for name in (*VARIABLES, *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(autouse=True, scope="session")
def _one_command() -> Iterator[None]:
    """Let the runners build the commands once, as a process does, not for each command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", functools.cache(get_command))
        yield


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator without faults."""
    with running(api_token=TOKEN) as emulator:
        yield emulator


@pytest.fixture
def environment(gateway: Emulator) -> dict[str, str]:
    """The environment variables for the emulator."""
    return connected_to(gateway)


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run a command line in this process, with token and base URL of the emulator."""

    def invoke(*args: str, env: dict[str, str] | None = None, **options: Any) -> Result:
        return CliRunner().invoke(app, list(args), env=env or environment, **options)

    return invoke
