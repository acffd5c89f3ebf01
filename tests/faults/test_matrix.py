"""The fault matrix: each fault meets each face, and what comes out stands in ``tables``."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.faces import DEADLINE, FACES, FILE, Face
from tests.faults.outcomes import Failure, Right, expected, outcome
from tests.faults.tables import ERRORS, EXPECTED, FAULTS, SLOW
from tests.faults.watching import nothing_left
from xai_lowcode.emulator import CloseAfter, Emulator, Fault, Outage, Stall, running

# A face may come to use two deadlines: that of the call, and that of the looks after it.
LATEST = 2 * DEADLINE + 2.5
NO_FAULT = Stall(0.0)


@pytest.fixture(scope="module")
def right(gateway: Emulator) -> dict[Face, Any]:
    """What every face answers when nothing is wrong."""
    answers = {}
    for face in FACES:
        _prepare(gateway)
        answers[face] = face.answer(**_place(gateway), deadline=30.0)
        assert len(gateway.requests) == face.requests
    return answers


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
            _check(gateway, face, name, right[face])


@pytest.mark.parametrize("name", SLOW)
def test_a_fault_that_lasts_ends_with_the_deadline(
    right: dict[Face, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All faces at the same time, each with a gateway of its own; none leaves anything behind."""
    if isinstance(FAULTS[name], Outage):
        # The pause before the second attempt is longer than the gateway needs to be back.
        monkeypatch.setattr("xai_lowcode.retry.FIRST_PAUSE", 0.6)
        monkeypatch.setattr("random.random", lambda: 1.0)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running(deferred_polls=0)) for _ in FACES]
        with nothing_left(), ThreadPoolExecutor(len(FACES)) as pool:
            names, answers = [name] * len(FACES), [right[face] for face in FACES]
            list(pool.map(_check, gateways, FACES, names, answers))


def _check(gateway: Emulator, face: Face, name: str, answer: Any) -> None:
    fault, cell = FAULTS[name], EXPECTED[name][face.kind]
    where = f"{name}: {face.name} ({face.kind})"
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
