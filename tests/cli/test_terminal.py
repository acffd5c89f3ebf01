"""The commands on a terminal: conversations, ctrl-C and ctrl-D, colours, the progress bar."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import wait_until
from xai_lowcode.emulator import CutStream, Emulator, Refuse, SlowDrip, Stall

pytest.importorskip("termios", reason="needs a pseudo-terminal", exc_type=ImportError)

from tests.cli.terminal import END_OF_FILE, INTERRUPT, Terminal

ESCAPE = "\x1b"
REPLY = "alpha " + " ".join(f"word{number}" for number in range(60))
# Each kind of turn follows each kind, itself included.
TURNS = (
    *("complete", "complete", "failed", "complete", "cut", "complete", "interrupted", "complete"),
    *("failed", "failed", "cut", "failed", "interrupted", "failed", "cut", "cut"),
    *("interrupted", "cut", "interrupted", "interrupted", "complete"),
)


def conversation(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each message of a request."""
    messages = [item for item in body["input"] if item.get("type", "message") == "message"]
    return [(message["role"], text_of(message["content"])) for message in messages]


def text_of(content: str | Sequence[dict[str, Any]]) -> str:
    """Return the text of a content; an image is ``[image]``."""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "[image]") for block in content)


def test_every_kind_of_turn_follows_every_kind() -> None:
    """The sequence for the next test has each pair of kinds."""
    kinds = set(TURNS)
    assert set(pairwise(TURNS)) == {(first, second) for first in kinds for second in kinds}


def test_a_conversation(gateway: Emulator, environment: dict[str, str]) -> None:
    """Complete turns stay in the conversation, interrupted ones as received; others do not.

    After each kind of turn the next one works.
    """
    expected = [("system", "Be brief.")]
    received = ""
    with Terminal("chat", "--system", "Be brief.", env=environment) as terminal:
        terminal.wait_for(">>> ")
        for number, kind in enumerate(TURNS):
            prompt, requests_before = f"prompt {number}", len(gateway.requests)
            gateway.replies.clear()
            gateway.reply(REPLY)
            if kind != "complete":
                fault = {"failed": Refuse(400, "Not this."), "cut": CutStream(after_chunks=60)}
                gateway.inject(fault.get(kind, SlowDrip(0.05)))
            terminal.type(f"{prompt}\n")
            terminal.wait_for(f"{prompt}\r\n")
            output = ""
            if kind == "interrupted":
                output = terminal.wait_for("alpha")
                terminal.type(INTERRUPT)
            output += terminal.wait_for(">>> ")

            assert len(gateway.requests) == requests_before + 1
            *before, last = conversation(gateway.requests[-1].body)
            if received:
                assert before[-1][1] != REPLY
                assert REPLY.startswith(before[-1][1])
                assert before[-1][1].startswith(received)
                expected[-1] = ("assistant", before[-1][1])
                received = ""
            assert (before, last) == (expected, ("user", prompt))
            assert "Traceback" not in output
            if kind == "complete":
                assert f"{REPLY}\r\n" in output
                assert "input tokens" in output
                expected += [("user", prompt), ("assistant", REPLY)]
            elif kind == "interrupted":
                received = output.partition("^C")[0]
                expected += [("user", prompt), ("assistant", received)]
            else:
                assert ("Not this." if kind == "failed" else "incomplete") in output
        terminal.type(END_OF_FILE)
        code, rest = terminal.wait_for_exit()
    assert (code, "Traceback" in rest) == (0, False)


@pytest.mark.parametrize("end", [END_OF_FILE, "exit\n", " quit\n"])
def test_the_prompt_of_a_conversation(
    gateway: Emulator, environment: dict[str, str], end: str
) -> None:
    """Blank lines and interrupted lines are not sent; ctrl-D, exit and quit end it with 0."""
    with Terminal("chat", env=environment) as terminal:
        terminal.wait_for(">>> ")
        for keys in ("\n", "  \n", INTERRUPT, f"half{INTERRUPT}"):
            terminal.type(keys)
            terminal.wait_for(">>> ")
        terminal.type(end)
        code, rest = terminal.wait_for_exit()
    assert (code, "Traceback" in rest) == (0, False)
    assert gateway.requests == []


