"""Notebooks from their sources: read, run, compared, written.

A source is a Python file in `sources` whose cells begin with `# %%`, so that it can be read, linted
and compared like any other; `make notebooks` runs it in a kernel and writes it with its outputs.
The digest in a notebook's metadata tells of which cells and which version its outputs are.
"""

import asyncio
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from xai_lowcode import __version__
from xai_lowcode.settings import TOKEN_VARIABLE

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "sources").glob("*.py"))
TIMEOUT = 120
AT_ONCE = 2
VARIES = "varies"
"""The mark of a cell whose outputs are no two times the same."""

_MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)
_PICTURES = {"image/png", "image/jpeg"}


def read_source(path: Path) -> Any:
    """Reads a source as a notebook without outputs."""
    notebook = nbformat.v4.new_notebook()
    _, *rest = _MARK.split(path.read_text(encoding="utf-8"))
    for number, (words, body) in enumerate(zip(rest[::2], rest[1::2], strict=True), 1):
        if "[markdown]" in words:
            cell = nbformat.v4.new_markdown_cell(_uncommented(body))
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
            if VARIES in words:
                cell.metadata.tags = [VARIES]
        cell.id = f"cell-{number}"
        notebook.cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.kernelspec = kernel
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def run(notebooks: Sequence[Any]) -> list[BaseException | None]:
    """Runs notebooks from top to bottom, each in a kernel of its own, as Jupyter does.

    Returns:
        What stopped each of them; None for those that came to their end.
    """
    return asyncio.run(_run_all(notebooks))


async def _run_all(notebooks: Sequence[Any]) -> list[BaseException | None]:
    places = asyncio.Semaphore(AT_ONCE)

    async def run_one(notebook: Any) -> None:
        async with places:
            await _run_one(notebook)

    return await asyncio.gather(*map(run_one, notebooks), return_exceptions=True)


async def _run_one(notebook: Any) -> None:
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        # Kernels warn that others on this machine may listen; there are no secrets in what is said.
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as empty:
        # What somebody has set up for their own notebooks must not show in these.
        own = {"IPYTHONDIR": empty, "JUPYTER_CONFIG_DIR": empty}
        await client.async_execute(env={**os.environ, **own})


def digest(notebook: Any) -> str:
    """What the outputs are of: the code, in its order, and the package's version."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join([__version__, *code]).encode()).hexdigest()


def outputs(notebook: Any) -> Iterator[list[tuple[str, ...]]]:
    """What each code cell gave, as far as it is the same in every run.

    Of pictures, and of what varies, only the kind is left; standard error is left out.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            plain = VARIES not in cell.metadata.get("tags", [])
            found = (_told(output, plain=plain) for output in cell.outputs)
            yield [told for told in found if told is not None]


def _told(output: Any, *, plain: bool) -> tuple[str, ...] | None:
    if output.output_type == "stream":
        said = output.text if plain else ""
        return None if output.name == "stderr" else ("stream", said)
    data = output.get("data", {})
    said = data.get("text/plain", "") if plain and not _PICTURES & data.keys() else ""
    return (output.output_type, *sorted(data), said)


def _uncommented(body: str) -> str:
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())


def main(names: list[str]) -> None:
    """Runs the sources whose names begin so, or all, and writes their notebooks."""
    answered = "hosted" if os.environ.get(TOKEN_VARIABLE) else "emulator"
    chosen = [path for path in SOURCES if path.name.startswith(tuple(names) or "")]
    notebooks = [read_source(path) for path in chosen]
    stopped = run(notebooks)
    for path, notebook, problem in zip(chosen, notebooks, stopped, strict=True):
        if problem is not None:
            raise SystemExit(f"{path.name} stopped: {problem}")
        made = {"digest": digest(notebook), "version": __version__, "answers": answered}
        notebook.metadata["xai_lowcode"] = made
        target = HERE / f"{path.stem}.ipynb"
        nbformat.write(notebook, target)
        print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
