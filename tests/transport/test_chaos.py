"""Law: of however many calls, given up at whatever moment, none gets the response of another.

``LOAD=full`` makes 50,000 of them; ``python -m tests.transport.chaos`` a given number.
"""

import os

import pytest

from tests.transport.chaos import Chaos, complaints

pytestmark = pytest.mark.slow

CALLS = 50_000 if os.environ.get("LOAD") == "full" else 2_000


def test_chaos() -> None:
    """No wrong echo, no request twice, no connection used after trailing bytes, nothing left."""
    chaos = Chaos(CALLS)
    server = chaos.run()
    found = complaints(chaos, server)
    assert not found, f"{len(found)} complaints, the first: {found[:20]}; {chaos.tally.outcomes}"
    # Chaos without calls that end well, or without some that do not, would prove nothing.
    assert chaos.tally.outcomes["whole"] > CALLS / 3
    assert chaos.tally.outcomes["given up"] > CALLS / 50
    assert sum(server.counts().values()) > CALLS / 2
