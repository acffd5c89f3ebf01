"""What this environment has: the right modules, no ``shared``, clear words without an extra."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode"}


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter, outside the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=False, capture_output=True, text=True
    )


def test_the_editable_install_offers_no_module_called_shared(tmp_path: Path) -> None:
    """After the install that tests run in, ``import shared`` fails and the packages import."""
    assert "ModuleNotFoundError" in run("import shared", tmp_path).stderr
    imports = "; ".join(f"import {package}" for package in sorted(PACKAGES))
    assert run(imports, tmp_path).stderr == ""


@pytest.mark.parametrize(
    ("package", "name", "missing", "extra", "other"),
    [
        (
            "langchain_xai_lowcode",
            "ChatXAILowCode",
            "langchain_core",
            "langchain",
            "from llama_index_xai_lowcode import XAILowCode",
        ),
        (
            "llama_index_xai_lowcode",
            "XAILowCode",
            "llama_index",
            "llama-index",
            "from langchain_xai_lowcode import ChatXAILowCode",
        ),
    ],
)
def test_one_framework_works_without_the_other(
    tmp_path: Path, package: str, name: str, missing: str, extra: str, other: str
) -> None:
    """Without a framework its adapter says in one sentence which extra is missing."""
    block = f"import sys; sys.modules[{missing!r}] = None; "
    told = run(f"{block}from {package} import {name}", tmp_path).stderr.splitlines()[-1]
    assert told == (
        f"ImportError: {package}.{name} needs {missing}, which is not installed:"
        f" pip install 'xai-lowcode[{extra}]'"
    )
    assert run(block + other, tmp_path).stderr == ""


def test_the_command_says_which_extra_is_missing(tmp_path: Path) -> None:
    """The command without its extra ends with a sentence, not with a traceback."""
    result = run("import sys; sys.modules['typer'] = None; import xai_lowcode.cli", tmp_path)
    assert result.stderr.strip() == "xai-lowcode needs typer: pip install 'xai-lowcode[cli]'"
    assert result.returncode == 1


@pytest.mark.parametrize("missing", ["uvicorn", "PIL"])
def test_the_emulator_says_which_extra_is_missing(tmp_path: Path, missing: str) -> None:
    """The emulator without its extra is an error in one sentence."""
    block = f"import sys; sys.modules[{missing!r}] = None; "
    told = run(block + "from xai_lowcode.emulator import running", tmp_path).stderr.splitlines()
    assert told[-1] == (
        f"ModuleNotFoundError: xai_lowcode.emulator.running needs {missing}, which is not"
        " installed: pip install 'xai-lowcode[emulator]'"
    )


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_importing_a_package_is_nearly_free(tmp_path: Path, package: str) -> None:
    """Importing a package loads neither its framework nor httpx; names load on first use."""
    heavy = "{'httpx', 'pydantic', 'langchain_core', 'llama_index'} & sys.modules.keys()"
    result = run(f"import sys; import {package}; print({heavy} or 'light')", tmp_path)
    assert result.stdout.strip() == "light"


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_public_name_exists(package: str) -> None:
    """``__all__`` is sorted, and each of its names can be had."""
    module = __import__(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (name.islower(), name))
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(dir(module)) >= set(module.__all__) - {"__version__"}


def test_the_readme_names_the_commands_that_exist() -> None:
    """The two commands of the README are targets of the Makefile, and CI runs the tests."""
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("demo", "test"):
        assert f"make {command}" in readme
        assert f"\n{command}:" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_no_pin_names_a_host() -> None:
    """The tested set is names and versions, from wherever the user's index is."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert "version" in tomllib.load(file)["project"]["dynamic"]
