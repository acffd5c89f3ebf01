"""A face meets a fault: what is asked, in what time, and that the cell of its table comes out."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from tests.faults.faces import DEADLINE, FILE, Face
from tests.faults.outcomes import Failure, Right, expected, outcome
from tests.faults.tables import ERRORS, Cell
from xai_lowcode.emulator import CloseAfter, Emulator, Fault, Stall

# A face may come to use two deadlines: that of the call, and that of the looks after it.
LATEST = 2 * DEADLINE + 2.5
NO_FAULT = Stall(0.0)


def answered(gateway: Emulator, face: Face) -> Any:
    """What a face answers when nothing is wrong."""
    _prepare(gateway)
    answer = face.answer(**_place(gateway), deadline=30.0)
    assert len(gateway.requests) == face.requests
    return answer


def check(gateway: Emulator, face: Face, fault: Fault, cell: Cell, answer: Any) -> None:
    """Fails if something else comes out than the cell says, or after more requests."""
    where = f"{fault}: {face.name} ({face.kind})"
    if cell.repeated:
        came, _ = _meet(gateway, face, [fault] * 10, 0)
        assert came == expected(cell.word, face), where
    came, requests = _meet(gateway, face, [fault], 0 if cell.word == "again" else 1)
    fails = cell.word in ERRORS and not cell.repeated
    assert came == (expected(cell.word, face) if fails else Right(answer)), where
    if cell.more is not None:
        twice = face.requests if isinstance(fault, CloseAfter) else 0
        plain = face.meets if fails else face.requests + twice
        assert requests == plain + cell.more, where


def _meet(
    gateway: Emulator, face: Face, faults: list[Fault], retries: int
) -> tuple[Right | Failure, int]:
    """What came out of a face that met faults, and after how many requests."""
    _prepare(gateway)
    # What is closed after an answer is noticed by the next one who asks.
    idle = isinstance(faults[0], CloseAfter)
    earlier = (face.requests if idle else face.meets) - 1
    gateway.inject(*[NO_FAULT] * earlier, *faults)
    options = {**_place(gateway), "deadline": DEADLINE, "max_retries": retries}
    began = time.monotonic()
    came = outcome(face, times=1 + idle, **options)
    assert time.monotonic() - began < LATEST
    return came, len(gateway.requests)


def _place(gateway: Emulator) -> dict[str, Any]:
    return {"base_url": gateway.base_url, "api_token": gateway.api_token}


def _prepare(gateway: Emulator) -> None:
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
