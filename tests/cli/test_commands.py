"""The commands: text output, JSON output and written files."""

import contextlib
import json
import os
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import xai_lowcode
from tests.cli.commands import PROGRAM, Run, connected_to
from xai_lowcode.cli import app
from xai_lowcode.emulator import Emulator, Refuse, running


def test_models_lists_prices_contexts_and_aliases(run: Run) -> None:
    """The table has a row for each model, with aliases that only the language list has."""
    stdout = run("models").stdout
    (line,) = [line for line in stdout.splitlines() if line.startswith("grok-build-0.1")]
    assert line.split() == ["grok-build-0.1", "256,000", "1.00", "2.00", *line.split()[-2:]]
    assert "grok-code-fast-1" in line


def test_models_as_json(run: Run) -> None:
    """Prices are numbers in US dollars; an unknown value is null."""
    rows = {row["id"]: row for row in json.loads(run("models", "--json").stdout)}
    assert rows["grok-4.7"]["input_usd_per_million"] == 2.0
    assert rows["grok-imagine-image"]["usd_per_image"] == 0.02
    assert rows["grok-imagine-image"]["context_length"] is None


def test_models_without_language_and_image_lists(run: Run, gateway: Emulator) -> None:
    """The list of all models is printed although the language and image lists fail."""
    gateway.inject(*[Refuse(404, "Not Found", source="gateway")] * 2)
    result = run("models", "--json")
    assert result.exit_code == 0
    assert "grok-4.7" in {row["id"] for row in json.loads(result.stdout)}


def test_chat_prints_the_response_and_its_cost(run: Run) -> None:
    """Standard output has only the response; token usage and cost are on standard error."""
    result = run("chat", "Say hello")
    assert 'You wrote: "Say hello"' in result.stdout
    assert "tokens" not in result.stdout
    assert "input tokens" in result.stderr
    assert "$0.0" in result.stderr


def test_chat_as_json(run: Run) -> None:
    """Text, usage and cost are one document; the system prompt counts as input."""
    short = json.loads(run("chat", "--json", "Hi").stdout)
    long = json.loads(run("chat", "--json", "--system", "Be brief, please.", "Hi").stdout)
    assert short["text"]
    assert short["cost_usd"] > 0
    assert long["usage"]["input_tokens"] > short["usage"]["input_tokens"]


def test_chat_reads_standard_input(run: Run, gateway: Emulator) -> None:
    """The prompt - is replaced by standard input; the given model is requested."""
    assert "from a pipe" in run("chat", "-", "--model", "grok-4.3", input="from a pipe").stdout
    assert gateway.requests[-1].body["model"] == "grok-4.3"


def test_an_empty_prompt_is_not_sent(run: Run, gateway: Emulator) -> None:
    """An empty prompt is a usage error, found before anything is sent."""
    assert run("chat", "-", input="  \n").exit_code == 2
    assert gateway.requests == []


def test_image_writes_files_and_prints_their_paths(run: Run, tmp_path: Path) -> None:
    """Each printed path is an image; existing files are not overwritten."""
    (tmp_path / "image-1.png").write_text("mine")
    paths = run("image", "a cat", "--n", "2", "--out", str(tmp_path)).stdout.splitlines()
    assert [Path(path).name for path in paths] == ["image-2.png", "image-3.png"]
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in paths)
    assert (tmp_path / "image-1.png").read_text() == "mine"


def test_image_options(run: Run, gateway: Emulator, tmp_path: Path) -> None:
    """A file name gets an extension and numbers; aspect ratio and resolution are sent unchanged."""
    result = run(
        *("image", "a cat", "--out", str(tmp_path / "cat"), "--n", "2", "--json"),
        *("--aspect-ratio", "16:9", "--resolution", "2k"),
    )
    document = json.loads(result.stdout)
    assert document["files"] == [str(tmp_path / "cat.png"), str(tmp_path / "cat-2.png")]
    assert document["cost_usd"] > 0
    sent = gateway.requests[-1].body
    assert (sent["aspect_ratio"], sent["resolution"], sent["n"]) == ("16:9", "2k", 2)


