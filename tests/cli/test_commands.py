"""The commands: text output, JSON output and written files."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from unicodedata import combining, east_asian_width

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

import xai_lowcode
from tests.cli.commands import PROGRAM, Run, connected_to
from xai_lowcode.cli import app
from xai_lowcode.emulator import Emulator, Garbage, Refuse, Reply, running


def encode(image_format: str) -> bytes:
    """Return a small image in a format."""
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, image_format)
    return file.getvalue()


IMAGES = {"jpg": encode("JPEG"), "png": encode("PNG"), "webp": encode("WEBP"), "gif": encode("GIF")}


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


@pytest.mark.parametrize(
    ("args", "stdin", "prompt"),
    [
        ((), "from a pipe\n", "from a pipe"),
        (("-",), "from a pipe\n", "from a pipe"),
        (("an argument",), "", "an argument"),
        (("an argument",), " \n", "an argument"),
        ((), "-\n", "-"),
        (("an argument",), "from a pipe\n", "from a pipe\n\nan argument"),
        (("an argument",), "é 狐\n\n", "é 狐\n\nan argument"),
    ],
)
def test_chat_reads_standard_input(
    run: Run, gateway: Emulator, args: tuple[str, ...], stdin: str, prompt: str
) -> None:
    """Standard input is the prompt, or precedes the argument."""
    assert run("chat", *args, input=stdin).exit_code == 0
    assert user_content(gateway) == prompt


TEXTS = ["plain", "déjà vu", "狐 😀 \u2028", "two\nlines", "\u20ac 5"]
IN_ASCII = Reply("ok", when=lambda _body: True)
# Encodings of standard input, and whether they are read whatever the encoding of the system is.
ENCODINGS = {"utf-8": True, "utf-8-sig": True, "utf-16": True, "cp1252": False, "cp932": False}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("system", ["utf-8", "cp1252", "cp932", "ascii"])
def test_standard_input_is_read_in_its_own_encoding(
    gateway: Emulator, environment: dict[str, str], system: str, newline: str
) -> None:
    """UTF-8 and UTF-16 are recognized; other text is decoded in the system's encoding."""
    gateway.reply(IN_ASCII)
    for encoding, known in ENCODINGS.items():
        # Other text in another encoding than the system's is not recognized.
        for characters in TEXTS if known or encoding == system else ():
            text = characters
            if not known:
                text = text.encode(encoding, "replace").decode(encoding)
            content = f"{text}\n".replace("\n", newline).encode(encoding)
            result = CliRunner(charset=system).invoke(
                app, ["chat", "-"], input=content, env=environment
            )
            assert result.exit_code == 0
            assert user_content(gateway) == text


