"""Law: no cassette that is recorded of any path, as this project records them, holds the token."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path as File
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler

from tests.cassettes.recorder import recorder
from tests.secrecy.canary import CANARY, SPELLINGS
from tests.secrecy.channels import Seen
from tests.secrecy.paths import PATHS, World
from xai_lowcode.emulator import Drop, Emulator
from xai_lowcode.errors import XAILowCodeError

# Frameworks warn of what is not looked at here.
pytestmark = pytest.mark.filterwarnings("ignore")
SENDING = [path for path in PATHS if not path.startswith("malformed")]


class Blind(Seen):
    """Looks at nothing: here the cassette is what is looked at."""

    def objects(self, things: Iterable[Any]) -> None:
        """Nothing to keep."""

    def answers(self, things: Iterable[Any]) -> None:
        """Nothing to keep."""


def taped(emulator: Emulator, path: Any, folder: File) -> tuple[str, int]:
    """The cassette of a path, and how many answers are on it."""
    place = folder / "cassette.yaml"
    place.unlink(missing_ok=True)
    with recorder("all").use_cassette(str(place)) as cassette:
        with suppress(XAILowCodeError):
            seen = Blind(callbacks=[UsageMetadataCallbackHandler()])
            path(World(CANARY, emulator.base_url, seen, folder))
        answers = len(cassette)
    return place.read_text() if place.exists() else "", answers


@pytest.mark.parametrize("path", SENDING)
def test_no_cassette_holds_the_token(emulator: Emulator, path: str, tmp_path: File) -> None:
    """Nor that of a call whose first attempt was lost."""
    drops = SENDING.index(path) % 3 == 0
    emulator.reset()
    emulator.inject(*[Drop()] * drops)
    text, answers = taped(emulator, PATHS[path], tmp_path)
    assert answers > 0 or drops
    assert not any(spelling in text for spelling in SPELLINGS)


def test_the_check_of_cassettes_sees_a_leak(emulator: Emulator, tmp_path: File) -> None:
    """A cassette holds a token that is in a URL."""

    def leak(world: World) -> None:
        with httpx.Client() as client:
            client.get(f"{world.base_url}/v1/models", params={"api_token": world.token})

    emulator.reset()
    text, answers = taped(emulator, leak, tmp_path)
    assert answers == 1
    assert any(spelling in text for spelling in SPELLINGS)
