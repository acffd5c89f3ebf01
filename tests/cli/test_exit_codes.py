"""Exit codes and error messages: one line, no traceback, no token; interruption by ctrl-C."""

import json
import re
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.cli.commands import PROGRAM, Run, connected_to, interrupt, start_process
from tests.programs import FORKS
from xai_lowcode import emulator
from xai_lowcode.cli import app
from xai_lowcode.cli.serve import _parse_fault
from xai_lowcode.emulator import CutStream, Emulator, Fault, Refuse, SlowDrip, Stall, faults

COMMANDS = (
    ("doctor",),
    ("models",),
    ("chat", "hello"),
    ("image", "a cat"),
    ("files", "list"),
    ("files", "delete", "file_1"),
)
# A command that raises an unexpected exception with the token in its message.
BROKEN = (
    "import os, xai_lowcode.cli.chat as chat\n"
    "def broken(*_):\n"
    "    raise RuntimeError('lost ' + os.environ['LOWCODEAPI_API_TOKEN'])\n"
    "chat.ChatModel = broken\n"
    "from xai_lowcode.cli import main; main()"
)


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_missing_token(args: tuple[str, ...]) -> None:
    """A missing token is a usage error; the message has the remedy for a command line."""
    for token in (None, "", " "):
        result = CliRunner().invoke(app, list(args), env={"LOWCODEAPI_API_TOKEN": token})
        assert result.exit_code == 2
        for text in ("LOWCODEAPI_API_TOKEN", "https://lowcodeapi.com", "xai-lowcode serve"):
            assert text in result.stderr
        assert "api_token" not in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("args", COMMANDS[1:], ids=" ".join)
def test_an_api_error_is_one_line(run: Run, gateway: Emulator, args: tuple[str, ...]) -> None:
    """An error of xAI exits with 1 and prints xAI's message on standard error only."""
    gateway.inject(*[Refuse(400, "This is what xAI says.")] * 3)
    result = run(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("This is what xAI says.")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_a_token_without_an_xai_key(run: Run, gateway: Emulator, args: tuple[str, ...]) -> None:
    """The message says how to connect xAI, and does not contain the token."""
    env = connected_to(gateway, gateway.unconnected_token)
    result = run(*args, env=env)
    assert result.exit_code == 1
    assert "connect xAI at https://lowcodeapi.com" in result.output.replace("\n", " ")
    assert gateway.unconnected_token not in result.output


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("chat",),
        ("chat", "--nonsense", "x"),
        ("serve", "--envelope", "paper"),
        ("serve", "--token", "secret"),
        ("serve", "--fault", "Nonsense"),
        ("serve", "--fault", "running"),
        ("serve", "--fault", "Drop:1"),
        ("serve", "--fault", "Refuse"),
        ("serve", "--fault", "Refuse:x"),
    ],
    ids=" ".join,
)
def test_a_usage_error_exits_with_2(run: Run, args: tuple[str, ...]) -> None:
    """An unknown command, option or value is reported in one line."""
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


def test_a_token_as_an_argument_is_redacted(run: Run, gateway: Emulator) -> None:
    """A token in place of a command is not in the error message."""
    result = run(gateway.api_token)
    assert result.exit_code == 2
    assert gateway.api_token not in result.output
    assert "xai-lowcode --help" in result.stderr or "--help" in result.stderr


def test_an_interrupted_stream(run: Run, gateway: Emulator) -> None:
    """The received text is on standard output, with a newline, and the error on standard error."""
    gateway.inject(CutStream(after_chunks=60))
    question = "Repeat: " + "one two three four five six seven eight nine ten " * 5
    result = run("chat", question, "--model", "grok-4.20-0309-non-reasoning")
    assert result.exit_code == 1
    assert result.stdout.startswith("Hello!")
    assert result.stdout.endswith("\n")
    assert "The received response is incomplete." in result.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_error(gateway: Emulator, debug: bool) -> None:
    """The message has no traceback unless the debug variable is set, and never the token."""
    env = connected_to(gateway) | ({"XAI_LOWCODE_DEBUG": "1"} if debug else {})
    command = start_process("chat", "hi", env=env, program=(*PROGRAM[:2], BROKEN))
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert "RuntimeError: lost [redacted]" in err
    assert ("Traceback" in err) is debug
    assert ("XAI_LOWCODE_DEBUG=1" in err) is not debug
    assert gateway.api_token not in err


def test_a_token_of_another_form_is_redacted(gateway: Emulator) -> None:
    """The token of the environment is redacted whatever its form."""
    env = {**connected_to(gateway), "LOWCODEAPI_API_TOKEN": "plainword42", "XAI_LOWCODE_DEBUG": "1"}
    command = start_process("chat", "hi", env=env, program=(*PROGRAM[:2], BROKEN))
    _, err = command.communicate(timeout=30)
    assert "lost [redacted]" in err
    assert "plainword42" not in err