@pytest.mark.parametrize("byte_order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("system", ["utf-8", "cp1252"])
def test_standard_input_in_utf_16_has_a_byte_order_mark(
    gateway: Emulator, environment: dict[str, str], system: str, byte_order: str
) -> None:
    """UTF-16 is read as PowerShell writes it; an incomplete character is not sent."""
    gateway.reply(IN_ASCII)
    runner = CliRunner(charset=system)
    for text in TEXTS:
        content = f"\ufeff{text}\r\n".encode(byte_order)
        assert runner.invoke(app, ["chat"], input=content, env=environment).exit_code == 0
        assert user_content(gateway) == text
    count = len(gateway.requests)
    result = runner.invoke(app, ["chat"], input=content[:-1], env=environment)
    assert (result.exit_code, len(gateway.requests)) == (2, count)
    assert "not text in utf-16" in result.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp932", "ascii", "utf-16"])
@pytest.mark.parametrize("text", TEXTS)
def test_json_loses_no_character(
    gateway: Emulator, environment: dict[str, str], text: str, encoding: str
) -> None:
    """A character that the encoding of the output lacks is escaped."""
    gateway.reply(text)
    arguments = ["chat", "--json", "Hi"]
    result = CliRunner(charset=encoding).invoke(app, arguments, env=environment)
    assert json.loads(result.stdout_bytes.decode(encoding))["text"] == text


def user_content(gateway: Emulator) -> Any:
    """Return the content of the last message of the last request."""
    return gateway.requests[-1].body["input"][-1]["content"]


@pytest.mark.parametrize(
    "args",
    [
        ("--model", "grok-4.3", "--system", "Be brief.", "--temperature", "0.5"),
        ("-m", "grok-4.3", "-s", "Be brief.", "-t", "0.5"),
    ],
    ids=["long", "short"],
)
def test_chat_options(run: Run, gateway: Emulator, tmp_path: Path, args: tuple[str, ...]) -> None:
    """Options are sent as given; images, files or URLs, precede the prompt, in order."""
    path = tmp_path / "fox.txt"
    path.write_bytes(IMAGES["png"])
    url = "https://example.com/fox.jpg"
    images = ("--image", url, "-i", str(path))
    result = run("chat", *args, *images, "--max-tokens", "7", "What is this?")
    assert result.exit_code == 0
    body = gateway.requests[-1].body
    assert (body["model"], body["temperature"]) == ("grok-4.3", 0.5)
    assert body["max_output_tokens"] == 7
    assert body["input"][0]["role"] == "system"
    first, second, text = user_content(gateway)
    assert first["image_url"] == url
    assert second["image_url"].startswith("data:image/png;base64,")
    assert text["text"] == "What is this?"
    assert "--max-tokens" in result.stderr


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (("--temperature", "2.1"), "temperature"),
        (("-t", "nan"), "temperature"),
        (("-t", "warm"), "temperature"),
        (("--max-tokens", "0"), "max_tokens"),
        (("--model", ""), "model"),
        (("--image", "/no/such/file.png"), "--image"),
        (("--image", "{folder}"), "--image"),
        (("--image", "{folder}/notes.txt"), "--image"),
        (("--image", "{folder}/empty.png"), "--image"),
    ],
    ids=" ".join,
)
def test_invalid_chat_options_are_not_sent(
    run: Run, gateway: Emulator, tmp_path: Path, args: tuple[str, str], name: str
) -> None:
    """An invalid option, or a file that is not an image, is rejected before a request."""
    (tmp_path / "notes.txt").write_text("remember the milk")
    (tmp_path / "empty.png").touch()
    result = run("chat", "Hi", args[0], args[1].format(folder=tmp_path))
    assert (result.exit_code, name in result.stderr) == (2, True)
    assert result.stderr.count("\n") == 1
    assert gateway.requests == []


