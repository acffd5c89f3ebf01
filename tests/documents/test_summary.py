"""The summary counts laws, cases and seconds by area; ``for_each`` runs and reports all cases."""

import inspect
from pathlib import Path

import pytest

from tests.cases import for_each
from tests.summary import AREAS, Summary, combined, table


def report(nodeid: str, outcome: str, when: str = "call", cases: int = 1) -> pytest.TestReport:
    """Return a report of cases that took a quarter of a second."""
    return pytest.TestReport(
        nodeid,
        location=("", 0, ""),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when=when,  # type: ignore[arg-type]
        duration=0.25,
        user_properties=[("cases", cases)],
    )


def test_each_folder_has_a_description() -> None:
    """Each area has a line and each line has an area; a line fits a narrow terminal."""
    tests = Path(__file__).parents[1]
    assert AREAS.keys() == {path.parent.name for path in tests.glob("*/test_*.py")}
    assert [line for line in AREAS.values() if len(line) > 70] == []


def test_cases_of_one_function_are_one_law() -> None:
    """A law may have several cases, also in classes; skipped cases are not counted."""
    summary = Summary()
    for nodeid in (
        "tests/core/test_a.py::test_one[1-x::y]",
        "tests/core/test_a.py::test_one[2]",
        "tests/core/test_a.py::TestA::test_two",
        "tests/core/test_a.py::TestB::test_two",
    ):
        for when in ("setup", "call", "teardown"):
            summary.pytest_runtest_logreport(report(nodeid, "passed", when))
    failed = report("tests/core/test_b.py::test_two", "failed", cases=10)
    expected = report("tests/core/test_b.py::test_three", "skipped")
    expected.wasxfail = "a reason"
    skipped = report("tests/core/test_b.py::test_four", "skipped", "setup")
    other_folder = report("examples/test_c.py::test_five", "passed")
    for each in (failed, expected, skipped, other_folder):
        summary.pytest_runtest_logreport(each)
    assert summary.areas.keys() == {"core"}
    header, core, total = table(summary.areas)
    assert header.split()[:5] == ["area", "laws", "cases", "skipped", "seconds"]
    assert core.split()[:5] == ["core", "4", "15", "1", "3.8"]
    assert total.split()[:5] == ["all", "4", "15", "1", "3.8"]
    assert core.endswith(AREAS["core"])


def test_a_worker_sends_one_report_for_a_passed_test() -> None:
    """The report of a passed test has the seconds of all phases; a failed one sends all reports."""
    phases = ("setup", "call", "teardown")
    passed = [report("tests/core/test_a.py::test_one", "passed", when) for when in phases]
    assert [(one.when, one.duration) for one in combined(passed)] == [("call", 0.75)]
    for phase in phases:
        reports = [
            report("tests/core/test_a.py::test_one", "failed" if when == phase else "passed", when)
            for when in phases
        ]
        assert combined(reports) == reports
    skipped = [report("tests/core/test_a.py::test_one", "skipped", "setup"), passed[2]]
    assert combined(skipped) == skipped


def test_all_cases_run_and_all_failures_are_reported() -> None:
    """All failures of ``for_each`` are reported; fixtures are passed, and cases are counted."""
    run_cases: list[tuple[str, int]] = []

    @for_each("number", {"one": 1, "two": 2, "three": 3})
    @for_each(("word", "size"), [("a", 1), ("bb", 2)])
    def law(fixture: str, number: int, word: str, size: int) -> None:
        """Odd numbers fail."""
        assert (len(word), fixture) == (size, "fixture")
        run_cases.append((word, number))
        if number == 1:
            pytest.fail("no error")
        assert number % 2 == 0

    assert list(inspect.signature(law).parameters) == ["fixture"]
    assert law.cases == 6  # type: ignore[attr-defined]
    with pytest.raises(BaseExceptionGroup, match="2 of 3 cases fail") as raised:
        law(fixture="fixture")
    assert run_cases == [(word, number) for number in (1, 2, 3) for word in ("a", "bb")]
    notes = [error.__notes__ for error in raised.value.exceptions]
    assert notes == [["This was the case one."], ["This was the case three."]]
