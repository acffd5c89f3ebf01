"""Build notebooks from their sources.

A source is a Python file in `sources` with cells separated by `# %%`. `make notebooks` runs it in a
kernel, in an empty folder, and writes it as a notebook with its outputs. The digest in a notebook's
metadata identifies the cells and the package version that produced the outputs.

A notebook needs no other file. These words after `# %%` add what notebooks have in common:

* `setup` adds a cell that installs the package, and the packages named after it, where missing;
* `inline` replaces a cell, which imports from a module beside the source, by the module's code;
* `varies` marks a cell whose outputs differ between runs.
"""

import asyncio
import hashlib
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from xai_lowcode import __version__
from xai_lowcode.settings import TOKEN_VARIABLE

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "sources").glob("[0-9]*.py"))
TIMEOUT = 120
CONCURRENCY = 2
VARIES = "varies"
SETUP = "setup"
INLINE = "inline"

REPOSITORY = "xai-lowcode/xai-lowcode"
SOURCE = " @ git+https://github.com/xai-lowcode/xai-lowcode"
_SETUP_TEXT = """\
Open in [Colab](https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}),
[Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/main/notebooks/{name})
or [Binder](https://mybinder.org/v2/gh/{repository}/main?labpath=notebooks/{name}).

The next cell installs the package where it is missing. {connection}"""
_CONNECTION = """\
`connect` reads a LowCodeAPI token from the environment variable `LOWCODEAPI_API_TOKEN` or from the
secret of this name in Colab or Kaggle, or prompts for it. Without a token it starts the emulator of
the gateway on this machine."""
_EMULATOR_ONLY = "`connect` starts the emulator of the gateway on this machine."
_INSTALL = """\
from importlib.util import find_spec

if not all(map(find_spec, {modules!r})):
    %pip install -q {requirements}"""

_MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)
_IMAGE_TYPES = {"image/png", "image/jpeg"}


def read_source(path: Path) -> Any:
    """Read a source as a notebook without outputs."""
    notebook = nbformat.v4.new_notebook()
    _, *parts = _MARK.split(path.read_text(encoding="utf-8"))
    for flags, body in zip(parts[::2], parts[1::2], strict=True):
        match flags.split():
            case ["[markdown]"]:
                cells = [nbformat.v4.new_markdown_cell(_uncommented(body))]
            case [word, *packages] if word == SETUP:
                cells = _setup_cells(path, packages, body.strip())
            case [word] if word == INLINE:
                cells = [nbformat.v4.new_code_cell(_imported(path, body))]
            case tags:
                cells = [nbformat.v4.new_code_cell(body.strip(), metadata={"tags": tags})]
        notebook.cells += cells
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.kernelspec = kernel
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def _setup_cells(source: Path, packages: list[str], body: str) -> list[Any]:
    """Return cells that link to notebook services, install what is imported, and connect."""
    text = _SETUP_TEXT.format(
        repository=REPOSITORY,
        name=f"{source.stem}.ipynb",
        connection=_EMULATOR_ONLY if "emulator_only" in body else _CONNECTION,
    )
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    allowed = project["dependency-groups"]["notebooks"]
    requirements = [
        f"xai-lowcode[all]{SOURCE}",
        *(next(each for each in allowed if each.startswith(f"{name}>")) for name in packages),
    ]
    code = _INSTALL.format(
        modules=["xai_lowcode", *packages],
        requirements=" ".join(f'"{requirement}"' for requirement in requirements),
    ).replace("'", '"')
    return [nbformat.v4.new_markdown_cell(text), *map(nbformat.v4.new_code_cell, (code, body))]


def _imported(source: Path, body: str) -> str:
    """Return the code of the module that a cell imports from."""
    module = body.split()[1]
    return source.with_name(f"{module}.py").read_text(encoding="utf-8").strip()


def run(notebooks: Sequence[Any]) -> list[BaseException | None]:
    """Run notebooks, each in a kernel and an empty folder of its own.

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
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as config:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            # Hides the kernel's warning about unencrypted local connections.
            extra_arguments=["--log-level=ERROR"],
            record_timing=False,
            coalesce_streams=True,
        )
        # Isolates the run from the user's configuration.
        isolation = {"IPYTHONDIR": config, "JUPYTER_CONFIG_DIR": config}
        await client.async_execute(env={**os.environ, **isolation})


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