def test_binary_standard_input(gateway: Emulator) -> None:
    """An image in a pipe is a usage error that names the option for images."""
    command = subprocess.run(
        [*PROGRAM, "chat", "What is this?"],
        env={**os.environ, "LC_ALL": "C", **connected_to(gateway)},
        input=IMAGES["png"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (command.returncode, b"--image" in command.stderr) == (2, True)
    assert gateway.requests == []


def test_a_refusal_is_printed(run: Run, gateway: Emulator) -> None:
    """The refusal of a model is the response, and has its own field in JSON."""
    content = [{"type": "refusal", "refusal": "I cannot."}]
    output = [{"type": "message", "role": "assistant", "content": content}]
    response = {"id": "resp_1", "model": "grok-4.7", "status": "completed", "output": output}
    events = (
        {"type": "response.refusal.delta", "delta": "I cannot."},
        {"type": "response.completed", "response": response},
    )
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    gateway.inject(*[Garbage(stream, "text/event-stream")] * 2)
    assert run("chat", "Hi").stdout == "I cannot.\n"
    assert json.loads(run("chat", "Hi", "--json").stdout)["refusal"] == "I cannot."


@pytest.mark.parametrize("reply", ["text", "text\n", "text\n\n"])
def test_a_response_ends_with_a_newline(run: Run, gateway: Emulator, reply: str) -> None:
    """A newline is added unless the response has one."""
    gateway.reply(reply)
    assert run("chat", "Hi").stdout == (reply if reply.endswith("\n") else f"{reply}\n")


def test_an_empty_prompt_is_not_sent(run: Run, gateway: Emulator) -> None:
    """An empty prompt is a usage error, without a request."""
    assert run("chat", "-", input="  \n").exit_code == 2
    assert gateway.requests == []


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", ["", "fox", "mr.fox", "fox.png", "fox.JPG", "fox.jpeg", "fox.txt"])
def test_the_extension_of_an_image(
    run: Run, gateway: Emulator, tmp_path: Path, name: str, kind: str, n: int
) -> None:
    """The extension is that of the format, unless the name has one; a wrong one causes a warning.

    Existing files, links without a target included, are not overwritten.
    """
    gateway.reply(*[Reply(image=IMAGES[kind])] * n)
    extensions = {"jpg", "jpeg", "png", "webp", "gif"}
    stem, _, extension = name.rpartition(".")
    image_extension = extension.lower() if extension.lower() in extensions else ""
    first = name if image_extension else f"{name or 'image-1'}.{kind}"
    (tmp_path / first).symlink_to(tmp_path / "nowhere")
    result = run("image", "a fox", "-n", str(n), "-o", f"{tmp_path}/{name}")
    assert result.exit_code == 0
    start, end = (stem, extension) if image_extension else (name or "image", kind)
    expected = [f"{start}-{number}.{end}" for number in range(2, 2 + n)]
    paths = [Path(path) for path in result.stdout.splitlines()]
    assert [path.name for path in paths] == expected
    assert all(path.read_bytes() == IMAGES[kind] for path in paths)
    assert not (tmp_path / "nowhere").exists()
    warns = image_extension not in {"", kind, *(["jpeg"] if kind == "jpg" else [])}
    assert result.stderr.count("the extension of another format") == warns * n


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder without files")
def test_an_image_that_cannot_be_written(run: Run) -> None:
    """The error names the option and the reason."""
    result = run("image", "a fox", "-o", "/proc/fox.png")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("--out: cannot write")


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
    "args",
    [
        ("--n", "11"),
        ("--n", "0"),
        ("--out", "/no/such/folder/image.png"),
        ("-o", "/no/such/folder/"),
        ("-o", "x" * 300),
    ],
)
def test_invalid_image_options_are_not_sent(
    run: Run, gateway: Emulator, args: tuple[str, ...]
) -> None:
    """An invalid number of images or a missing folder is rejected before a request."""
    assert run("image", "a cat", *args).exit_code == 2
    assert gateway.requests == []


def test_files_upload_list_delete(run: Run, tmp_path: Path) -> None:
    """``upload`` prints the id of the file, which ``list`` contains and ``delete`` accepts."""
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk")
    result = run("files", "upload", str(path))
    assert result.stderr == ""
    file_id = result.stdout.strip()
    (record,) = json.loads(run("files", "list", "--json").stdout)
    assert (record["id"], record["name"], record["size"]) == (file_id, "notes.txt", 17)
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


@pytest.mark.parametrize("args", [("files", "upload", "/no/such/file"), ("files", "delete", "..")])
def test_invalid_file_arguments_are_not_sent(
    run: Run, gateway: Emulator, args: tuple[str, ...]
) -> None:
    """A missing file or an invalid id is rejected before a request."""
    assert run(*args).exit_code == 2
    assert gateway.requests == []


def test_version_and_help(run: Run) -> None:
    """The version needs no token; a command line without a command prints help."""
    assert run("--version", env={"PATH": ""}).stdout == f"xai-lowcode {xai_lowcode.__version__}\n"
    module = subprocess.run(
        [sys.executable, "-m", "xai_lowcode", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert module.stdout == f"xai-lowcode {xai_lowcode.__version__}\n"
    for args in ((), ("files",)):
        result = run(*args)
        assert result.exit_code == 0
        assert "Commands" in result.stdout


TIMES = {
    "null": (None, ""),
    "seconds": (1_764_000_000, "2025-11-24 16:00"),
    "milliseconds": (1_764_000_000_000, "2025-11-24 16:00"),
    "microseconds": (1_764_000_000_000_000, "2025-11-24 16:00"),
    "nanoseconds": (1_764_000_000_000_000_000, "2025-11-24 16:00"),
    "digits": ("1764000000", "2025-11-24 16:00"),
    "ISO 8601": ("2025-11-24T16:00:00Z", "2025-11-24 16:00"),
    "offset": ("2025-11-24T18:00:00.123+02:00", "2025-11-24 16:00"),
    "no offset": ("2025-11-24T16:00:00", "2025-11-24 16:00"),
    "date": ("2025-11-24", "2025-11-24 00:00"),
    "zero": (0, "1970-01-01 00:00"),
    "negative": (-1, "1969-12-31 23:59"),
    "before year 1": (-99_000_000_000, "-99000000000"),
    "lowest": (-(2**63), None),
    "highest": (2**63 - 1, None),
    "digits without end": ("9" * 5000, None),
    "nan": ("nan", "nan"),
    "infinity": ("-inf", "-inf"),
    "words": ("last week", "last week"),
    "empty": ("", ""),
    "lines": ("a\nb\x1b[2J", "a b [2J"),
    "year 1 with an offset": ("0001-01-01T00:00:00+14:00", None),
}
NAMES = (None, "", "notes.txt", "笔记.txt", "한글.txt", "e\u0301te\u0301.txt", "a\tb\nc", "x" * 200)


@pytest.mark.parametrize("key", TIMES)
def test_files_with_unusual_times(run: Run, gateway: Emulator, key: str) -> None:
    """A time in any unit or format is printed in UTC; other values are printed unchanged."""
    time, expected = TIMES[key]
    inject_files(gateway, [{"id": "file_1", "bytes": 1, "created_at": time}])
    result = run("files", "list")
    assert result.exit_code == 0, result.stderr
    _, row = result.stdout.splitlines()
    if expected is not None:
        assert row.removeprefix("file_1").strip().removeprefix("1").strip() == expected


def inject_files(gateway: Emulator, files: list[dict[str, Any]]) -> None:
    """Set the response of the next request for the list of files."""
    page = {"result": {"data": files}}
    gateway.inject(Garbage(json.dumps(page).encode(), "application/json"))


def test_unusual_names_and_sizes_are_aligned(run: Run, gateway: Emulator) -> None:
    """Wide and combining characters do not shift the columns; each file is one line."""
    sizes = (None, 0, -1, 2**40, "17")
    files = [
        {"id": f"file_{number}", "filename": name, "bytes": size, "created_at": 0}
        for number, (name, size) in enumerate(product(NAMES, sizes))
    ]
    inject_files(gateway, [*files, {"id": "file_x"}])
    heading, *rows, last = run("files", "list").stdout.splitlines()
    assert sum("x" * 200 in row for row in rows) == len(sizes)
    assert (len(rows), last) == (len(files), "file_x")
    assert {width(row) for row in rows} == {width(heading.replace("created", "1970-01-01 00:00"))}


def width(line: str) -> int:
    """Return the number of columns of a line on a terminal."""
    return sum(
        0 if combining(char) else 1 + (east_asian_width(char) in {"W", "F"}) for char in line
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"context_length": 0, "image_price": 0, "aliases": []},
        {"context_length": -1, "completion_text_token_price": -(2**63)},
        {"context_length": 2**63 - 1, "prompt_text_token_price": 2**63 - 1},
        {"context_length": None, "created": -1, "owned_by": None},
        {"aliases": ["狐", "a\nb"] * 50},
    ],
    ids=str,
)
def test_models_with_unusual_fields(run: Run, gateway: Emulator, fields: dict[str, Any]) -> None:
    """Missing and extreme fields are printed, one line for each model."""
    page = {"result": {"data": [{"id": "grok-x", **fields}], "models": []}}
    gateway.inject(*[Garbage(json.dumps(page).encode(), "application/json")] * 3)
    result = run("models")
    assert result.exit_code == 0, result.stderr
    heading, row = result.stdout.splitlines()
    assert (heading.split()[0], row.split()[0]) == ("model", "grok-x")


def test_piped_output_has_no_trailing_blanks(run: Run, gateway: Emulator, tmp_path: Path) -> None:
    """No line ends in blanks, and no output has control sequences."""
    gateway.add_file("a" * 300, b"x")
    commands = (
        ("models",),
        ("doctor",),
        ("files", "list"),
        ("--help",),
        ("chat", "--help"),
        ("x",),
    )
    for args in (*commands, ("image", "a fox", "-o", str(tmp_path)), ("chat", "Hi")):
        result = run(*args)
        assert result.output
        for line in (result.stdout + result.stderr).splitlines():
            assert line == line.rstrip()
            assert "\x1b" not in line


def command_names(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the names of each command and group."""
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from command_names(command, *names, name)


@pytest.mark.parametrize("names", [*command_names(get_command(app))], ids=" ".join)
def test_examples_of_the_help(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Any
) -> None:
    """The help of each command, by either option, has examples, which are valid command lines."""
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(b"%PDF-1.7")
    Path("fox.png").write_bytes(IMAGES["png"])
    help_text = run(*names, "--help").stdout
    assert run(*names, "-h").stdout == help_text
    _, _, examples = help_text.partition("Examples:\n")
    lines = [line.rpartition("| ")[2].strip() for line in examples.splitlines() if line.strip()]
    assert lines
    for line in lines:
        program, *args = shlex.split(line)
        assert program == "xai-lowcode"
        assert tuple(args[: len(names)]) == names
        if args[0] == "serve":
            get_command(app).commands["serve"].make_context("serve", args[1:])  # type: ignore[attr-defined]
        elif args != ["chat"]:
            result = run(*args, input="text")
            assert result.exit_code == (1 if "delete" in args else 0), result.output


def test_base_url_option() -> None:
    """``--base-url`` overrides the environment."""
    with running() as ignored, running() as used:
        env = {**connected_to(ignored), "LOWCODEAPI_API_TOKEN": used.api_token}
        assert CliRunner().invoke(app, ["--base-url", used.base_url, "models"], env=env).stdout
        assert (len(ignored.requests), bool(used.requests)) == (0, True)
