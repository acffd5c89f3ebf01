"""The table of features is backed: each row names a test that exists, or has none to name."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "feature-comparison.md"
NOTHING = "\N{EN DASH}"
LINK = re.compile(r'\[test\]\(\.\./tests/(\S+) "(\w+)"\)')
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_row_names_a_test_and_says_how_it_is_known(row: list[str]) -> None:
    """The test is there; of a peer it is said whether it was run or read."""
    ours, named = row[1], row[-1].strip(" |")
    if named == NOTHING:
        assert ours.startswith("no") or row[0].startswith("distributions")
    else:
        file, function = LINK.fullmatch(named).groups()
        defined = re.compile(rf"^(async )?def {function}\(", re.MULTILINE)
        assert defined.search((TESTS / file).read_text())
    for cell in row[2:-1]:
        assert cell == NOTHING or cell.endswith(("(run)", "(source)"))
