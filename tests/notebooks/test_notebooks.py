"""The notebooks are true: they run, and the outputs beside their code are this code's outputs."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks.making import HERE, SOURCES, digest, outputs, read_source, run
from xai_lowcode import __version__
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE

LARGEST = 600_000
CONSTRAINTS = HERE.parent / "constraints.txt"
# Tokens and keys, places on somebody's machine, addresses that are others tomorrow.
PRIVATE = re.compile(
    r"\bat_[0-9a-z]{20,}|xai-[0-9A-Za-z]{20,}|/(?:home|root|Users|tmp|work)/|site-packages|127\.0\.0\.1:\d"
)

each = pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])


def committed(source: Path) -> Any:
    """The notebook of a source, as it lies there."""
    return nbformat.read(HERE / f"{source.stem}.ipynb", as_version=4)


def test_each_source_has_its_notebook() -> None:
    """There is a notebook for each source and a source for each notebook."""
    assert [path.stem for path in SOURCES] == sorted(path.stem for path in HERE.glob("*.ipynb"))
    assert len(SOURCES) == 8


@each
def test_the_cells_are_those_of_the_source(source: Path) -> None:
    """Cell by cell a notebook has what its source has, and its form is valid."""
    notebook = committed(source)
    nbformat.validate(notebook)
    told = [(cell.cell_type, cell.source) for cell in notebook.cells]
    assert told == [(cell.cell_type, cell.source) for cell in read_source(source).cells]


@each
def test_the_outputs_belong_to_the_code(source: Path) -> None:
    """The digest that was taken when the outputs were made is that of the code and the version."""
    made = committed(source).metadata["xai_lowcode"]
    assert made["digest"] == digest(read_source(source)), "run `make notebooks`"
    assert made["version"] == __version__


@each
def test_it_says_first_who_answers(source: Path) -> None:
    """The first output names Grok or the emulator, as the metadata do."""
    notebook = committed(source)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code").outputs[0].text
    answered = notebook.metadata["xai_lowcode"]["answers"]
    assert ("come from the emulator" if answered == "emulator" else "come from Grok") in first


@each
def test_nothing_private_and_nothing_large_is_in_it(source: Path) -> None:
    """No token, no place on a machine, no warning and no error is in an output; files are small."""
    path = HERE / f"{source.stem}.ipynb"
    assert path.stat().st_size < LARGEST
    for output in said(committed(source)):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        data = {kind: text for kind, text in output.get("data", {}).items() if "image" not in kind}
        words = re.sub(r"base64,[^\"]+", "", json.dumps([output.get("text"), data]))
        assert not PRIVATE.search(words)


@pytest.mark.slow
def test_they_run_and_give_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """From top to bottom, with the outputs that are committed, where these do not vary.

    Grok's answers are no two times the same: outputs of the hosted gateway are not compared.
    """
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_URL_VARIABLE, raising=False)
    # All in one test, since they run side by side.
    notebooks = [read_source(source) for source in SOURCES]
    for problem in run(notebooks):
        if problem is not None:
            raise problem
    if f"pillow=={version('pillow')}" not in CONSTRAINTS.read_text().splitlines():
        pytest.skip("they ran; the images' bytes are those of another version of Pillow")
    for source, notebook in zip(SOURCES, notebooks, strict=True):
        shown = committed(source)
        if shown.metadata["xai_lowcode"]["answers"] == "emulator":
            assert list(outputs(notebook)) == list(outputs(shown)), source.stem


def test_images_and_plots_are_among_the_outputs() -> None:
    """Of the eight notebooks those with something to see show it."""
    kinds = {
        source.stem[:2]: [kind for output in said(committed(source)) for kind in _kinds(output)]
        for source in SOURCES
    }
    with_images = {number for number, found in kinds.items() if "image" in found}
    assert with_images == {"04", "05", "06", "07", "08"}
    assert kinds["05"].count("image") >= 6


def test_any_change_of_the_code_is_noticed() -> None:
    """The digest is another one for every cell that changes, goes, or trades places."""
    notebook = read_source(SOURCES[0])
    code = [number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    seen = {digest(notebook)}
    for number in code:
        changed = deepcopy(notebook)
        changed.cells[number].source += " "
        shorter = deepcopy(notebook)
        del shorter.cells[number]
        seen |= {digest(changed), digest(shorter)}
    swapped = deepcopy(notebook)
    swapped.cells[code[0]], swapped.cells[code[1]] = swapped.cells[code[1]], swapped.cells[code[0]]
    assert len(seen | {digest(swapped)}) == 2 * len(code) + 2
    words = deepcopy(notebook)
    words.cells[0].source += " And so on."
    assert digest(words) in seen


def test_any_change_of_an_output_is_noticed() -> None:
    """Another text, another kind or one output more is a difference, unless the cell varies."""
    shown = committed(SOURCES[-1])
    before = list(outputs(shown))
    for cell in shown.cells:
        for output in cell.get("outputs", []):
            if "text" not in output:
                continue
            kept, output.text = output.text, output.text + "!"
            varies = "varies" in cell.metadata.get("tags", [])
            assert (list(outputs(shown)) == before) is varies
            output.text = kept
    shown.cells[1].outputs.pop()
    assert list(outputs(shown)) != before


def said(notebook: Any) -> Iterator[Any]:
    """All outputs of a notebook."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def _kinds(output: Any) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data or "base64," in data.get("text/html", ""):
        yield "image"
