"""The code in documents and docstrings runs against the emulator; every page is in the site."""

import ast
import asyncio
import doctest
import importlib.util
import io
import logging
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from PIL import Image

from xai_lowcode.emulator import running

ROOT = Path(__file__).parents[2]
SITE = ROOT / "mkdocs.yml"
ROOT_PAGES = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*ROOT_PAGES, *sorted((ROOT / "docs").rglob("*.md"))]
# Indented inside a tab.
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
TEST_FILE = re.compile(r'^```python title="(test_\w+\.py)"\n(.*?)^```', re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^ *```(\S.*)$", re.MULTILINE)
# Blocks that are not run: code before a migration, or other languages.
NOT_RUN = re.compile(r'python title="Before"|bash|powershell|console|text|json|yaml')
LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?(?: \"[^\"]*\")?\)")
PRINTS = re.compile(r"print\(.*\)  # (.+)")
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Yield the Python blocks of the documents with a name; a tutorial's blocks are one program.

    So are those of the pages for LangChain's documentation.
    """
    for path in PAGES:
        codes = [textwrap.dedent(match[2]) for match in BLOCK.finditer(path.read_text())]
        name = path.relative_to(ROOT).as_posix()
        if codes and path.parent.name in {"tutorial", "ecosystem"}:
            yield name, codes
        else:
            yield from ((f"{name} {number}", [code]) for number, code in enumerate(codes, 1))


def classes() -> Iterator[type]:
    """Yield the public classes of the adapters that have code in their docstrings."""
    for package in map(importlib.import_module, PACKAGES[1:]):
        for name in package.__all__:
            exported = getattr(package, name)
            if isinstance(exported, type) and BLOCK.search(exported.__doc__ or ""):
                yield exported


def modules_with_examples() -> Iterator[str]:
    """Yield the modules of the three packages that have doctest examples."""
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = importlib.util.find_spec(module.name)
            if spec and spec.origin and ">>> " in Path(spec.origin).read_text():
                yield module.name


@pytest.fixture
def _connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with running(embeddings=True) as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        logger = logging.getLogger("xai_lowcode")
        level, handlers = logger.level, logger.handlers[:]
        yield
        logger.setLevel(level)
        logger.handlers[:] = handlers


# A warning of LlamaIndex's workflows.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize(("name", "codes"), list(blocks()), ids=[name for name, _ in blocks()])
@pytest.mark.usefixtures("_connected")
def test_code_blocks_run(
    name: str,
    codes: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each block runs and prints something; a tutorial's blocks share their names."""
    monkeypatch.chdir(tmp_path)
    # A saved context of LlamaIndex names the classes of its events by module.
    page = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    # Cells of Jupyter have an event loop.
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if "jupyter" in name else 0
    for code in codes:
        result = eval(compile(code, name, "exec", flags), vars(page))  # noqa: S307 - code of the documents
        if result is not None:
            asyncio.run(result)
        printed = capsys.readouterr().out.strip()
        assert printed or "print" not in code
    assert printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_exempt(page: Path) -> None:
    """Each block is run, is a test file that is run, or is of a kind that is not run."""
    text = page.read_text()
    run = len(BLOCK.findall(text)) + len(TEST_FILE.findall(text))
    kinds = FENCE.findall(text)
    assert run + sum(bool(NOT_RUN.fullmatch(kind)) for kind in kinds) == len(kinds)
    if 'title="Before"' in text:
        assert page.stem.startswith("coming-from")


@pytest.mark.parametrize(
    ("name", "code"), [match for page in PAGES for match in TEST_FILE.findall(page.read_text())]
)
def test_test_files_pass(name: str, code: str, tmp_path: Path) -> None:
    """The documents' test files pass in a fresh pytest with the installed package."""
    (tmp_path / name).write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout
    assert f"{code.count('def test_')} passed" in result.stdout


def test_every_public_name_is_in_the_reference() -> None:
    """The reference documents each public name once, and each documented name exists."""
    documented = [
        name
        for page in (ROOT / "docs" / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    ]
    assert len(documented) == len(set(documented))
    assert set(documented) >= {
        f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if name != "__version__"
    }
    for name in documented:
        assert pkgutil.resolve_name(name) is not None


def test_every_page_is_in_the_site() -> None:
    """The navigation lists each page once, and no other."""
    listed = re.findall(r"^ +- (?:.*: )?(\S+\.(?:md|ipynb))$", SITE.read_text(), re.MULTILINE)
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[len(ROOT_PAGES) :]}
    root_pages = {page.name.lower() for page in ROOT_PAGES[1:]}
    notebooks = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert sorted(listed) == sorted(pages | root_pages | notebooks)


@pytest.mark.parametrize("documented", list(classes()), ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("_connected")
def test_code_in_class_docstrings_runs(
    documented: type,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The blocks run one after the other and print what their comments say."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fox.png").write_bytes(create_png())
    names: dict[str, Any] = {}
    for number, match in enumerate(BLOCK.finditer(documented.__doc__ or ""), 1):
        code = textwrap.dedent(match[2])
        exec(compile(code, f"{documented.__name__} {number}", "exec"), names)  # noqa: S102 - as above
        printed = capsys.readouterr().out
        for expected in PRINTS.findall(code):
            assert expected in printed.splitlines()
        assert printed.strip() or "print" not in code


def create_png() -> bytes:
    """Create a small PNG."""
    target = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 90, 30)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_doctests_pass(name: str) -> None:
    """The examples in a module's docstrings print what they state."""
    with mock.patch.dict(os.environ):
        results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


def test_relative_links_lead_to_files() -> None:
    """Each relative link of a document leads to a file, and its anchor to a heading."""
    broken = []
    for page in PAGES:
        for target, anchor in LINK.findall(page.read_text()):
            path = (page.parent / target).resolve() if target else page
            anchors = headings(path) if anchor and path.suffix == ".md" else {anchor}
            if not path.exists() or anchor not in anchors:
                broken.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert broken == []


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_what_contributing_names_exists() -> None:
    """Each path exists, and each constant is defined in a file that its row or step names."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    text = text[text.index("## Where to make a change") : text.index("## Conventions")]
    missing = []
    for part in re.split(r"\n(?=\||\d\. |\n)", text):
        paths = re.findall(r"`((?:\w+/)+|[\w/]*\w\.(?:py|md))`", part)
        found = {path: find_named(path) for path in paths}
        missing += [path for path, files in found.items() if not files]
        sources = "\n".join(
            file.read_text() for files in found.values() for file in files if file.is_file()
        )
        names = re.findall(r"`([A-Z_]+)`", part)
        missing += [name for name in names if not re.search(rf"^{name}\b", sources, re.MULTILINE)]
    assert "`RESPONSES_PREFERRED`" in text
    assert missing == []


def find_named(path: str) -> list[Path]:
    """Return the files that a path in CONTRIBUTING.md means."""
    if (ROOT / path).exists():
        return [ROOT / path]
    folders = ("shared/xai_lowcode", *PACKAGES[1:], "tests")
    return [found for folder in folders for found in (ROOT / folder).rglob(path)]