@pytest.mark.parametrize("fault", [Stall(30), Refuse(503, retry_after=30)], ids=["wait", "retry"])
def test_ctrl_c_before_a_response(
    gateway: Emulator, environment: dict[str, str], fault: Stall | Refuse
) -> None:
    """A turn that is interrupted before its response, or while it waits for a retry, is dropped.

    The images of the first prompt are sent with the next one.
    """
    gateway.inject(fault)
    url = "https://example.com/fox.png"
    with Terminal("chat", "--image", url, env=environment) as terminal:
        terminal.wait_for(">>> ")
        for prompt in ("one", "two", "three"):
            terminal.type(f"{prompt}\n")
            terminal.wait_for(f"{prompt}\r\n")
            if prompt == "one":
                wait_until(lambda: bool(gateway.requests))
                terminal.type(INTERRUPT)
            terminal.wait_for(">>> ")
    roles = [conversation(request.body) for request in gateway.requests]
    assert roles[-2] == [("user", "[image]two")]
    assert [text for role, text in roles[-1] if role == "user"] == ["[image]two", "three"]


def test_a_conversation_whose_output_is_a_file(
    gateway: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """The file has the responses only."""
    path = tmp_path / "out.txt"
    gateway.reply(REPLY)
    with path.open("wb") as file:
        terminal = Terminal("chat", env=environment, stdout=file.fileno())
    with terminal:
        for keys in ("hello\n", END_OF_FILE):
            terminal.wait_for(">>> ")
            terminal.type(keys)
        assert terminal.wait_for_exit()[0] == 0
    assert path.read_text() == f"{REPLY}\n"


def test_json_needs_a_prompt(gateway: Emulator, environment: dict[str, str]) -> None:
    """A conversation has no JSON; invalid options are reported before the first prompt."""
    for args, name in ((("--json",), "--json"), (("-t", "9"), "temperature")):
        with Terminal("chat", *args, env=environment) as terminal:
            code, text = terminal.wait_for_exit()
        assert (code, name in text) == (2, True)
    assert gateway.requests == []


@pytest.mark.parametrize(
    "args", [("models",), ("doctor",), ("nonsense",), ("--help",)], ids=" ".join
)
def test_no_color(environment: dict[str, str], args: tuple[str, ...]) -> None:
    """NO_COLOR removes all styles, which a terminal has otherwise."""
    for variables, styled in (({}, args != ("--help",)), ({"NO_COLOR": "1"}, False)):
        env = {**environment, "TERM": "xterm-256color", **variables}
        with Terminal(*args, env=env) as terminal:
            _, text = terminal.wait_for_exit()
        # The progress of the doctor moves the cursor, which is no style.
        styles = [part for part in text.split(f"{ESCAPE}[")[1:] if part.partition("m")[0].isdigit()]
        assert bool(styles) is styled, text


def test_control_characters_are_not_shown(gateway: Emulator, environment: dict[str, str]) -> None:
    """Nothing that the service returns changes the state of the terminal."""
    gateway.reply(f"one{ESCAPE}[2Jtwo")
    gateway.inject(Refuse(400, f"three{ESCAPE}[2Jfour"))
    gateway.add_file(f"five{ESCAPE}[2Jsix", b"x")
    for args in (("chat", "Hi"), ("chat", "Hi"), ("files", "list")):
        with Terminal(*args, env=environment) as terminal:
            _, text = terminal.wait_for_exit()
        assert "[2J" in text
        assert ESCAPE not in text


def test_long_names_are_not_truncated(gateway: Emulator, environment: dict[str, str]) -> None:
    """On a terminal, a name that is too long for its column continues on the next line."""
    gateway.add_file("x" * 200, b"x")
    with Terminal("files", "list", env=environment) as terminal:
        _, text = terminal.wait_for_exit()
    assert text.count("x") == 200


def test_an_upload_shows_a_progress_bar(
    gateway: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """The bar has name and size of the file; standard output has only the id."""
    path = tmp_path / "notes.bin"
    path.write_bytes(bytes(3_500_000))
    out, write = os.pipe()
    env = {**environment, "TERM": "xterm"}
    with Terminal("files", "upload", str(path), env=env, stdout=write) as terminal:
        os.close(write)
        _, text = terminal.wait_for_exit()
    with os.fdopen(out) as file:
        assert file.read().strip() in gateway.store.files
    assert "notes.bin" in text
    assert "3.50M/3.50M" in text
