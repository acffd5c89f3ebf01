"""Check the container files of examples without a container engine: paths, packages, commands."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from langchain_xai_lowcode import ChatXAILowCode

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "examples" / name for name in ("Dockerfile", "Containerfile.emulator")]
EMULATOR = FILES[1]
PAGE = (ROOT / "docs" / "how-to" / "testing.md").read_text()
PORT = "8787"


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a container file with their arguments."""
    lines = path.read_text().splitlines()
    parsed = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(name, arguments) for name, _, arguments in parsed]


def command(path: Path, instruction: str) -> list[str]:
    """Return the command of an instruction in its exec form."""
    (arguments,) = (text for name, text in instructions(path) if name == instruction)
    parsed = json.loads(arguments[arguments.index("[") :])
    assert isinstance(parsed, list)
    return [str(argument) for argument in parsed]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_of_a_build_exist(path: Path) -> None:
    """Each copied path is in the repository, and so is each package of the wheel."""
    copied = [
        source
        for name, arguments in instructions(path)
        if name == "COPY"
        for source in shlex.split(arguments)[:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = wheel["targets"]["wheel"]["packages"]
    assert {Path(package).parts[0] for package in packages} <= set(copied)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_container_is_not_run_by_root(path: Path) -> None:
    """A container file has a user, a health check and a command, and installs existing extras."""
    names = [name for name, _ in instructions(path)]
    known = {"FROM", "WORKDIR", "RUN", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL"}
    assert set(names) <= known | {"CMD", "ENTRYPOINT"}
    assert names[0] == "FROM"
    assert names.index("USER") < names.index("HEALTHCHECK")
    assert names[-1] in {"CMD", "ENTRYPOINT"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (installed,) = re.findall(r"'\.\[([\w,-]+)\]'", path.read_text())
    assert set(installed.split(",")) <= project["optional-dependencies"].keys()


def test_the_emulator_of_the_container_responds(tmp_path: Path) -> None:
    """The command listens on all addresses with the fixed token; the health check succeeds.

    A health check does not consume a fault, and the stop signal ends the command.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program, *options = command(EMULATOR, "ENTRYPOINT")
    assert program == "xai-lowcode"
    options = [port if option == PORT else option for option in options]
    health = [text.replace(PORT, port) for text in command(EMULATOR, "HEALTHCHECK")]
    health[0] = sys.executable
    assert subprocess.run(health, check=False, capture_output=True).returncode != 0
    run = [sys.executable, "-c", "from xai_lowcode.cli import main; main()"]
    stop = getattr(signal, dict(instructions(EMULATOR))["STOPSIGNAL"])
    with subprocess.Popen(
        [*run, *options, "--fault", "Refuse:429"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("export LOWCODEAPI_BASE_URL=")
            assert subprocess.run(health, check=False).returncode == 0
            model = ChatXAILowCode(
                base_url=f"http://127.0.0.1:{port}/xai", api_token="at_emulator", max_retries=0
            )
            with pytest.raises(Exception, match="429"):
                model.invoke("Say 'pong'")
            assert model.invoke("Say 'pong'").text == "pong"
            server.send_signal(stop)
            server.communicate(timeout=30)
        finally:
            server.kill()
    assert server.returncode in {0, 130}


def test_the_page_names_the_token_and_the_port_of_the_container() -> None:
    """The workflows of the page are YAML and use what the container file sets."""
    documents = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    options = command(EMULATOR, "ENTRYPOINT")
    token = options[options.index("--token") + 1]
    assert documents
    for document in documents:
        text = json.dumps(document)
        assert token in text
        assert f":{PORT}/xai" in text
