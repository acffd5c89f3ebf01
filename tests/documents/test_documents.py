"""The documents and the docstrings are true: their code runs, against the emulator."""

import doctest
import importlib
import io
import logging
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from xai_lowcode.emulator import running

ROOT = Path(__file__).parents[2]
SITE = ROOT / "mkdocs.yml"
PAPERS = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*PAPERS, *sorted((ROOT / "docs").rglob("*.md"))]
# Indented where it stands below a tab.
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
TEST_FILE = re.compile(r'^```python title="(test_\w+\.py)"\n(.*?)^```', re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^ *```(\S.*)$", re.MULTILINE)
# What else a block may be: shown beside its replacement, or not Python.
NOT_RUN = re.compile(r'python title="Before"|console|text|json')
SAYS = re.compile(r"print\(.*\)  # (.+)")
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Every Python block of the documents with its place; those of a tutorial are one."""
    for path in PAGES:
        found = [textwrap.dedent(match[2]) for match in BLOCK.finditer(path.read_text())]
        name = path.relative_to(ROOT).as_posix()
        if found and path.parent.name == "tutorial":
            yield name, found
        else:
            yield from ((f"{name} {number}", [code]) for number, code in enumerate(found, 1))


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
        logger = logging.getLogger("xai_lowcode")
        kept = logger.level, logger.handlers[:]
        yield
        logger.setLevel(kept[0])
        logger.handlers[:] = kept[1]


# What LlamaIndex's workflows warn of themselves.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize(("name", "codes"), list(blocks()), ids=[name for name, _ in blocks()])
@pytest.mark.usefixtures("_connected")
def test_the_code_of_the_documents_runs(
    name: str,
    codes: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each block runs as it stands, and prints something; a tutorial's go on from one another."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for code in codes:
        exec(compile(code, name, "exec"), names)  # noqa: S102 - that is the point
        said = capsys.readouterr().out.strip()
        assert said or "print" not in code
    assert said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_block_of_code_is_passed_over(page: Path) -> None:
    """Each block is run, is a test that is run, or is of a kind that cannot be run."""
    text = page.read_text()
    run = len(BLOCK.findall(text)) + len(TEST_FILE.findall(text))
    kinds = FENCE.findall(text)
    assert run + sum(bool(NOT_RUN.fullmatch(kind)) for kind in kinds) == len(kinds)
    if 'title="Before"' in text:
        assert page.stem.startswith("coming-from")


@pytest.mark.parametrize(
    ("name", "code"), [found for page in PAGES for found in TEST_FILE.findall(page.read_text())]
)
def test_the_tests_of_the_documents_pass(name: str, code: str, tmp_path: Path) -> None:
    """Test files that are shown pass, in a pytest that knows nothing but the installed package."""
    (tmp_path / name).write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert f"{code.count('def test_')} passed" in done.stdout


def test_every_public_name_is_in_the_reference() -> None:
    """Each name that a package exports has its place in the reference, and no other is shown."""
    shown = [
        name
        for page in (ROOT / "docs" / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    ]
    assert len(shown) == len(set(shown))
    assert set(shown) >= {
        f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if name != "__version__"
    }
    for name in shown:
        assert pkgutil.resolve_name(name) is not None


def test_every_page_is_in_the_site() -> None:
    """Each page has its place in the navigation, and each place its page."""
    listed = re.findall(r"^ +- (?:.*: )?(\S+\.(?:md|ipynb))$", SITE.read_text(), re.MULTILINE)
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[len(PAPERS) :]}
    papers = {paper.name.lower() for paper in PAPERS[1:]}
    notebooks = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert sorted(listed) == sorted(pages | papers | notebooks)


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
        code = textwrap.dedent(match[2])
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
