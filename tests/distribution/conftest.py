"""Fixtures that build the wheel and the source archive of this checkout."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _build(kind: str, source: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="session")
def wheel_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the wheel built from this checkout."""
    return _build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the source archive built from this checkout."""
    return _build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def rebuilt_path(sdist_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the wheel built from the source archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist_path) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return _build("wheel", source, tmp_path_factory.mktemp("rebuilt"))
