"""The documents and the docstrings are true: their code runs, against the emulator."""

import doctest
import importlib
import io
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from xai_lowcode.emulator import running

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
SAYS = re.compile(r"print\(.*\)  # (.+)")
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")


def blocks() -> Iterator[tuple[str, str]]:
    """Every Python block of the documents with its place."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, match in enumerate(BLOCK.finditer(path.read_text()), 1):
            yield f"{path.name} {number}", match[1]


def classes() -> Iterator[type]:
    """The public classes of the adapters whose docstrings show how they are used."""
    for package in map(importlib.import_module, PACKAGES[1:]):
        for name in package.__all__:
            found = getattr(package, name)
            if isinstance(found, type) and BLOCK.search(found.__doc__ or ""):
                yield found


def modules() -> Iterator[str]:
    """Every module of the three packages."""
    for package in map(importlib.import_module, PACKAGES):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


@pytest.fixture
def _connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with running(embeddings=True) as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        yield


# What LlamaIndex's workflows warn of themselves.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
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


@pytest.mark.parametrize("shown", list(classes()), ids=lambda shown: shown.__name__)
@pytest.mark.usefixtures("_connected")
def test_the_code_of_a_classes_docstring_runs(
    shown: type,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its blocks run one after the other, and what they print as a comment is what they print."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fox.png").write_bytes(a_picture())
    names: dict[str, Any] = {}
    for number, match in enumerate(BLOCK.finditer(shown.__doc__ or ""), 1):
        code = textwrap.dedent(match[1])
        exec(compile(code, f"{shown.__name__} {number}", "exec"), names)  # noqa: S102 - as above
        said = capsys.readouterr().out
        for expected in SAYS.findall(code):
            assert expected in said.splitlines()
        assert said.strip() or "print" not in code


def a_picture() -> bytes:
    """A small PNG."""
    target = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 90, 30)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize("name", list(modules()))
def test_every_module_says_what_it_holds_and_its_examples_run(name: str) -> None:
    """A module opens with a sentence, and the examples in its docstrings give what they say."""
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip().partition("\n")[0].endswith((".", ":"))
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
