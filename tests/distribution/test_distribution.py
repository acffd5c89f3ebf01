"""Check the installed packages: public names, missing extras, cost of the import."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from xai_lowcode import __version__
from xai_lowcode.chat import server_tools

ROOT = Path(__file__).parents[2]
PUBLIC_NAMES = {
    "xai_lowcode": {
        "AsyncGateway",
        "ChatModel",
        "ChatRequest",
        "Gateway",
        "ImageRequest",
        "Message",
        "PollingOptions",
        "Settings",
        "Upload",
        "XAILowCodeError",
        "__version__",
        "images",
    },
    "langchain_xai_lowcode": {
        "ChatXAILowCode",
        "XAIImageGenerationTool",
        "XAIImageGenerator",
        "XAILowCodeEmbeddings",
        "XAIUsageCallbackHandler",
        "__version__",
        "code_execution",
        "file_search",
        "image_generation",
        "mcp",
        "web_search",
        "x_search",
    },
    "llama_index_xai_lowcode": {
        "GeneratedImageBlock",
        "StructuredOutputError",
        "XAIImageGenerator",
        "XAIImageToolSpec",
        "XAILowCode",
        "XAILowCodeEmbedding",
        "XAIServerTool",
        "XAIUsageEventHandler",
        "__version__",
        "code_execution",
        "file_search",
        "image_generation",
        "mcp",
        "web_search",
        "x_search",
    },
}
PACKAGES = sorted(PUBLIC_NAMES)
REFERENCE = ROOT / "docs" / "reference"
SERVER_TOOLS = [
    name
    for name, value in vars(server_tools).items()
    if getattr(value, "__module__", None) == server_tools.__name__ and name[0] != "_"
]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter, outside the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", SERVER_TOOLS)
def test_each_server_tool_is_public_in_both_adapters(name: str) -> None:
    """Both adapters export each function for a server-side tool, and the reference lists it."""
    for package, page in (
        ("langchain_xai_lowcode", "langchain-tools"),
        ("llama_index_xai_lowcode", "llama-index-tools"),
    ):
        assert name in PUBLIC_NAMES[package]
        assert f"::: {package}.{name}\n" in (REFERENCE / f"{page}.md").read_text()
    assert f".server_tools.{name}\n" in (REFERENCE / "server-tools.md").read_text()


def test_the_editable_install_does_not_expose_shared(tmp_path: Path) -> None:
    """``import shared`` fails and the packages can be imported."""
    assert "ModuleNotFoundError" in run("import shared", tmp_path).stderr
    imports = "; ".join(f"import {package}" for package in PACKAGES)
    assert run(imports, tmp_path).stderr == ""


@pytest.mark.parametrize(
    ("package", "name", "missing", "extra"),
    [
        ("langchain_xai_lowcode", "ChatXAILowCode", "langchain_core", "langchain"),
        ("llama_index_xai_lowcode", "XAILowCode", "llama_index", "llama-index"),
    ],
)
def test_an_adapter_names_the_missing_extra(
    tmp_path: Path, package: str, name: str, missing: str, extra: str
) -> None:
    """Without its framework an adapter raises an ImportError that names the extra to install."""
    block = f"import sys; sys.modules[{missing!r}] = None; "
    error = run(f"{block}from {package} import {name}", tmp_path).stderr.splitlines()[-1]
    assert error == (
        f"ImportError: {package}.{name} needs {missing}, which is not installed:"
        f" pip install 'xai-lowcode[{extra}]'"
    )


def test_the_command_names_the_missing_extra(tmp_path: Path) -> None:
    """Without its extra the command exits with a message, not with a traceback."""
    result = run("import sys; sys.modules['typer'] = None; import xai_lowcode.cli", tmp_path)
    assert result.stderr.strip() == "xai-lowcode needs typer: pip install 'xai-lowcode[cli]'"
    assert result.returncode == 1


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_the_version_needs_no_extra(tmp_path: Path, missing: str) -> None:
    """`--version` works without the extra, also with `python -m`; other commands do not."""
    for args, status in ((["--version"], 0), (["--version", "x"], 1), ([], 1)):
        code = (
            f"import runpy, sys; sys.modules[{missing!r}] = None; sys.argv[1:] = {args};"
            " runpy.run_module('xai_lowcode', run_name='__main__')"
        )
        result = run(code, tmp_path)
        assert result.returncode == status
        assert result.stdout.strip() == ("" if status else f"xai-lowcode {__version__}")


@pytest.mark.parametrize("missing", ["uvicorn", "PIL"])
def test_the_emulator_names_the_missing_extra(tmp_path: Path, missing: str) -> None:
    """Without its extra the emulator raises an error that names the extra to install."""
    block = f"import sys; sys.modules[{missing!r}] = None; "
    error = run(block + "from xai_lowcode.emulator import running", tmp_path).stderr.splitlines()
    assert error[-1] == (
        f"ModuleNotFoundError: xai_lowcode.emulator.running needs {missing}, which is not"
        " installed: pip install 'xai-lowcode[emulator]'"
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_no_heavy_dependency(tmp_path: Path, package: str) -> None:
    """Importing a package loads neither its framework, nor httpx, nor pydantic."""
    heavy = "{'httpx', 'pydantic', 'langchain_core', 'llama_index'} & sys.modules.keys()"
    result = run(f"import sys; import {package}; print({heavy} or 'light')", tmp_path)
    assert result.stdout.strip() == "light"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package: str) -> None:
    """``__all__`` has the names listed here, sorted, and each can be imported."""
    module = __import__(package)
    assert set(module.__all__) == PUBLIC_NAMES[package]
    assert module.__all__ == sorted(module.__all__, key=lambda name: (name.islower(), name))
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(dir(module)) >= set(module.__all__) - {"__version__"}


def test_the_commands_of_the_readme_exist() -> None:
    """The commands of the README are targets of the Makefile, and ``.ci/run`` runs the tests."""
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("demo", "test"):
        assert f"make {command}" in readme
        assert f"\n{command}:" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_constraints_are_names_and_versions() -> None:
    """``constraints.txt`` names no index, URL or path."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert "version" in tomllib.load(file)["project"]["dynamic"]
