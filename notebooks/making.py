"""Build notebooks from their sources.

A source is a Python file in `sources` with cells separated by `# %%`. `make notebooks` runs it in a
kernel and writes it as a notebook with its outputs. The digest in a notebook's metadata identifies
the cells and the package version that produced the outputs.
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
CONCURRENCY = 2
VARIES = "varies"
"""Marks a cell whose outputs differ between runs."""

_MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)
_IMAGE_TYPES = {"image/png", "image/jpeg"}


def read_source(path: Path) -> Any:
    """Read a source as a notebook without outputs."""
    notebook = nbformat.v4.new_notebook()
    _, *parts = _MARK.split(path.read_text(encoding="utf-8"))
    for number, (flags, body) in enumerate(zip(parts[::2], parts[1::2], strict=True), 1):
        if "[markdown]" in flags:
            cell = nbformat.v4.new_markdown_cell(_uncommented(body))
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
            if VARIES in flags:
                cell.metadata.tags = [VARIES]
        cell.id = f"cell-{number}"
        notebook.cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.kernelspec = kernel
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def run(notebooks: Sequence[Any]) -> list[BaseException | None]:
    """Run notebooks, each in a kernel of its own.

    Returns:
        The exception that stopped each notebook, or None.
    """
    return asyncio.run(_run_all(notebooks))


async def _run_all(notebooks: Sequence[Any]) -> list[BaseException | None]:
    semaphore = asyncio.Semaphore(CONCURRENCY)

    async def run_one(notebook: Any) -> None:
        async with semaphore:
            await _run_one(notebook)

    return await asyncio.gather(*map(run_one, notebooks), return_exceptions=True)


async def _run_one(notebook: Any) -> None:
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        # Hides the kernel's warning about unencrypted local connections.
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as empty:
        # Isolates the run from the user's configuration.
        config = {"IPYTHONDIR": empty, "JUPYTER_CONFIG_DIR": empty}
        await client.async_execute(env={**os.environ, **config})


def digest(notebook: Any) -> str:
    """Return a digest of the code cells, in order, and the package version."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join([__version__, *code]).encode()).hexdigest()


def outputs(notebook: Any) -> Iterator[list[tuple[str, ...]]]:
    """Yield the reproducible outputs of each code cell.

    Images, and outputs that vary, are reduced to their types; standard error is omitted.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            plain = VARIES not in cell.metadata.get("tags", [])
            normalized = (_normalize(output, plain=plain) for output in cell.outputs)
            yield [output for output in normalized if output is not None]


def _normalize(output: Any, *, plain: bool) -> tuple[str, ...] | None:
    if output.output_type == "stream":
        text = output.text if plain else ""
        return None if output.name == "stderr" else ("stream", text)
    data = output.get("data", {})
    text = data.get("text/plain", "") if plain and not _IMAGE_TYPES & data.keys() else ""
    return (output.output_type, *sorted(data), text)


def _uncommented(body: str) -> str:
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())


def main(names: list[str]) -> None:
    """Run the sources whose names start with one of the names, or all, and write the notebooks."""
    backend = "hosted" if os.environ.get(TOKEN_VARIABLE) else "emulator"
    paths = [path for path in SOURCES if path.name.startswith(tuple(names) or "")]
    notebooks = [read_source(path) for path in paths]
    errors = run(notebooks)
    for path, notebook, error in zip(paths, notebooks, errors, strict=True):
        if error is not None:
            raise SystemExit(f"{path.name} failed: {error}")
        metadata = {"digest": digest(notebook), "version": __version__, "answers": backend}
        notebook.metadata["xai_lowcode"] = metadata
        target = HERE / f"{path.stem}.ipynb"
        nbformat.write(notebook, target)
        print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
