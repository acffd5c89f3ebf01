"""Recorded conversations, replayed without a network.

Those in ``emulator`` were recorded from the emulator, and show that the adapters and recording work
together; they say nothing of the hosted service. ``make record`` with a token fills ``hosted``.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

sys.path.insert(0, str(Path(__file__).parent))

from conversations import CONVERSATIONS
from recorder import BASE_URLS, FOLDER, recorder

from tests.cases import for_each

TOKEN = "at_r" + "0" * 32
CASSETTES = sorted(FOLDER.glob("*/*.yaml"))
LOOKS_LIKE_A_TOKEN = re.compile(r"api_token|at_r[0-9a-f]{8}|xai-[A-Za-z0-9]{8}")


@pytest.fixture
def _no_network() -> Iterator[None]:
    # An event loop wakes itself through a pair of Unix sockets; everything else is shut.
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@for_each("path", CASSETTES)
@pytest.mark.usefixtures("_no_network")
def test_a_recorded_conversation_replays(path: Path) -> None:
    """With every socket shut a recorded conversation gives what it gave."""
    to = {"api_token": TOKEN, "base_url": BASE_URLS[path.parent.name]}
    with recorder("none").use_cassette(str(path)) as cassette:
        CONVERSATIONS[path.stem](to)
        assert cassette.all_played


@for_each("path", CASSETTES)
def test_a_cassette_holds_no_token(path: Path) -> None:
    """No cassette holds the token, or anything that looks like one."""
    assert not LOOKS_LIKE_A_TOKEN.search(path.read_text())


def test_every_conversation_is_recorded() -> None:
    """Each conversation has its cassette from the emulator, and no cassette is left over."""
    assert {path.stem for path in (FOLDER / "emulator").glob("*.yaml")} == set(CONVERSATIONS)


def test_the_check_for_tokens_sees_one() -> None:
    """A cassette with a token in its URL would be found."""
    assert LOOKS_LIKE_A_TOKEN.search(f"uri: http://127.0.0.1/xai/v1/models?api_token={TOKEN}")
