"""The batch example: killed in the middle and resumed, each row is in the output once."""

import asyncio
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xai_lowcode.emulator import Emulator, Refuse, Stall, running

SCRIPT = Path(__file__).parents[2] / "examples" / "batch_jsonl.py"
CONCURRENCY = 4
PATIENCE = 30.0


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with running() as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        yield gateway


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("batch_jsonl")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The prompts of 40 rows, and the path of the output."""
    prompts = tmp_path / "prompts.jsonl"
    rows = ({"id": number, "prompt": f"Say 'row {number}'"} for number in range(40))
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return prompts, tmp_path / "answers.jsonl"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(example: Any, files: tuple[Path, Path], *options: str) -> int:
    words = [*map(str, files), f"--max-concurrency={CONCURRENCY}", *options]
    return int(example.main(words))


def test_a_killed_batch_is_resumed(
    example: Any, files: tuple[Path, Path], gateway: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """No response is lost, none is twice in the output, and the cost is that of both runs."""
    answers = files[1]
    # The rows after these are not answered, so that the batch cannot end before it is killed.
    gateway.inject(*[Stall(0)] * 12, *[Stall(2 * PATIENCE)] * 28)
    command = [sys.executable, str(SCRIPT), *map(str, files), f"--max-concurrency={CONCURRENCY}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + PATIENCE
        while not answers.exists() or answers.read_bytes().count(b"\n") < 10:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.005)
        process.kill()
    before = answers.read_bytes()
    written = before.count(b"\n")
    assert 10 <= written < 40
    with answers.open("ab") as target:
        target.write(b'{"id": 39, "answ')  # as if killed while writing
    while gateway.next_fault():
        pass
    assert run(example, files) == 0
    rows = read(answers)
    assert answers.read_bytes().startswith(before)
    assert {row["id"]: row["answer"] for row in rows} == {n: f"row {n}" for n in range(40)}
    assert len(rows) == 40
    assert 40 <= len(gateway.requests) <= 40 + CONCURRENCY
    cost = sum(row["cost_usd"] for row in rows)
    tokens = sum(row["usage"]["total_tokens"] for row in rows)
    assert cost > 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"40 of 40 rows, 0 errors, {tokens} tokens, ${cost:.6f}"


def test_errors_are_sent_again(
    example: Any, files: tuple[Path, Path], gateway: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row with an error does not stop the batch; the next run sends this row only."""
    gateway.inject(Refuse(400, "Wrong"))
    assert run(example, files) == 1
    assert "39 of 40 rows, 1 errors" in capsys.readouterr().err
    (failed,) = [row for row in read(files[1]) if "error" in row]
    assert failed["error"].startswith("BadRequestError: ")
    gateway.requests.clear()
    assert run(example, files) == 0
    assert len(gateway.requests) == 1
    assert sorted(row["id"] for row in read(files[1])) == list(range(40))


def test_an_error_of_all_rows_stops_the_batch(
    example: Any,
    files: tuple[Path, Path],
    gateway: Emulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a wrong token no row is written, and the token is not printed."""
    token = "at_r" + "0" * 32
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", token)
    assert run(example, files) == 1
    printed = capsys.readouterr().err
    assert "Stopped: " in printed
    assert token not in printed
    assert read(files[1]) == []
    assert len(gateway.requests) <= CONCURRENCY


def test_the_budget_ends_the_batch(
    example: Any, files: tuple[Path, Path], gateway: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is sent after the budget is spent, in the next run either."""
    assert run(example, files, "--budget=0.0000001") == 1
    assert len(gateway.requests) <= CONCURRENCY
    # A request that was sent before the end may still reach the first gateway.
    with running() as another:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", another.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", another.base_url)
        assert run(example, files, "--budget=0.0000001") == 1
        assert another.requests == []
        assert run(example, files) == 0


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({}, "UsageError: prompt: is missing."),
        ({"prompt": None}, "UsageError: prompt: must be a string."),
        ({"prompt": 5}, "UsageError: prompt: must be a string."),
        ({"prompt": ["Say 'a'"]}, "UsageError: prompt: must be a string."),
        ({"prompt": ""}, "UsageError: messages[0]: a user message has no content"),
    ],
    ids=str,
)
def test_a_row_without_a_prompt_is_an_error_of_this_row(
    example: Any, files: tuple[Path, Path], gateway: Emulator, row: dict[str, Any], error: str
) -> None:
    """The other rows are answered, and no request is sent for it."""
    with files[0].open("a", encoding="utf-8") as prompts:
        prompts.write(json.dumps({"id": "wrong"} | row) + "\n")
    assert run(example, files) == 1
    written = {row["id"]: row for row in read(files[1])}
    assert written.pop("wrong")["error"].startswith(error)
    assert {key: row["answer"] for key, row in written.items()} == {
        number: f"row {number}" for number in range(40)
    }
    assert len(gateway.requests) == 40


