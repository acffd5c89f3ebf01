"""Law: among many calls, abandoned at random, none gets the response of another.

``LOAD=full`` makes 50,000 of them; ``python -m tests.transport.chaos`` a given number.
"""

import os

import pytest

from tests.transport.chaos import Chaos, errors_of

pytestmark = pytest.mark.slow

CALLS = 50_000 if os.environ.get("LOAD") == "full" else 1_200


def test_random_calls() -> None:
    """No call gets a wrong echo, none is sent twice, no connection or task is left.

    No connection is used after trailing bytes.
    """
    chaos = Chaos(CALLS)
    server = chaos.run()
    errors = errors_of(chaos, server)
    assert not errors, f"{len(errors)} errors, the first: {errors[:20]}; {chaos.results.outcomes}"
    # Without both complete and abandoned calls the test would prove nothing.
    assert chaos.results.outcomes["complete"] > CALLS / 3
    assert chaos.results.outcomes["abandoned"] > CALLS / 50
    assert sum(server.counts().values()) > CALLS / 2
