"""Check the files and the metadata of the wheel and the source archive."""

import importlib
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

import xai_lowcode

ROOT = Path(__file__).parents[2]
SOURCES = {
    "xai_lowcode": ROOT / "shared" / "xai_lowcode",
    **{
        name: ROOT / name
        for name in (
            "langchain_xai_lowcode",
            "llama_index_xai_lowcode",
            "llama_index/llms/xai_lowcode",
            "llama_index/embeddings/xai_lowcode",
            "llama_index/tools/xai_lowcode",
        )
    },
}
UNWANTED = re.compile(r"__pycache__|\.pyc$|(^|/)\.[a-z]*_cache|\.env$|(^|/)\.venv|egg-info|\.orig$")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(wheel_path: Path) -> zipfile.ZipFile:
    """Return the wheel of this checkout."""
    return zipfile.ZipFile(wheel_path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Metadata:
    """Return the wheel's metadata, validated as a package index does."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Metadata.from_email(wheel.read(name), validate=True)


def test_the_wheel_has_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """The wheel has each file of the packages unchanged, and no other file."""
    expected = {
        f"{package}/{path.relative_to(folder).as_posix()}": path
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and not UNWANTED.search(path.relative_to(folder).as_posix())
    }
    actual = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert actual == expected.keys()
    assert all(wheel.read(name) == path.read_bytes() for name, path in expected.items())


def test_checkout_and_source_archive_build_the_same_wheel(
    wheel: zipfile.ZipFile, rebuilt_path: Path
) -> None:
    """A wheel built from the source archive is the wheel built from the checkout."""
    rebuilt = zipfile.ZipFile(rebuilt_path)
    assert rebuilt.namelist() == wheel.namelist()
    assert all(rebuilt.read(name) == wheel.read(name) for name in wheel.namelist())


def test_the_source_archive_has_no_unwanted_files(sdist_path: Path) -> None:
    """The source archive has no cache, no virtual environment and no path outside its folder."""
    with tarfile.open(sdist_path) as archive:
        names = archive.getnames()
        assert all(member.isfile() for member in archive)
    assert not [name for name in names if UNWANTED.search(name) or ".." in name]
    assert {name.partition("/")[0] for name in names} == {f"xai_lowcode-{xai_lowcode.__version__}"}


def test_the_wheel_is_pure_python(wheel_path: Path) -> None:
    """The wheel is tagged for Python 3 on every platform and named after the version."""
    name, version, _, tags = parse_wheel_filename(wheel_path.name)
    assert (name, str(version)) == ("xai-lowcode", xai_lowcode.__version__)
    assert [str(tag) for tag in tags] == ["py3-none-any"]


def test_the_wheel_has_the_licence_and_the_entry_points(wheel: zipfile.ZipFile) -> None:
    """The wheel has the licence file, the command and the pytest plugin."""
    (info,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    licence = (ROOT / "LICENSE").read_bytes()
    assert wheel.read(f"{info}/licenses/LICENSE") == licence
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "xai-lowcode = xai_lowcode.cli:main" in entry_points
    assert "xai_lowcode = xai_lowcode.emulator.pytest_plugin" in entry_points


def test_the_metadata_matches_pyproject(metadata: Metadata) -> None:
    """Name, version, licence, URLs, extras, readme and Python versions match."""
    assert (metadata.name, str(metadata.version)) == ("xai-lowcode", xai_lowcode.__version__)
    assert (metadata.license_expression, metadata.license_files) == ("MIT", ["LICENSE"])
    assert metadata.description == (ROOT / "README.md").read_text()
    assert metadata.description_content_type == "text/markdown"
    assert set(metadata.provides_extra or []) == PROJECT["optional-dependencies"].keys()
    assert metadata.project_urls == PROJECT["urls"]
    assert set(metadata.classifiers or []) == set(PROJECT["classifiers"])
    assert metadata.keywords
    assert str(metadata.requires_python) == PROJECT["requires-python"]


def test_the_core_requires_four_packages(metadata: Metadata) -> None:
    """The core requires httpx, httpcore, orjson and pydantic; the rest are extras."""
    needed = map(Requirement, map(str, metadata.requires_dist or []))
    core = {each.name for each in needed if each.marker is None}
    assert core == {"httpcore", "httpx", "orjson", "pydantic"}


def test_every_requirement_has_a_floor(metadata: Metadata) -> None:
    """Each requirement has one lower bound, which ``make test-floors`` installs."""
    for requirement in map(Requirement, map(str, metadata.requires_dist or [])):
        floors = [each for each in requirement.specifier if each.operator == ">="]
        assert requirement.extras or len(floors) == 1, requirement


def test_the_source_archive_has_every_module(sdist_path: Path) -> None:
    """The source archive has each file of the packages, and the files that a build needs."""
    with tarfile.open(sdist_path) as archive:
        actual = {name.partition("/")[2] for name in archive.getnames()}
    expected = {
        path.relative_to(ROOT).as_posix()
        for folder in SOURCES.values()
        for path in folder.rglob("*")
        if path.is_file() and not UNWANTED.search(path.relative_to(folder).as_posix())
    }
    assert expected <= actual
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"} <= actual


def test_the_metadata_for_llamahub_is_correct() -> None:
    """The import path has the classes that are listed, and no other; an example exists."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["llamahub"]
    module = importlib.import_module(metadata["import_path"])
    assert set(metadata["class_authors"]) == set(module.__all__)
    assert metadata["contains_example"] == any((ROOT / "notebooks").glob("*llamaindex*.ipynb"))


def test_every_supported_python_version_is_tested() -> None:
    """The classifiers, the Makefile and the workflow list the same versions."""
    named = [
        line.rpartition(" ")[2]
        for line in PROJECT["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert f"PYTHONS ?= {' '.join(f'python{version}' for version in named)}\n" in makefile
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    quoted = ", ".join(f'"{version}"' for version in named)
    assert f"python: [{quoted}]" in workflow
