"""The map has every file, and the way of a call is the one the code takes: each step is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PLACES = [ROOT / "shared", ROOT / "shared" / "xai_lowcode", ROOT]
STEP = re.compile(r"`([\w/]+\.py)`((?:,\s+`[\w.]+`)*)")
MOST_STEPS = 12


def way() -> str:
    """The section that lists the steps."""
    return PAGE.split("## The way of a call\n")[1].split("\n## ")[0]


def steps() -> Iterator[tuple[str, str]]:
    """Each file with each function that is named behind it."""
    folder = ""
    for file, functions in STEP.findall(way()):
        # A bare name after a file of an adapter is another file of the same adapter.
        if "/" in file:
            folder = file.rpartition("/")[0]
        place = file if "/" in file or not file.startswith("_") else f"{folder}/{file}"
        for function in re.findall(r"`([\w.]+)`", functions) or [""]:
            yield place, function


def names_in(path: Path) -> set[str]:
    """What a file defines, methods with their class."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{getattr(member, 'name', '')}" for member in node.body}
    return found


@pytest.mark.parametrize(("file", "function"), list(steps()))
def test_a_step_is_in_the_code(file: str, function: str) -> None:
    """The file exists, and the function is defined in it."""
    path = next(place / file for place in PLACES if (place / file).is_file())
    assert not function or function in names_in(path)


def test_the_list_is_short_and_names_functions() -> None:
    """At most twelve steps, each with a file; most with a function."""
    numbered = re.findall(r"^\d+\. (.+(?:\n   .+)*)", way(), re.MULTILINE)
    assert 0 < len(numbered) <= MOST_STEPS
    assert all(STEP.search(step) for step in numbered)
    assert sum(bool(function) for _, function in steps()) >= len(numbered)


def test_the_map_has_every_file_and_no_other() -> None:
    """Each module and package of the core stands on the map, once."""
    table = PAGE.split("## The map of the core\n")[1].split("\n## ")[0]
    named = re.findall(r"`([\w]+(?:\.py|/))`", table)
    core = ROOT / "shared" / "xai_lowcode"
    there = {path.name for path in core.glob("*.py")} - {"__init__.py"}
    there |= {f"{path.parent.name}/" for path in core.glob("*/__init__.py")}
    assert sorted(named) == sorted(there)
