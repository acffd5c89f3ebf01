"""A server that replays recorded bodies."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.core.fake_server import FakeServer  # noqa: E402 - the path is set above
from tests.recorded.replay import Replay  # noqa: E402


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    """A gateway that responds with a given body, in any envelope and any chunks."""
    with FakeServer() as server:
        yield Replay(server)
