"""The fault matrix: each fault with each interface; the expected outcomes are in ``tables``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.faults.assertions import PATIENT, answered, check
from tests.faults.interfaces import DEADLINE, INTERFACES, LASTING, Interface
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.tables import EXPECTED, FAULTS, SLOW
from xai_lowcode.emulator import Emulator, Outage, running

pytestmark = pytest.mark.slow

# Polls of a deferred completion go on for a time that is longer than PATIENT is worth.
SEEN_AS_A_RESTART = "502 in HTML"


@pytest.fixture(scope="module")
def right(gateway: Emulator) -> dict[Interface, Any]:
    """What every interface answers when nothing is wrong."""
    return {interface: answered(gateway, interface) for interface in INTERFACES}


def test_the_table_is_complete() -> None:
    """Every fault has a row, and every kind of interface a column."""
    assert list(EXPECTED) == list(FAULTS)
    for row in EXPECTED.values():
        assert set(row) == {interface.kind for interface in INTERFACES}


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SLOW])
def test_a_fault_comes_to_what_the_table_says(
    gateway: Emulator, right: dict[Interface, Any], name: str
) -> None:
    """Each interface, one after the other; none leaves anything behind."""
    row, deadline = EXPECTED[name], DEADLINE if name == SEEN_AS_A_RESTART else PATIENT
    for interface in INTERFACES:
        with no_resource_leaks():
            check(gateway, interface, FAULTS[name], row[interface.kind], right[interface], deadline)


@pytest.mark.parametrize("name", SLOW)
def test_a_fault_that_lasts_ends_with_the_deadline(
    right: dict[Interface, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All interfaces run concurrently, each with its own gateway; none leaks resources."""
    deadline = LASTING
    if isinstance(FAULTS[name], Outage):
        # It ends, and the pause before the second attempt is longer than it.
        deadline = PATIENT
        monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 1.0)
        monkeypatch.setattr("random.random", lambda: 1.0)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running(deferred_polls=0)) for _ in INTERFACES]
        with no_resource_leaks(), ThreadPoolExecutor(len(INTERFACES)) as pool:
            cells = [EXPECTED[name][interface.kind] for interface in INTERFACES]
            answers = [right[interface] for interface in INTERFACES]
            faults, until = [FAULTS[name]] * len(INTERFACES), partial(check, deadline=deadline)
            list(pool.map(until, gateways, INTERFACES, faults, cells, answers))
