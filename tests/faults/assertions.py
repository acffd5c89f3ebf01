"""Check that an interface returns the outcome in the table for a fault, in the listed requests."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from tests.faults.interfaces import FILE, Interface
from tests.faults.outcomes import Failure, Success, expected, outcome
from tests.faults.tables import ERRORS, Cell
from xai_lowcode.emulator import CloseAfter, Emulator, Fault, Stall
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


def _run_with_faults(
    gateway: Emulator, interface: Interface, faults: list[Fault], retries: int, deadline: float
) -> tuple[Success | Failure, int]:
    """Return the outcome of an interface with faults, and the number of requests."""
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
    while not _is_open(gateway):
        time.sleep(0.02)
    gateway.reset()
    gateway.add_file("lines.txt", FILE, "text/plain")


def _is_open(gateway: Emulator) -> bool:
    """Return True if a gateway that refused connections accepts them again."""
    url = urlsplit(gateway.origin)
    try:
        socket.create_connection((url.hostname, url.port or 0)).close()
    except OSError:
        return False
    return True