def test_ctrl_c_during_a_stream(gateway: Emulator) -> None:
    """An interrupted stream exits with 130, without a traceback."""
    gateway.inject(SlowDrip(0.1))
    command = start_process("chat", "hello", env=connected_to(gateway))
    assert command.stdout is not None
    first = command.stdout.read(1)
    code, rest, err = interrupt(command, lambda: True)
    assert (code, err) == (130, "")
    assert (first + rest).endswith("\n")


def test_ctrl_c_during_an_upload(gateway: Emulator, tmp_path: Path) -> None:
    """An interrupted upload prints how to delete the partial file."""
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(4_000_000))

    def second_chunk_is_sent() -> bool:
        return sum("uploadChunks" in request.path for request in gateway.requests) == 2

    gateway.latency = 0.4
    command = start_process("files", "upload", str(path), env=connected_to(gateway))
    code, out, err = interrupt(command, second_chunk_is_sent)
    assert (code, out) == (130, "")
    (file_id,) = gateway.store.files
    assert "3,000,000 of 4,000,000 bytes were sent." in err
    assert f"xai-lowcode files delete {file_id}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("fault", [Stall(30), Refuse(503, retry_after=30)], ids=["wait", "retry"])
@pytest.mark.parametrize("args", [*COMMANDS, ("files", "upload", __file__)], ids=" ".join)
def test_ctrl_c_before_a_response(gateway: Emulator, args: tuple[str, ...], fault: Fault) -> None:
    """Each command exits at once if it waits for a response, or for a retry."""
    if args[0] == "doctor" and isinstance(fault, Refuse):
        pytest.skip("the doctor does not retry")
    gateway.inject(fault)
    command = start_process(*args, env=connected_to(gateway))
    code, out, err = interrupt(command, lambda: bool(gateway.requests))
    assert (code, out, err) == (130, "", "")


def test_ctrl_c_during_the_imports() -> None:
    """A command that is interrupted before it begins has no traceback either."""
    interrupt_at_import = (
        "import builtins, signal\n"
        "load = builtins.__import__\n"
        "def interrupt(name, *args):\n"
        "    if name == 'typer':\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return load(name, *args)\n"
        "builtins.__import__ = interrupt\n"
    )
    command = start_process(
        "models", program=(*PROGRAM[:2], interrupt_at_import + PROGRAM[2]), fork=False
    )
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out, err) == (130, "", "")


def test_serve() -> None:
    """The printed variables connect other commands to an emulator with the given options."""
    command = start_process("serve", "--port", "0", "--envelope", "data", "--url-forms", "old")
    assert command.stdout is not None
    lines = [command.stdout.readline().removeprefix("export ").strip() for _ in range(2)]
    env = dict(line.split("=", 1) for line in lines)
    report = json.loads(CliRunner().invoke(app, ["doctor", "--json"], env=env).stdout)
    assert report["healthy"]
    texts = {finding["name"]: finding["text"] for finding in report["findings"]}
    assert texts["envelope"].startswith("data")
    assert texts["URL format"].startswith("old")
    code, _, err = interrupt(command, lambda: True)
    assert code == 130
    assert "Traceback" not in err


def test_serve_as_a_service() -> None:
    """The token, the first replies and the first faults can be given; responses are scripted."""
    script = (
        "--token",
        "at_ci",
        "--reply",
        "Scripted.",
        "--fault",
        "Refuse:503",
        "--fault",
        "Drop",
    )
    command = start_process("serve", "--port", "0", "--host", "127.0.0.1", *script)
    assert command.stdout is not None
    lines = [command.stdout.readline().removeprefix("export ").strip() for _ in range(2)]
    env = dict(line.split("=", 1) for line in lines)
    assert env["LOWCODEAPI_API_TOKEN"] == "at_ci"
    query = {"api_token": "at_ci"}
    with httpx.Client(trust_env=False, params=query) as client:
        url = env["LOWCODEAPI_BASE_URL"] + "/v1/responses"
        body = {"model": "grok-4.7", "input": "Hi"}
        assert client.post(url, json=body).status_code == 503
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(url, json=body)
        output = client.post(url, json=body).json()["result"]["output"]
    assert output[-1]["content"][0]["text"] == "Scripted."
    assert interrupt(command, lambda: True)[0] == 130


def test_serve_with_a_log() -> None:
    """Each request is a line on standard error, without the token; without --log there is none."""
    for options in (("--log",), ()):
        script = ("--port", "0", "--token", "at_ci", "--model", "grok-x", *options)
        command = start_process("serve", *script)
        assert command.stdout is not None
        line = command.stdout.readline().strip()
        command.stdout.readline()
        base_url = line.removeprefix("export LOWCODEAPI_BASE_URL=")
        with httpx.Client(trust_env=False, params={"api_token": "at_ci"}) as client:
            body = {"model": "grok-x", "input": "Hi", "stream": True}
            assert client.post(f"{base_url}/v1/responses", json=body).status_code == 200
            assert client.get(f"{base_url[:-4]}/v1/models").status_code == 404
        code, _, err = interrupt(command, lambda: True)
        assert code == 130
        lines = [text for text in err.splitlines() if "client_left" in text]
        assert [text.split(" ", 2)[2] for text in lines] == [
            "POST /xai/v1/responses model=grok-x streamed=yes status=200 client_left=no",
            "GET /v1/models model=- streamed=no status=404 client_left=no",
        ][: 2 * len(options)]
        assert "at_ci" not in err


