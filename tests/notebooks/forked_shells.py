"""Run notebooks in place, each in an IPython shell of its own: `forked_shells.py NOTEBOOK...`.

Kernels spend most of their time on imports. Here one process imports the frameworks, and a fork of
it runs each notebook, in the notebook's folder and, as in a kernel, in a running event loop.
"""

import asyncio
import base64
import importlib
import io
import os
import pkgutil
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output

# All modules of these packages are imported, and these modules.
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")
MODULES = (
    "anyio._backends._asyncio",
    "langchain.agents",
    "langchain_core.vectorstores",
    "llama_index.core.agent.workflow",
    "matplotlib.pyplot",
    "PIL.Image",
    "uvicorn.protocols.http.h11_impl",
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def encode(data: dict[str, Any]) -> dict[str, Any]:
    """Encode binary data as notebooks do."""
    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


class RecordingHook(DisplayHook):  # type: ignore[misc]  # untyped
    """Appends the value of a cell to the outputs."""

    def write_output_prompt(self) -> None:
        """Write nothing."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Append the value in all its formats."""
        data, count = encode(format_dict), self.shell.execution_count
        output = new_output("execute_result", data, metadata=md_dict or {}, execution_count=count)
        self.shell.outputs.append(output)

    def finish_displayhook(self) -> None:
        """Write nothing."""


class RecordingPublisher(DisplayPublisher):  # type: ignore[misc]  # untyped
    """Appends displayed objects to the outputs."""

    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:
        """Append an object in all its formats."""
        output = new_output("display_data", encode(data), metadata=metadata or {})
        self.shell.outputs.append(output)


class RecordingStream(io.TextIOBase):
    """Appends text to the outputs, or to the last one if it is of the same stream."""

    def __init__(self, name: str, outputs: list[Any]) -> None:
        self._name = name
        self._outputs = outputs

    def write(self, text: str) -> int:
        """Append a text."""
        last = self._outputs[-1] if self._outputs else {}
        if last.get("name") == self._name:
            last.text += text
        else:
            self._outputs.append(new_output("stream", name=self._name, text=text))
        return len(text)


class RecordingShell(InteractiveShell):  # type: ignore[misc]  # untyped
    """A shell that records outputs as notebooks do."""

    outputs: list[Any]

    def __init__(self) -> None:
        super().__init__(displayhook_class=RecordingHook, display_pub_class=RecordingPublisher)
        self.outputs = []

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: inline plots need no event loop of a window system."""

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Show nothing; the exception is in the result."""

    async def run(self, cell: Any) -> None:
        """Run a cell, store its outputs in it, and raise its exception."""
        self.outputs = cell.outputs = []
        with (
            redirect_stdout(RecordingStream("stdout", cell.outputs)),
            redirect_stderr(RecordingStream("stderr", cell.outputs)),
        ):
            code = self.transform_cell(cell.source)
            result = await self.run_cell_async(cell.source, transformed_cell=code)
            self.events.trigger("post_execute")
        result.raise_error()


async def run(path: Path) -> None:
    """Run a notebook in its folder and write it with its outputs."""
    os.chdir(path.parent)
    notebook = nbformat.read(path, as_version=4)
    shell = RecordingShell.instance()
    shell.enable_matplotlib("inline")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            await shell.run(cell)
    nbformat.write(notebook, path)


def refuse_other_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise an error, as an audit hook, for a connection that leaves this machine."""
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        host = address[0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host not in LOOPBACK:
        raise PermissionError(f"a notebook connects to {host!r}")


def fork(path: Path) -> int:
    """Run a notebook in a fork and return its process id."""
    if child := os.fork():
        return child
    status = 1
    try:
        asyncio.run(run(path))
        status = 0
    except BaseException:  # noqa: BLE001 - a fork must not return
        print(path.name, traceback.format_exc(), sep="\n", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(status)


def warm_up() -> None:
    """Import what notebooks import, and load LlamaIndex's tokenizer."""
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("llama_index.core.utils").get_tokenizer()


def main(paths: list[str]) -> int:
    """Run the notebooks at the same time; return the number of failures."""
    warm_up()
    sys.addaudithook(refuse_other_hosts)
    children = [fork(Path(path)) for path in paths]
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
