"""Check that an interface returns the outcome in the table for a fault, in the listed requests."""

import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.faults.interfaces import FILE, Interface
from tests.faults.outcomes import Failure, Success, expected, outcome
from tests.faults.resource_leaks import ResourceLeakError, no_resource_leaks
from tests.faults.tables import ERRORS, Cell
from xai_lowcode.emulator import CloseAfter, Emulator, Fault, Outage, Stall
from xai_lowcode.protocol.urls import forget_url_formats

# Only faults that last exceed this deadline, however busy the machine is.
LONG_DEADLINE = 60.0
NO_FAULT = Stall(0.0)


def result_without_fault(gateway: Emulator, interface: Interface) -> Any:
    """Return the result of an interface without a fault."""
    _prepare(gateway)
    result = interface.run(**_connection_options(gateway), deadline=30.0)
    assert len(gateway.requests) == interface.requests
    return result


def check(
    gateway: Emulator,
    interface: Interface,
    fault: Fault,
    cell: Cell,
    result: Any,
    deadline: float = LONG_DEADLINE,
) -> None:
    """Fail if the outcome differs from the cell, or if the number of requests does."""
    message = f"{fault}: {interface.name} ({interface.kind})"
    if cell.retried:
        actual, _ = _run_with_faults(gateway, interface, [fault] * 10, 0, deadline)
        assert actual == expected(cell.outcome, interface), message
    retries = 0 if cell.outcome == "again" else 1
    actual, requests = _run_with_faults(gateway, interface, [fault], retries, deadline)
    fails = cell.outcome in ERRORS and not cell.retried
    assert actual == (expected(cell.outcome, interface) if fails else Success(result)), message
    if cell.extra_requests is not None:
        second_call = interface.requests if isinstance(fault, CloseAfter) else 0
        usual = interface.faulted_request if fails else interface.requests + second_call
        assert requests == usual + cell.extra_requests, message


def check_all(
    gateway: Emulator,
    fault: Fault,
    row: Mapping[str, Cell],
    results: Mapping[Interface, Any],
    deadline: float = LONG_DEADLINE,
) -> None:
    """Check interfaces, given with their results without a fault; fail if one leaks resources.

    Resources are compared once. Only if some are leaked, each interface is checked again by itself.
    """

    def check_interface(interface: Interface) -> None:
        check(gateway, interface, fault, row[interface.kind], results[interface], deadline)

    try:
        with no_resource_leaks():
            for interface in results:
                check_interface(interface)
    except ResourceLeakError:
        for interface in results:
            try:
                with no_resource_leaks():
                    check_interface(interface)
            except ResourceLeakError as error:
                error.add_note(f"{fault}: {interface.name} ({interface.kind})")
                raise
        raise


def _run_with_faults(
    gateway: Emulator, interface: Interface, faults: list[Fault], retries: int, deadline: float
) -> tuple[Success | Failure, int]:
    """Return the outcome of an interface with faults, and the number of requests."""
    if isinstance(faults[0], Outage):
        _wait_until_open(gateway)
    _prepare(gateway)
    # A connection that was closed after a response is noticed by the next request.
    in_second_call = isinstance(faults[0], CloseAfter)
    earlier = (interface.requests if in_second_call else interface.faulted_request) - 1
    gateway.inject(*[NO_FAULT] * earlier, *faults)
    options = {**_connection_options(gateway), "deadline": deadline, "max_retries": retries}
    actual = outcome(interface, times=1 + in_second_call, **options)
    return actual, len(gateway.requests)


def _connection_options(gateway: Emulator) -> dict[str, Any]:
    return {"base_url": gateway.base_url, "api_token": gateway.api_token}


def _prepare(gateway: Emulator) -> None:
    forget_url_formats()
    gateway.reset()
    gateway.add_file("lines.txt", FILE, "text/plain")


def _wait_until_open(gateway: Emulator) -> None:
    """Wait until a gateway that refused connections in an earlier call accepts them again."""
    url = urlsplit(gateway.origin)
    while True:
        try:
            socket.create_connection((url.hostname, url.port or 0)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
