"""The notebooks run anywhere, and the outputs beside their code are this code's outputs."""

import ast
import base64
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from notebooks.making import HERE, SOURCES, digest, outputs, read_source, run
from xai_lowcode import __version__
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE

LARGEST = 600_000
CONSTRAINTS = HERE.parent / "constraints.txt"
SHELLS = Path(__file__).with_name("forked_shells.py")
# The light themes, and the dark ones of JupyterLab and of the documentation site.
BACKGROUNDS = ("#FFFFFF", "#111111", "#1E2129")
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
    first = next(said(notebook)).text
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


@each
def test_the_first_cell_installs_what_is_imported(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package is missing it is installed, with all that the notebook imports."""
    code = [cell.source for cell in read_source(source).cells if cell.cell_type == "code"]
    install = TransformerManager().transform_cell(code[0])
    lines: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda *line: lines.append(line))
    exec(install, {"get_ipython": lambda: shell})  # noqa: S102 - a cell of this repository
    assert not lines, "everything is installed here"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    exec(install, {"get_ipython": lambda: shell})  # noqa: S102 - the same
    [(magic, line)] = lines
    assert (magic, shlex.split(line)[:2]) == ("pip", ["install", "-q"])
    package, *others = map(Requirement, shlex.split(line)[2:])
    assert (package.name, package.extras) == ("xai-lowcode", {"all"})
    own = [Requirement(text).name for text in requires(package.name) or []]
    installed = {canonicalize_name(name) for name in [*own, *(each.name for each in others)]}
    assert imported_distributions(code[1:]) <= installed | {"ipython"}


distributions_of_modules = cache(packages_distributions)


def imported_distributions(cells: list[str]) -> set[str]:
    """Return the distributions, without the standard library, that cells import from."""
    distributions = distributions_of_modules()
    found = set()
    for cell in cells:
        for node in ast.walk(ast.parse(cell)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                found |= {
                    canonicalize_name(distribution)
                    for distribution in distributions.get(name.split(".")[0], [])
                    # Other parts of LlamaIndex share its namespace.
                    if not name.startswith("llama_index.") or distribution == "llama-index-core"
                }
    return found


@each
def test_images_have_alternative_texts(source: Path) -> None:
    """Each image in the outputs has an alternative text."""
    for output in said(committed(source)):
        if "image/png" in output.get("data", {}):
            assert output.metadata["image/png"]["alt"].strip()
        assert "<img" not in output.get("data", {}).get("text/html", "")


def test_plots_are_readable_in_light_and_dark_themes() -> None:
    """Plots are transparent, and their colours differ from a light and a dark background."""
    style = (HERE / "sources" / "_plotting.py").read_text()
    colours = re.findall("#[0-9A-F]{6}", style)
    assert len(colours) == 5
    for colour in colours:
        for background in BACKGROUNDS:
            assert contrast(colour, background) >= 3, (colour, background)
    plots = [
        output.data["image/png"]
        for source in SOURCES
        for cell in committed(source).cells
        if "plt.subplots(" in cell.source
        for output in cell.outputs
    ]
    assert len(plots) == 7
    for plot in plots:
        image = Image.open(io.BytesIO(base64.b64decode(plot))).convert("RGBA")
        assert image.getpixel((0, 0))[3] == 0


def contrast(colour: str, background: str) -> float:
    """Return the contrast ratio of WCAG."""
    darker, lighter = sorted(map(luminance, (colour, background)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.fixture
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_URL_VARIABLE, raising=False)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_token")
def test_they_run_and_give_what_is_shown(tmp_path: Path) -> None:
    """Alone in a folder and offline they run, and give the outputs that are committed.

    Responses of the hosted gateway vary: outputs of these are not compared.
    """
    # All in one test, since they run side by side.
    copies = []
    for source in SOURCES:
        notebook = committed(source)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
        folder = tmp_path / source.stem
        folder.mkdir()
        copies.append(folder / f"{source.stem}.ipynb")
        nbformat.write(notebook, copies[-1])
    result = subprocess.run(
        [sys.executable, SHELLS, *copies],
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for source, copy in zip(SOURCES, copies, strict=True):
        assert list(copy.parent.iterdir()) == [copy]
        assert_as_committed(nbformat.read(copy, as_version=4), source)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_token")
def test_one_runs_in_a_kernel() -> None:
    """In a real kernel, too, the outputs are those that are committed."""
    notebook = read_source(SOURCES[0])
    [problem] = run([notebook])
    assert problem is None
    assert_as_committed(notebook, SOURCES[0])


def assert_as_committed(notebook: Any, source: Path) -> None:
    """Compare the outputs of a notebook with the committed ones, where these are the emulator's."""
    found = [output.text for output in said(notebook) if output.get("name") == "stderr"]
    assert not found
    # The images' bytes are those of a version of Pillow.
    if f"pillow=={version('pillow')}" not in CONSTRAINTS.read_text().splitlines():
        return
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
    next(cell for cell in shown.cells if cell.get("outputs")).outputs.pop()
    assert list(outputs(shown)) != before


def said(notebook: Any) -> Iterator[Any]:
    """All outputs of a notebook."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def _kinds(output: Any) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data or "base64," in data.get("text/html", ""):
        yield "image"