@pytest.mark.parametrize(
    "args", [("--n", "11"), ("--n", "0"), ("--out", "/no/such/folder/image.png")]
)
def test_invalid_image_options_are_not_sent(
    run: Run, gateway: Emulator, args: tuple[str, ...]
) -> None:
    """An invalid number of images and a missing folder are found before anything is sent."""
    assert run("image", "a cat", *args).exit_code == 2
    assert gateway.requests == []


def test_files_upload_list_delete(run: Run, tmp_path: Path) -> None:
    """``upload`` prints the id of the file, which ``list`` contains and ``delete`` accepts."""
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk")
    result = run("files", "upload", str(path))
    assert result.stderr == ""
    file_id = result.stdout.strip()
    (listed,) = json.loads(run("files", "list", "--json").stdout)
    assert (listed["id"], listed["name"], listed["size"]) == (file_id, "notes.txt", 17)
    assert file_id in run("files", "list").stdout
    assert run("files", "delete", file_id).stdout.strip() == file_id
    assert json.loads(run("files", "list", "--json").stdout) == []
    assert "no files" in run("files", "list").stderr


def test_files_as_json(run: Run, tmp_path: Path) -> None:
    """``upload`` and ``delete`` print their result as JSON; ``--name`` sets the file name."""
    path = tmp_path / "notes.txt"
    path.write_text("milk")
    record = json.loads(run("files", "upload", str(path), "--name", "list.txt", "--json").stdout)
    assert (record["name"], record["size"]) == ("list.txt", 4)
    deletion = json.loads(run("files", "delete", record["id"], "--json").stdout)
    assert deletion == {"id": record["id"], "deleted": True}


def test_an_upload_shows_a_progress_bar_on_a_terminal(gateway: Emulator, tmp_path: Path) -> None:
    """The bar has name and size of the file; standard output has only the id."""
    path = tmp_path / "notes.bin"
    path.write_bytes(bytes(3_500_000))
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    env = {**os.environ, **connected_to(gateway), "TERM": "xterm"}
    command = subprocess.Popen(
        [*PROGRAM, "files", "upload", str(path)], env=env, stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    output = "".join(read_terminal(screen))
    out, _ = command.communicate(timeout=30)
    assert "notes.bin" in output
    assert "3.50M/3.50M" in output
    assert out.decode().strip() in gateway.store.files


def read_terminal(screen: int) -> Iterator[str]:
    """Yield the output of a terminal until it is closed."""
    with contextlib.suppress(OSError), open(screen, encoding="utf-8", newline="") as file:
        while character := file.read(1):
            yield character


@pytest.mark.parametrize("args", [("files", "upload", "/no/such/file"), ("files", "delete", "..")])
def test_invalid_file_arguments_are_not_sent(
    run: Run, gateway: Emulator, args: tuple[str, ...]
) -> None:
    """A missing file and an invalid id are found before anything is sent."""
    assert run(*args).exit_code == 2
    assert gateway.requests == []


def test_version_and_help(run: Run) -> None:
    """The version needs no token; a command line without a command prints help."""
    assert run("--version", env={"PATH": ""}).stdout == f"xai-lowcode {xai_lowcode.__version__}\n"
    for args in ((), ("files",)):
        result = run(*args)
        assert result.exit_code == 0
        assert "Commands" in result.stdout


def test_base_url_option() -> None:
    """``--base-url`` overrides the environment."""
    with running() as ignored, running() as used:
        env = {**connected_to(ignored), "LOWCODEAPI_API_TOKEN": used.api_token}
        assert CliRunner().invoke(app, ["--base-url", used.base_url, "models"], env=env).stdout
        assert (len(ignored.requests), bool(used.requests)) == (0, True)