INVALID_LINES = {
    b'{"id": 1, "prompt"': "invalid JSON: ",
    b'{"id": 1, "prompt": "\xff"}': "invalid JSON: ",
    b"[1]": 'not a JSON object with an "id"',
    b'{"prompt": "Hello"}': 'not a JSON object with an "id"',
    b'{"id": [1], "prompt": "Hello"}': 'not a JSON object with an "id"',
}


@pytest.mark.parametrize("line", INVALID_LINES, ids=repr)
@pytest.mark.parametrize("end", [b"", b"\n", b'\n{"id": 41, "prompt": "Hello"}\n'], ids=repr)
def test_an_invalid_line_ends_the_program_before_it_sends(
    example: Any,
    files: tuple[Path, Path],
    gateway: Emulator,
    capsys: pytest.CaptureFixture[str],
    line: bytes,
    end: bytes,
) -> None:
    """Wherever the line is: one line on standard error names it, and nothing is sent."""
    with files[0].open("ab") as prompts:
        prompts.write(b"\n" + line + end)
    assert run(example, files) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert f"{files[0]}, line 42: {INVALID_LINES[line]}" in printed
    assert gateway.requests == []
    assert not files[1].exists()


def test_a_file_that_cannot_be_used_is_one_line(
    example: Any, files: tuple[Path, Path], gateway: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing input or folder, and an output that is none; the latter is left unchanged."""
    prompts, answers = files
    before = prompts.read_bytes()
    for wrong, named in (
        ((prompts.with_name("none.jsonl"), answers), "none.jsonl"),
        ((prompts.parent, answers), str(prompts.parent)),
        ((prompts, prompts.parent / "none" / "answers.jsonl"), "answers.jsonl"),
        ((prompts, prompts), "row 0 has no answer and no error"),
    ):
        assert run(example, wrong) == 2
        (printed,) = capsys.readouterr().err.splitlines()
        assert named in printed
    assert gateway.requests == []
    assert prompts.read_bytes() == before
    assert list(prompts.parent.iterdir()) == [prompts]


def test_without_a_token_nothing_is_read(
    example: Any,
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing token is one line."""
    monkeypatch.delenv("LOWCODEAPI_API_TOKEN", raising=False)
    assert run(example, files) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert "no LowCodeAPI token was given" in printed


@pytest.mark.usefixtures("gateway")
async def test_an_interrupted_batch_keeps_what_is_complete(
    example: Any, files: tuple[Path, Path]
) -> None:
    """Cancelled, as by ctrl-C, it has saved each row that was answered."""
    saved: list[Any] = []
    enough = asyncio.Event()

    def save(row: Any) -> None:
        saved.append(row)
        if len(saved) == 5:
            enough.set()

    model = example.ChatXAILowCode()
    todo = example.rows(files[0])
    task = asyncio.create_task(example.send_all(model, todo, CONCURRENCY, save))
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {row["answer"] for row in saved} <= {f"row {number}" for number in range(40)}
    assert 5 <= len(saved) < 40
