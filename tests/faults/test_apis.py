"""The fault matrix of Messages and Responses; the expected outcomes are in ``api_tables``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.faults.api_tables import API_EXPECTED, API_FAULTS
from tests.faults.assertions import check, check_all, result_without_fault
from tests.faults.interfaces import API_INTERFACES, CONCURRENT_DEADLINE, Interface
from tests.faults.outcomes import Success, expected, outcome
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.tables import SLOW
from xai_lowcode.emulator import CutBytes, Emulator, running

pytestmark = pytest.mark.slow

STREAMS = [interface for interface in API_INTERFACES if interface.kind.endswith("stream")]


@pytest.fixture(scope="module")
def baseline(gateway: Emulator) -> dict[Interface, Any]:
    """Return the result of each interface without a fault."""
    return {interface: result_without_fault(gateway, interface) for interface in API_INTERFACES}


def test_all_interfaces_and_apis_have_equal_results(baseline: dict[Interface, Any]) -> None:
    """Each fault has a row, each interface a column, and all results without a fault are equal."""
    assert list(API_EXPECTED) == sorted(API_FAULTS, key=list(API_EXPECTED).index)
    assert all(
        set(row) == {interface.kind for interface in API_INTERFACES}
        for row in API_EXPECTED.values()
    )
    assert len({str(result) for result in baseline.values()}) == 1


@pytest.mark.parametrize("name", [name for name in API_FAULTS if name not in SLOW])
def test_each_fault_has_the_expected_outcome(
    gateway: Emulator, baseline: dict[Interface, Any], name: str
) -> None:
    """The outcome of each interface is the expected one; none leaks resources."""
    check_all(gateway, API_FAULTS[name], API_EXPECTED[name], baseline)


@pytest.mark.parametrize("name", [name for name in API_FAULTS if name in SLOW])
def test_a_lasting_fault_ends_at_the_deadline(baseline: dict[Interface, Any], name: str) -> None:
    """All interfaces run concurrently, each with its own gateway; none leaks resources."""
    number = len(API_INTERFACES)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running()) for _ in API_INTERFACES]
        with no_resource_leaks(), ThreadPoolExecutor(number) as pool:
            cells = [API_EXPECTED[name][interface.kind] for interface in API_INTERFACES]
            results = [baseline[interface] for interface in API_INTERFACES]
            faults = [API_FAULTS[name]] * number
            until = partial(check, deadline=CONCURRENT_DEADLINE)
            list(pool.map(until, gateways, API_INTERFACES, faults, cells, results))


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_a_cut_stream_is_complete_or_an_error(
    gateway: Emulator, baseline: dict[Interface, Any], api: str
) -> None:
    """A stream that is cut at any offset is complete or raises an error, never a partial result."""
    gateway.reset()
    interfaces = [interface for interface in STREAMS if interface.kind.startswith(api)]
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url, "deadline": 30.0}
    outcomes = set()
    for number, offset in enumerate(range(0, 24_000, 397)):
        interface = interfaces[number % len(interfaces)]
        gateway.inject(CutBytes(offset))
        actual = outcome(interface, **options)
        assert actual in (Success(baseline[interface]), expected("cut", interface)), (
            offset,
            actual,
        )
        outcomes.add(type(actual))
    assert len(outcomes) == 2
