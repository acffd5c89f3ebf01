"""The fault matrix of the other wire forms: messages and responses; the cells are in ``forms``."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.faults.faces import FORM_FACES, Face
from tests.faults.forms import FORM_EXPECTED, FORM_FAULTS
from tests.faults.meeting import answered, check
from tests.faults.outcomes import Right, expected, outcome
from tests.faults.tables import SLOW
from tests.faults.watching import nothing_left
from xai_lowcode.emulator import CutBytes, Emulator, running

STREAMS = [face for face in FORM_FACES if face.kind.endswith("stream")]


@pytest.fixture(scope="module")
def right(gateway: Emulator) -> dict[Face, Any]:
    """What every face answers when nothing is wrong."""
    return {face: answered(gateway, face) for face in FORM_FACES}


def test_the_forms_answer_alike(right: dict[Face, Any]) -> None:
    """Every face has a column, every fault a row, and the right answer is one for all."""
    assert list(FORM_EXPECTED) == sorted(FORM_FAULTS, key=list(FORM_EXPECTED).index)
    assert all(set(row) == {face.kind for face in FORM_FACES} for row in FORM_EXPECTED.values())
    assert len({str(answer) for answer in right.values()}) == 1


@pytest.mark.parametrize("name", [name for name in FORM_FAULTS if name not in SLOW])
def test_a_fault_comes_to_what_the_table_says(
    gateway: Emulator, right: dict[Face, Any], name: str
) -> None:
    """Each face, one after the other; none leaves anything behind."""
    for face in FORM_FACES:
        with nothing_left():
            check(gateway, face, FORM_FAULTS[name], FORM_EXPECTED[name][face.kind], right[face])


@pytest.mark.parametrize("name", [name for name in FORM_FAULTS if name in SLOW])
def test_a_fault_that_lasts_ends_with_the_deadline(right: dict[Face, Any], name: str) -> None:
    """All faces at the same time, each with a gateway of its own; none leaves anything behind."""
    number = len(FORM_FACES)
    with ExitStack() as stack:
        gateways = [stack.enter_context(running()) for _ in FORM_FACES]
        with nothing_left(), ThreadPoolExecutor(number) as pool:
            cells = [FORM_EXPECTED[name][face.kind] for face in FORM_FACES]
            answers = [right[face] for face in FORM_FACES]
            faults = [FORM_FAULTS[name]] * number
            list(pool.map(check, gateways, FORM_FACES, faults, cells, answers))


@pytest.mark.parametrize("form", ["messages", "responses"])
def test_wherever_a_stream_is_cut_it_is_whole_or_an_error(
    gateway: Emulator, right: dict[Face, Any], form: str
) -> None:
    """At places all over its bytes; what was received is never passed off as the answer."""
    gateway.reset()
    faces = [face for face in STREAMS if face.kind.startswith(form)]
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url, "deadline": 30.0}
    seen = set()
    for number, place in enumerate(range(0, 24_000, 397)):
        face = faces[number % len(faces)]
        gateway.inject(CutBytes(place))
        came = outcome(face, **options)
        assert came in (Right(right[face]), expected("cut", face)), (place, came)
        seen.add(type(came))
    assert len(seen) == 2
