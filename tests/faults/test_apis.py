"""The fault matrix of Messages and Responses; the expected outcomes are in ``api_tables``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.faults.api_tables import API_EXPECTED, API_FAULTS
from tests.faults.assertions import answered, check
from tests.faults.interfaces import API_INTERFACES, LASTING, Interface
from tests.faults.outcomes import Right, expected, outcome
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.tables import SLOW
from xai_lowcode.emulator import CutBytes, Emulator, running

pytestmark = pytest.mark.slow

STREAMS = [interface for interface in API_INTERFACES if interface.kind.endswith("stream")]


@pytest.fixture(scope="module")
def right(gateway: Emulator) -> dict[Interface, Any]:
    """What every interface answers when nothing is wrong."""
    return {interface: answered(gateway, interface) for interface in API_INTERFACES}


def test_the_forms_answer_alike(right: dict[Interface, Any]) -> None:
    """Every interface has a column, every fault a row, and the right answer is one for all."""
    assert list(API_EXPECTED) == sorted(API_FAULTS, key=list(API_EXPECTED).index)
    assert all(
        set(row) == {interface.kind for interface in API_INTERFACES}
        for row in API_EXPECTED.values()
    )
    assert len({str(answer) for answer in right.values()}) == 1


@pytest.mark.parametrize("name", [name for name in API_FAULTS if name not in SLOW])
def test_a_fault_comes_to_what_the_table_says(
    gateway: Emulator, right: dict[Interface, Any], name: str
) -> None:
    """Each interface, one after the other; none leaves anything behind."""
    for interface in API_INTERFACES:
        with no_resource_leaks():
            check(
                gateway,
                interface,
                API_FAULTS[name],
                API_EXPECTED[name][interface.kind],
                right[interface],
            )


@pytest.mark.parametrize("name", [name for name in API_FAULTS if name in SLOW])
def test_a_fault_that_lasts_ends_with_the_deadline(right: dict[Interface, Any], name: str) -> None:
    """All interfaces run concurrently, each with its own gateway; none leaks resources."""
    number = len(API_INTERFACES)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running()) for _ in API_INTERFACES]
        with no_resource_leaks(), ThreadPoolExecutor(number) as pool:
            cells = [API_EXPECTED[name][interface.kind] for interface in API_INTERFACES]
            answers = [right[interface] for interface in API_INTERFACES]
            faults = [API_FAULTS[name]] * number
            until = partial(check, deadline=LASTING)
            list(pool.map(until, gateways, API_INTERFACES, faults, cells, answers))


@pytest.mark.parametrize("form", ["messages", "responses"])
def test_wherever_a_stream_is_cut_it_is_whole_or_an_error(
    gateway: Emulator, right: dict[Interface, Any], form: str
) -> None:
    """At places all over its bytes; what was received is never passed off as the answer."""
    gateway.reset()
    interfaces = [interface for interface in STREAMS if interface.kind.startswith(form)]
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url, "deadline": 30.0}
    seen = set()
    for number, place in enumerate(range(0, 24_000, 397)):
        interface = interfaces[number % len(interfaces)]
        gateway.inject(CutBytes(place))
        came = outcome(interface, **options)
        assert came in (Right(right[interface]), expected("cut", interface)), (place, came)
        seen.add(type(came))
    assert len(seen) == 2
