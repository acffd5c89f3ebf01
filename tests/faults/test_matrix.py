"""The fault matrix: each fault with each interface; the expected outcomes are in ``tables``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.faults.assertions import LONG_DEADLINE, check, check_all, result_without_fault
from tests.faults.interfaces import CONCURRENT_DEADLINE, DEADLINE, INTERFACES, Interface
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.tables import EXPECTED, FAULTS, SLOW
from xai_lowcode.emulator import Emulator, Outage, running

pytestmark = pytest.mark.slow

# The polls of a deferred completion continue until the deadline: a long one would cost a minute.
TREATED_AS_A_RESTART = "502 in HTML"


@pytest.fixture(scope="module")
def baseline(gateway: Emulator) -> dict[Interface, Any]:
    """Return the result of each interface without a fault."""
    return {interface: result_without_fault(gateway, interface) for interface in INTERFACES}


def test_the_table_is_complete() -> None:
    """Each fault has a row, and each kind of interface a column."""
    assert list(EXPECTED) == list(FAULTS)
    for row in EXPECTED.values():
        assert set(row) == {interface.kind for interface in INTERFACES}


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SLOW])
def test_each_fault_has_the_expected_outcome(
    gateway: Emulator, baseline: dict[Interface, Any], name: str
) -> None:
    """The outcome of each interface is the expected one; none leaks resources."""
    deadline = DEADLINE if name == TREATED_AS_A_RESTART else LONG_DEADLINE
    check_all(gateway, FAULTS[name], EXPECTED[name], baseline, deadline)


@pytest.mark.parametrize("name", SLOW)
def test_a_lasting_fault_ends_at_the_deadline(
    baseline: dict[Interface, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All interfaces run concurrently, each with its own gateway; none leaks resources."""
    deadline = CONCURRENT_DEADLINE
    if isinstance(FAULTS[name], Outage):
        # The outage ends before the delay of the retry does.
        deadline = LONG_DEADLINE
        monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 1.0)
        monkeypatch.setattr("random.random", lambda: 1.0)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running(deferred_polls=0)) for _ in INTERFACES]
        with no_resource_leaks(), ThreadPoolExecutor(len(INTERFACES)) as pool:
            cells = [EXPECTED[name][interface.kind] for interface in INTERFACES]
            results = [baseline[interface] for interface in INTERFACES]
            faults, until = [FAULTS[name]] * len(INTERFACES), partial(check, deadline=deadline)
            list(pool.map(until, gateways, INTERFACES, faults, cells, results))
