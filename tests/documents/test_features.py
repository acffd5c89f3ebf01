"""The documents name existing tests of their statements."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "feature-comparison.md"
NONE = "\N{EN DASH}"
LINK = re.compile(r'\[test\]\((?:\S*/)?tests/(\S+)\s"(\w+)"\)')
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]


def list_items(text: str) -> list[str]:
    """Return the items of the lists in a text."""
    return re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)


README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
SECURITY = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")
GUARANTEES = list_items(SECURITY.partition("## Guarantees")[2].partition("\n## ")[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_row_names_its_test_and_evidence(row: list[str]) -> None:
    """The test exists; a fact about another integration is marked as run or read in its source."""
    ours, named = row[1], row[-1].strip(" |")
    if named == NONE:
        assert ours.startswith("no") or row[0].startswith("distributions")
    else:
        assert_tests_exist([LINK.fullmatch(named).groups()])
    for cell in row[2:-1]:
        assert cell == NONE or cell.endswith(("(run)", "(source)"))


def assert_tests_exist(named: list[tuple[str, str]]) -> None:
    """Assert that each file of tests has the function."""
    for file, function in named:
        defined = re.compile(rf"^(async )?def {function}\(", re.MULTILINE)
        assert defined.search((TESTS / file).read_text()), f"{file}: {function}"


@pytest.mark.parametrize("guarantee", GUARANTEES, ids=lambda text: text[2:32])
def test_a_guarantee_names_its_tests(guarantee: str) -> None:
    """Each guarantee in SECURITY.md names at least one test, and each named test exists."""
    assert LINK.search(guarantee)
    assert_tests_exist(LINK.findall(guarantee))


def test_a_reason_leads_to_its_proof() -> None:
    """Each reason in the README has a link; the named tests exist."""
    reasons = list_items(README.partition("\n## ")[0])
    assert reasons
    assert all("](https://" in reason for reason in reasons)
    assert_tests_exist(LINK.findall(README))
