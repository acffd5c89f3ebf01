"""However a command ends: the right exit code, one readable sentence, no traceback, no token."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.commands import PROGRAM, Run, connected_to, interrupted, process
from xai_lowcode.cli import app
from xai_lowcode.emulator import CutStream, Emulator, Refuse, SlowDrip, Stall

pytestmark = pytest.mark.slow

COMMANDS = (
    ("doctor",),
    ("models",),
    ("chat", "hello"),
    ("image", "a cat"),
    ("files", "list"),
    ("files", "delete", "file_1"),
)
# A command that fails inside, with the token in the text of the failure.
BROKEN = (
    "import os, xai_lowcode.cli.chat as chat\n"
    "def broken(*_):\n"
    "    raise RuntimeError('lost ' + os.environ['LOWCODEAPI_API_TOKEN'])\n"
    "chat.ChatModel = broken\n"
    "from xai_lowcode.cli import main; main()"
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_token_it_says_where_to_get_one(words: tuple[str, ...]) -> None:
    """No token is a mistake of the command line (2), told in one line with the way out."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 2
    assert "https://lowcodeapi.com" in result.stderr
    assert "LOWCODEAPI_API_TOKEN" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", COMMANDS[1:], ids=" ".join)
def test_a_refusal_is_one_sentence(run: Run, gateway: Emulator, words: tuple[str, ...]) -> None:
    """What xAI refuses ends with 1 and xAI's own words on standard error, nothing else."""
    gateway.inject(*[Refuse(400, "This is what xAI says.")] * 3)
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("This is what xAI says.")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_unconnected_token_is_told_apart(
    run: Run, gateway: Emulator, words: tuple[str, ...]
) -> None:
    """A token without an xAI account fails with the remedy, and is not printed."""
    env = connected_to(gateway, gateway.unconnected_token)
    result = run(*words, env=env)
    assert result.exit_code == 1
    assert "connect xAI at https://lowcodeapi.com" in result.output.replace("\n", " ")
    assert gateway.unconnected_token not in result.output


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("chat",), ("chat", "--nonsense", "x"), ("serve", "--envelope", "paper")],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_two(run: Run, words: tuple[str, ...]) -> None:
    """A word, option or value that does not exist is told in one line."""
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


def test_a_token_typed_as_a_word_is_not_repeated(run: Run, gateway: Emulator) -> None:
    """Whoever types the token in the wrong place does not see it again in the complaint."""
    result = run(gateway.api_token)
    assert result.exit_code == 2
    assert gateway.api_token not in result.output
    assert "xai-lowcode --help" in result.stderr or "--help" in result.stderr


def test_a_stream_that_breaks_off_keeps_what_came(run: Run, gateway: Emulator) -> None:
    """The text so far is on standard output with its line ended, the reason on standard error."""
    gateway.inject(CutStream(after_chunks=60))
    question = "Repeat: " + "one two three four five six seven eight nine ten " * 5
    result = run("chat", question, "--model", "grok-4.20-0309-non-reasoning")
    assert result.exit_code == 1
    assert result.stdout.startswith("Hello!")
    assert result.stdout.endswith("\n")
    assert "not the whole response" in result.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_a_crash_is_a_sentence_and_the_traceback_a_wish(gateway: Emulator, debug: bool) -> None:
    """A fault of the command itself tells how to see more; neither way shows the token."""
    env = connected_to(gateway) | ({"XAI_LOWCODE_DEBUG": "1"} if debug else {})
    command = process("chat", "hi", env=env, program=(*PROGRAM[:2], BROKEN))
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert "RuntimeError: lost [redacted]" in err
    assert ("Traceback" in err) is debug
    assert ("XAI_LOWCODE_DEBUG=1" in err) is not debug
    assert gateway.api_token not in err


def test_a_token_of_another_form_is_blanked_too(gateway: Emulator) -> None:
    """A token that does not look like one is known from the environment, and blanked."""
    env = {**connected_to(gateway), "LOWCODEAPI_API_TOKEN": "plainword42", "XAI_LOWCODE_DEBUG": "1"}
    command = process("chat", "hi", env=env, program=(*PROGRAM[:2], BROKEN))
    _, err = command.communicate(timeout=30)
    assert "lost [redacted]" in err
    assert "plainword42" not in err


def test_ctrl_c_in_the_middle_of_a_stream(gateway: Emulator) -> None:
    """Interrupted while text comes, the command ends with 130 and without a traceback."""
    gateway.inject(SlowDrip(0.1))
    command = process("chat", "hello", env=connected_to(gateway))
    assert command.stdout is not None
    first = command.stdout.read(1)
    code, rest, err = interrupted(command, lambda: True)
    assert (code, err) == (130, "")
    assert (first + rest).endswith("\n")


def test_ctrl_c_in_the_middle_of_an_upload(gateway: Emulator, tmp_path: Path) -> None:
    """Interrupted between two pieces, the command says what was left at xAI."""
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(4_000_000))

    def second_piece_is_on_its_way() -> bool:
        return sum("uploadChunks" in one.path for one in gateway.requests) == 2

    gateway.latency = 0.4
    command = process("files", "upload", str(path), env=connected_to(gateway))
    code, out, err = interrupted(command, second_piece_is_on_its_way)
    assert (code, out) == (130, "")
    (left,) = gateway.store.files
    assert "3,000,000 of 4,000,000 bytes were sent." in err
    assert f"xai-lowcode files delete {left}" in err
    assert "Traceback" not in err


def test_ctrl_c_while_the_doctor_waits(gateway: Emulator) -> None:
    """Interrupted while the gateway is silent, the doctor ends at once."""
    gateway.inject(Stall(30))
    command = process("doctor", env=connected_to(gateway))
    code, out, err = interrupted(command, lambda: bool(gateway.requests))
    assert (code, out, err) == (130, "", "")


def test_serve_prints_what_a_shell_can_run_and_ends_cleanly() -> None:
    """The two lines lead other commands to the emulator, whose switches are set as asked."""
    command = process("serve", "--port", "0", "--envelope", "data", "--url-forms", "old")
    assert command.stdout is not None
    lines = [command.stdout.readline().removeprefix("export ").strip() for _ in range(2)]
    env = dict(line.split("=", 1) for line in lines)
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"], env=env).stdout)
    assert found["healthy"]
    said = {finding["name"]: finding["text"] for finding in found["findings"]}
    assert said["envelope"].startswith("data")
    assert said["URL form"].startswith("old")
    code, _, err = interrupted(command, lambda: True)
    assert code == 130
    assert "Traceback" not in err


def test_serve_says_when_the_port_is_taken(run: Run, gateway: Emulator) -> None:
    """A port in use is a mistake of the command line, with the option that helps."""
    result = run("serve", "--port", gateway.origin.rpartition(":")[2])
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_a_reader_that_leaves_is_no_failure(environment: dict[str, str]) -> None:
    """A pipe that is closed early gives no traceback."""
    command = process("models", "--json", env=environment)
    assert command.stdout is not None
    command.stdout.close()
    assert command.stderr is not None
    assert "Traceback" not in command.stderr.read()
    command.wait(timeout=30)
    command.stderr.close()
