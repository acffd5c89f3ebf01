"""Every command does what it says: output for people, JSON for programs, files where asked."""

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
    """The table has a row for each model, and aliases that only the special lists tell."""
    shown = run("models").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("grok-build-0.1")]
    assert line.split() == ["grok-build-0.1", "256,000", "1.00", "2.00", *line.split()[-2:]]
    assert "grok-code-fast-1" in line


def test_models_as_json(run: Run) -> None:
    """Prices are numbers in US dollars, and what is not known is null."""
    rows = {row["id"]: row for row in json.loads(run("models", "--json").stdout)}
    assert rows["grok-4.7"]["input_usd_per_million"] == 1.25
    assert rows["grok-imagine-image"]["usd_per_image"] == 0.02
    assert rows["grok-imagine-image"]["context_length"] is None


def test_models_survives_a_gateway_without_the_special_lists(run: Run, gateway: Emulator) -> None:
    """Without lists of language and image models the list of all models is shown all the same."""
    gateway.inject(*[Refuse(404, "Not Found", source="gateway")] * 2)
    result = run("models", "--json")
    assert result.exit_code == 0
    assert "grok-4.7" in {row["id"] for row in json.loads(result.stdout)}


def test_chat_prints_the_answer_and_bills_on_standard_error(run: Run) -> None:
    """Standard output holds the answer alone; tokens and cost are on standard error."""
    result = run("chat", "Say hello")
    assert 'You wrote: "Say hello"' in result.stdout
    assert "tokens" not in result.stdout
    assert "tokens in" in result.stderr
    assert "$0.0" in result.stderr


def test_chat_as_json(run: Run) -> None:
    """Text, usage and cost come as one document, the system prompt included in the count."""
    plain = json.loads(run("chat", "--json", "Hi").stdout)
    longer = json.loads(run("chat", "--json", "--system", "Be brief, please.", "Hi").stdout)
    assert plain["text"]
    assert plain["cost_usd"] > 0
    assert longer["usage"]["input_tokens"] > plain["usage"]["input_tokens"]


def test_chat_reads_standard_input(run: Run, gateway: Emulator) -> None:
    """A minus sign stands for what is piped in, and the model is the one that was asked for."""
    assert "from a pipe" in run("chat", "-", "--model", "grok-4.3", input="from a pipe").stdout
    assert gateway.requests[-1].body["model"] == "grok-4.3"


def test_an_empty_question_is_not_sent(run: Run, gateway: Emulator) -> None:
    """Nothing to ask is a mistake in the command line, found before anything is sent."""
    assert run("chat", "-", input="  \n").exit_code == 2
    assert gateway.requests == []


def test_image_writes_pictures_and_prints_their_paths(run: Run, tmp_path: Path) -> None:
    """Each printed path is a picture, and pictures that were there are kept."""
    (tmp_path / "image-1.png").write_text("mine")
    paths = run("image", "a cat", "--n", "2", "--out", str(tmp_path)).stdout.splitlines()
    assert [Path(path).name for path in paths] == ["image-2.png", "image-3.png"]
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in paths)
    assert (tmp_path / "image-1.png").read_text() == "mine"


def test_image_takes_a_file_name_and_wishes(run: Run, gateway: Emulator, tmp_path: Path) -> None:
    """A file name gets its ending and numbers; form and size go to the service as they are."""
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
    "words", [("--n", "11"), ("--n", "0"), ("--out", "/no/such/folder/picture.png")]
)
def test_impossible_pictures_are_not_paid_for(
    run: Run, gateway: Emulator, words: tuple[str, ...]
) -> None:
    """What cannot be made or kept is refused before anything is sent."""
    assert run("image", "a cat", *words).exit_code == 2
    assert gateway.requests == []


def test_files_go_up_are_listed_and_deleted(run: Run, tmp_path: Path) -> None:
    """The printed id is the file's, in the list and for its deletion."""
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


def test_file_commands_speak_json(run: Run, tmp_path: Path) -> None:
    """Upload and deletion tell their result as a document, under the name that was asked for."""
    path = tmp_path / "notes.txt"
    path.write_text("milk")
    sent = json.loads(run("files", "upload", str(path), "--name", "list.txt", "--json").stdout)
    assert (sent["name"], sent["size"]) == ("list.txt", 4)
    gone = json.loads(run("files", "delete", sent["id"], "--json").stdout)
    assert gone == {"id": sent["id"], "deleted": True}


def test_an_upload_shows_a_bar_on_a_terminal(gateway: Emulator, tmp_path: Path) -> None:
    """Where standard error is a terminal, the name and the bytes are drawn; the id stands alone."""
    path = tmp_path / "notes.bin"
    path.write_bytes(bytes(3_500_000))
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    env = {**os.environ, **connected_to(gateway), "TERM": "xterm"}
    command = subprocess.Popen(
        [*PROGRAM, "files", "upload", str(path)], env=env, stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    drawn = "".join(seen_on(screen))
    out, _ = command.communicate(timeout=30)
    assert "notes.bin" in drawn
    assert "3.50M/3.50M" in drawn
    assert out.decode().strip() in gateway.store.files


def seen_on(screen: int) -> Iterator[str]:
    """All that is drawn until the last program lets go of its terminal."""
    with contextlib.suppress(OSError), open(screen, encoding="utf-8", newline="") as file:
        while drawn := file.read(1):
            yield drawn


@pytest.mark.parametrize("words", [("files", "upload", "/no/such/file"), ("files", "delete", "..")])
def test_impossible_files_are_refused_before_sending(
    run: Run, gateway: Emulator, words: tuple[str, ...]
) -> None:
    """A file that is not there, and an id that is none, never reach the gateway."""
    assert run(*words).exit_code == 2
    assert gateway.requests == []


def test_version_and_help(run: Run) -> None:
    """The version is told without a token, and a command line without a command shows help."""
    assert run("--version", env={"PATH": ""}).stdout == f"xai-lowcode {xai_lowcode.__version__}\n"
    for words in ((), ("files",)):
        result = run(*words)
        assert result.exit_code == 0
        assert "Commands" in result.stdout


def test_the_address_can_be_given() -> None:
    """The global option goes before the environment."""
    with running() as one, running() as other:
        env = {**connected_to(one), "LOWCODEAPI_API_TOKEN": other.api_token}
        assert CliRunner().invoke(app, ["--base-url", other.base_url, "models"], env=env).stdout
        assert (len(one.requests), bool(other.requests)) == (0, True)
