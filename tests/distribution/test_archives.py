"""Law: the archives hold all of the packages and nothing else, and say truly what they are."""

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
        )
    },
}
RUBBISH = re.compile(r"__pycache__|\.pyc$|(^|/)\.[a-z]*_cache|\.env$|(^|/)\.venv|egg-info|\.orig$")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(wheel_path: Path) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    return zipfile.ZipFile(wheel_path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Metadata:
    """What the wheel says of itself, read as strictly as an index reads it."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Metadata.from_email(wheel.read(name), validate=True)


def test_the_wheel_holds_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Each file of the packages, and no other, is in the wheel as it is in the checkout."""
    expected = {
        f"{package}/{path.relative_to(folder).as_posix()}": path
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and not RUBBISH.search(path.relative_to(folder).as_posix())
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected.keys()
    assert all(wheel.read(name) == path.read_bytes() for name, path in expected.items())


def test_both_ways_give_the_same_wheel(wheel: zipfile.ZipFile, rebuilt_path: Path) -> None:
    """A wheel built from the source archive is the wheel built from the checkout."""
    rebuilt = zipfile.ZipFile(rebuilt_path)
    assert rebuilt.namelist() == wheel.namelist()
    assert all(rebuilt.read(name) == wheel.read(name) for name in wheel.namelist())


def test_the_source_archive_holds_no_rubbish(sdist_path: Path) -> None:
    """No cache, no environment, and no file that leads out of the folder."""
    with tarfile.open(sdist_path) as archive:
        names = archive.getnames()
        assert all(member.isfile() for member in archive)
    assert not [name for name in names if RUBBISH.search(name) or ".." in name]
    assert {name.partition("/")[0] for name in names} == {f"xai_lowcode-{xai_lowcode.__version__}"}


def test_the_wheel_runs_anywhere(wheel_path: Path) -> None:
    """The wheel is for every Python 3 and every machine, and named for its version."""
    name, version, _, tags = parse_wheel_filename(wheel_path.name)
    assert (name, str(version)) == ("xai-lowcode", xai_lowcode.__version__)
    assert [str(tag) for tag in tags] == ["py3-none-any"]


def test_the_wheel_brings_its_licence_and_its_commands(wheel: zipfile.ZipFile) -> None:
    """The licence's text, the command and the pytest plugin come with it."""
    (info,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    licence = (ROOT / "LICENSE").read_bytes()
    assert wheel.read(f"{info}/licenses/LICENSE") == licence
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "xai-lowcode = xai_lowcode.cli:main" in entry_points
    assert "xai_lowcode = xai_lowcode.emulator.pytest_plugin" in entry_points


def test_the_metadata_says_what_pyproject_says(metadata: Metadata) -> None:
    """Name, version, licence, links, extras, readme and the range of Python."""
    assert (metadata.name, str(metadata.version)) == ("xai-lowcode", xai_lowcode.__version__)
    assert (metadata.license_expression, metadata.license_files) == ("MIT", ["LICENSE"])
    assert metadata.description == (ROOT / "README.md").read_text()
    assert metadata.description_content_type == "text/markdown"
    assert set(metadata.provides_extra or []) == PROJECT["optional-dependencies"].keys()
    assert metadata.project_urls == PROJECT["urls"]
    assert set(metadata.classifiers or []) == set(PROJECT["classifiers"])
    assert metadata.keywords
    assert str(metadata.requires_python) == PROJECT["requires-python"]


def test_the_core_needs_four_packages(metadata: Metadata) -> None:
    """Everything but httpx with what it stands on, orjson and pydantic is an extra."""
    needed = map(Requirement, map(str, metadata.requires_dist or []))
    core = {each.name for each in needed if each.marker is None}
    assert core == {"httpcore", "httpx", "orjson", "pydantic"}


def test_every_requirement_of_a_user_has_a_floor(metadata: Metadata) -> None:
    """Each requirement has one lower bound, which ``make test-floors`` installs."""
    for requirement in map(Requirement, map(str, metadata.requires_dist or [])):
        floors = [each for each in requirement.specifier if each.operator == ">="]
        assert requirement.extras or len(floors) == 1, requirement


def test_every_version_of_python_that_is_named_is_tested() -> None:
    """Classifiers, the Makefile and the workflow name the same versions."""
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
