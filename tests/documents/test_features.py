"""Each row of the feature comparison names an existing test, or has none to name."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "feature-comparison.md"
NONE = "\N{EN DASH}"
LINK = re.compile(r'\[test\]\(\.\./tests/(\S+) "(\w+)"\)')
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_row_names_its_test_and_evidence(row: list[str]) -> None:
    """The test exists; a fact about another integration is marked as run or read in its source."""
    ours, named = row[1], row[-1].strip(" |")
    if named == NONE:
        assert ours.startswith("no") or row[0].startswith("distributions")
    else:
        file, function = LINK.fullmatch(named).groups()
        defined = re.compile(rf"^(async )?def {function}\(", re.MULTILINE)
        assert defined.search((TESTS / file).read_text())
    for cell in row[2:-1]:
        assert cell == NONE or cell.endswith(("(run)", "(source)"))
