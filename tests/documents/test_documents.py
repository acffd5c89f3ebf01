"""The documents and the docstrings are true: their code runs, against the emulator."""

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from xai_lowcode.emulator import running

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")


def blocks() -> Iterator[tuple[str, str]]:
    """Every Python block of the documents with its place."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, match in enumerate(BLOCK.finditer(path.read_text()), 1):
            yield f"{path.name} {number}", match[1]


def modules() -> Iterator[str]:
    """Every module of the three packages."""
    for package in map(importlib.import_module, PACKAGES):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


@pytest.fixture
def _connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with running() as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        yield


@pytest.mark.parametrize(("name", "code"), list(blocks()), ids=[name for name, _ in blocks()])
@pytest.mark.usefixtures("_connected")
def test_the_code_of_the_documents_runs(
    name: str,
    code: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each block runs as it stands, and prints something."""
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {})  # noqa: S102 - that is the point
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", list(modules()))
def test_every_module_says_what_it_holds_and_its_examples_run(name: str) -> None:
    """A module opens with a sentence, and the examples in its docstrings give what they say."""
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip().partition("\n")[0].endswith((".", ":"))
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
