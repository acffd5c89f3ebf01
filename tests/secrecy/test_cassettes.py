"""No cassette of any path has the token, if it is recorded as this project records cassettes."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path as File
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler

from tests.cassettes.recorder import recorder
from tests.secrecy.canary import CANARY, SPELLINGS
from tests.secrecy.channels import Observer
from tests.secrecy.paths import PATHS, PathContext
from xai_lowcode.emulator import Drop, Emulator
from xai_lowcode.errors import XAILowCodeError

# Warnings are recorded by the tests of channels.
pytestmark = pytest.mark.filterwarnings("ignore")
REQUESTING_PATHS = [path for path in PATHS if not path.startswith("malformed")]


class NoObserver(Observer):
    """Records nothing: only the cassette is checked."""

    def objects(self, values: Iterable[Any]) -> None:
        """Record nothing."""

    def responses(self, values: Iterable[Any]) -> None:
        """Record nothing."""


def record_cassette(emulator: Emulator, path: Any, folder: File) -> tuple[str, int]:
    """Return the cassette of a path as text, and how many responses it has."""
    file = folder / "cassette.yaml"
    file.unlink(missing_ok=True)
    with recorder("all").use_cassette(str(file)) as cassette:
        with suppress(XAILowCodeError):
            observer = NoObserver(callbacks=[UsageMetadataCallbackHandler()])
            path(PathContext(CANARY, emulator.base_url, observer, folder))
        responses = len(cassette)
    return file.read_text() if file.exists() else "", responses


@pytest.mark.parametrize("path", REQUESTING_PATHS)
def test_no_cassette_has_the_token(emulator: Emulator, path: str, tmp_path: File) -> None:
    """No cassette has it, also if the connection of the first attempt is dropped."""
    drops = REQUESTING_PATHS.index(path) % 3 == 0
    emulator.reset()
    emulator.inject(*[Drop()] * drops)
    text, responses = record_cassette(emulator, PATHS[path], tmp_path)
    assert responses > 0 or drops
    assert not any(spelling in text for spelling in SPELLINGS)


def test_the_check_of_cassettes_detects_a_leak(emulator: Emulator, tmp_path: File) -> None:
    """A token in a URL is found in the cassette."""

    def leak(context: PathContext) -> None:
        with httpx.Client() as client:
            client.get(f"{context.base_url}/v1/models", params={"api_token": context.token})

    emulator.reset()
    text, responses = record_cassette(emulator, leak, tmp_path)
    assert responses == 1
    assert any(spelling in text for spelling in SPELLINGS)
