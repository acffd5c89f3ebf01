"""Check a fault at an interface: the requests, and the outcome in the table."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from tests.faults.interfaces import FILE, Interface
from tests.faults.outcomes import Failure, Right, expected, outcome
from tests.faults.tables import ERRORS, Cell
from xai_lowcode.emulator import CloseAfter, Emulator, Fault, Stall
from xai_lowcode.protocol.urls import forget_url_formats

# No fault reaches it, however busy the machine is, but those that last.
PATIENT = 60.0
NO_FAULT = Stall(0.0)


def answered(gateway: Emulator, interface: Interface) -> Any:
    """What an interface answers when nothing is wrong."""
    _prepare(gateway)
    answer = interface.answer(**_place(gateway), deadline=30.0)
    assert len(gateway.requests) == interface.requests
    return answer


def check(
    gateway: Emulator,
    interface: Interface,
    fault: Fault,
    cell: Cell,
    answer: Any,
    deadline: float = PATIENT,
) -> None:
    """Fails if something else comes out than the cell says, or after more requests."""
    where = f"{fault}: {interface.name} ({interface.kind})"
    if cell.repeated:
        came, _ = _meet(gateway, interface, [fault] * 10, 0, deadline)
        assert came == expected(cell.word, interface), where
    retries = 0 if cell.word == "again" else 1
    came, requests = _meet(gateway, interface, [fault], retries, deadline)
    fails = cell.word in ERRORS and not cell.repeated
    assert came == (expected(cell.word, interface) if fails else Right(answer)), where
    if cell.more is not None:
        twice = interface.requests if isinstance(fault, CloseAfter) else 0
        plain = interface.meets if fails else interface.requests + twice
        assert requests == plain + cell.more, where


def _meet(
    gateway: Emulator, interface: Interface, faults: list[Fault], retries: int, deadline: float
) -> tuple[Right | Failure, int]:
    """What came out of an interface that met faults, and after how many requests."""
    _prepare(gateway)
    # What is closed after an answer is noticed by the next one who asks.
    idle = isinstance(faults[0], CloseAfter)
    earlier = (interface.requests if idle else interface.meets) - 1
    gateway.inject(*[NO_FAULT] * earlier, *faults)
    options = {**_place(gateway), "deadline": deadline, "max_retries": retries}
    came = outcome(interface, times=1 + idle, **options)
    return came, len(gateway.requests)


def _place(gateway: Emulator) -> dict[str, Any]:
    return {"base_url": gateway.base_url, "api_token": gateway.api_token}


def _prepare(gateway: Emulator) -> None:
    forget_url_formats()
    while not _is_open(gateway):
        time.sleep(0.02)
    gateway.reset()
    gateway.add_file("lines.txt", FILE, "text/plain")


def _is_open(gateway: Emulator) -> bool:
    """Whether a gateway is back that refused connections."""
    place = urlsplit(gateway.origin)
    try:
        socket.create_connection((place.hostname, place.port or 0)).close()
    except OSError:
        return False
    return True
