"""The fault matrix: each fault meets each face, and what comes out stands in ``tables``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.faults.faces import FACES, Face
from tests.faults.meeting import answered, check
from tests.faults.tables import EXPECTED, FAULTS, SLOW
from tests.faults.watching import nothing_left
from xai_lowcode.emulator import Emulator, Outage, running


@pytest.fixture(scope="module")
def right(gateway: Emulator) -> dict[Face, Any]:
    """What every face answers when nothing is wrong."""
    return {face: answered(gateway, face) for face in FACES}


def test_the_table_is_complete() -> None:
    """Every fault has a row, and every kind of face a column."""
    assert list(EXPECTED) == list(FAULTS)
    for row in EXPECTED.values():
        assert set(row) == {face.kind for face in FACES}


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SLOW])
def test_a_fault_comes_to_what_the_table_says(
    gateway: Emulator, right: dict[Face, Any], name: str
) -> None:
    """Each face, one after the other; none leaves anything behind."""
    for face in FACES:
        with nothing_left():
            check(gateway, face, FAULTS[name], EXPECTED[name][face.kind], right[face])


@pytest.mark.parametrize("name", SLOW)
def test_a_fault_that_lasts_ends_with_the_deadline(
    right: dict[Face, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All faces at the same time, each with a gateway of its own; none leaves anything behind."""
    if isinstance(FAULTS[name], Outage):
        # The pause before the second attempt is longer than the gateway needs to be back.
        monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 0.6)
        monkeypatch.setattr("random.random", lambda: 1.0)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running(deferred_polls=0)) for _ in FACES]
        with nothing_left(), ThreadPoolExecutor(len(FACES)) as pool:
            cells = [EXPECTED[name][face.kind] for face in FACES]
            answers = [right[face] for face in FACES]
            list(pool.map(check, gateways, FACES, [FAULTS[name]] * len(FACES), cells, answers))
