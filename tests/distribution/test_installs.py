"""Install the wheel with each extra alone and run a script of ``smoke`` against an emulator.

Each extra is installed into a new environment of each Python version. This takes minutes and needs
a package index, so it runs with ``make test-wheels``, not with ``make test``.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

SMOKE = Path(__file__).parent / "smoke"
ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "": ["without"],
    "langchain": ["with_langchain"],
    "llama-index": ["with_llama_index"],
    "emulator": ["with_emulator"],
    "cli": ["with_cli"],
    "all": ["with_langchain", "with_llama_index", "with_cli"],
}
UV = os.environ.get("UV", "")
PYTHONS = os.environ.get("PYTHONS", "").split()
installing = pytest.mark.skipif(not UV, reason="make test-wheels installs the wheel")


def test_every_extra_has_a_smoke_script() -> None:
    """Each extra has a script, and each script belongs to an extra."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].keys()
    assert SCRIPTS.keys() == {"", *extras}
    tried = {script for scripts in SCRIPTS.values() for script in scripts}
    assert tried == {path.stem for path in SMOKE.glob("*.py")} - {"absent"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[dict[str, str]]:
    """Return the environment variables of an emulator that runs in another process."""
    serve = [sys.executable, "-c", "from xai_lowcode.cli import main; main()", "serve", "--port=0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(2)]
        yield dict(re.findall(r"^export (\w+)=(\S+)", "".join(lines), re.MULTILINE))
        server.terminate()


@pytest.fixture(scope="module", params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    """Return the path of an installed interpreter."""
    path = shutil.which(request.param)
    if path is None or subprocess.run([path, "--version"], check=False).returncode:
        pytest.skip(f"{request.param} is not installed")
    return path


@installing
@pytest.mark.parametrize("extra", SCRIPTS)
def test_an_extra_alone(
    python: str, extra: str, wheel_path: Path, gateway: dict[str, str], tmp_path: Path
) -> None:
    """The scripts of an extra pass with only the extra's requirements installed."""
    fresh = tmp_path / "fresh"
    make = [UV, "venv", "--quiet", "--no-python-downloads", "--python", python, str(fresh)]
    subprocess.run(make, check=True)
    wanted = f"xai-lowcode[{extra}] @ {wheel_path.as_uri()}"
    install = [UV, "pip", "install", "--quiet", "--python", str(fresh), wanted]
    subprocess.run(install, check=True)
    for script in SCRIPTS[extra]:
        command = [str(fresh / "bin" / "python"), "-W", "error", str(SMOKE / f"{script}.py")]
        result = subprocess.run(
            command, env=gateway, cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert (result.returncode, result.stderr) == (0, ""), f"{extra}: {script}"