def test_serve_names_its_faults() -> None:
    """The help and the error list each fault that can be written, and no other can be."""
    message = CliRunner().invoke(app, ["serve", "--fault", "Foo"]).stderr
    help_text = CliRunner().invoke(app, ["serve", "--help"]).stdout
    help_text = help_text.partition("Faults:")[2].partition("Examples")[0]
    listed = re.findall(r"([A-Z]\w+)(:n|\[:n\])?(?=[,.;])", message)
    assert listed == re.findall(r"([A-Z]\w+)(:n|\[:n\])?(?=[,.;])", help_text)
    assert dict(listed).keys() == set(emulator.__all__) & vars(faults).keys() - {
        *("Fault", "Garbage", "Redirect")
    }
    for name, number in listed:
        assert isinstance(_parse_fault(f"{name}:503" if number else name), Fault)
        for invalid in {"": [f"{name}:3"], ":n": [name]}.get(number, []):
            with pytest.raises(ValueError, match="must be a name and one number"):
                _parse_fault(invalid)


def test_serve_on_a_port_in_use(run: Run, gateway: Emulator) -> None:
    """A port in use is a usage error; the message has the option to change."""
    result = run("serve", "--port", gateway.origin.rpartition(":")[2])
    assert result.exit_code == 2
    assert "--port" in result.stderr


@pytest.mark.parametrize(
    "args",
    [*COMMANDS[:3], ("models", "--json"), ("files", "list", "--json"), ("--help",), ("--version",)],
    ids=" ".join,
)
def test_a_closed_pipe(environment: dict[str, str], args: tuple[str, ...]) -> None:
    """A command exits with 141 and without a message if its standard output is closed."""
    command = start_process(*args, env=environment)
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert (command.wait(timeout=30), command.stderr.read()) == (141, "")
    command.stderr.close()


def test_a_pipe_that_is_closed_during_a_stream(gateway: Emulator) -> None:
    """A stream ends if its reader does (``| head -1``)."""
    gateway.inject(SlowDrip(0.02))
    gateway.reply("one\n" + "two three four five six seven eight nine ten " * 100)
    command = start_process("chat", "hello", env=connected_to(gateway))
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline() == "one\n"
    command.stdout.close()
    assert (command.wait(timeout=30), command.stderr.read()) == (141, "")
    command.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-"])
@pytest.mark.parametrize(("args", "code"), [(("chat", "Hi"), 0), (("nonsense",), 2)], ids=str)
def test_closed_streams(
    environment: dict[str, str], redirection: str, args: tuple[str, ...], code: int
) -> None:
    """A command whose standard input, output or error is closed has its usual exit code."""
    shell = ("sh", "-c", f'exec "$@" {redirection}', "sh")
    command = start_process(*args, env=environment, program=(*shell, *PROGRAM))
    out, err = command.communicate(timeout=30)
    assert (command.returncode, "Traceback" in err) == (code, False)
    assert (out == "") is (redirection == ">&-" or code == 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("args", [("models",), ("models", "--json"), ("--help",)], ids=" ".join)
def test_a_full_disk(environment: dict[str, str], args: tuple[str, ...], unbuffered: str) -> None:
    """Output that cannot be written is an error of one line, with and without a buffer."""
    environment["PYTHONUNBUFFERED"] = unbuffered
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        # Only a new interpreter reads this variable.
        fork = FORKS and not unbuffered
        command = start_process(*args, env=environment, stdout=full, fork=fork)
    _, err = command.communicate(timeout=30)
    assert command.returncode == 1
    assert err.count("\n") == 1
    assert "No space left on device" in err


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("chta",), "Did you mean 'chat'? Try"),
        (("chat", "hello", "world"), "quotes"),
        (("models", "--base-url", "http://x/xai"), "--base-url"),
        (("image",), "prompt"),
        (("chat", "-i"), "-i"),
    ],
    ids=str,
)
def test_hints_for_typing_errors(run: Run, args: tuple[str, ...], hint: str) -> None:
    """The message of a usage error has a hint, and correct punctuation."""
    result = run(*args)
    assert result.exit_code == 2
    assert hint in result.stderr.replace("PROMPT", "prompt")  # older versions of Typer
    assert "?." not in result.stderr
    assert result.stderr.count("\n") == 1


def test_warnings_are_one_line(gateway: Emulator) -> None:
    """A warning of the package is printed without file name and source line."""
    gateway.inject(Refuse(400, "Model grok-4.7 does not support parameter temperature."))
    command = start_process("chat", "Hi", "-t", "0.5", env=connected_to(gateway))
    _, err = command.communicate(timeout=30)
    assert command.returncode == 0
    assert "temperature" in err
    assert err.count("\n") == 2
    assert "Warning" not in err
