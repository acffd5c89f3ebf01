"""Send a file of prompts to Grok concurrently: JSON lines in, JSON lines out, with the cost.

    pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode"
    python examples/batch_jsonl.py prompts.jsonl responses.jsonl --max-concurrency 32 --budget 5

A line of input is ``{"id": …, "prompt": …}``, a line of output ``{"id": …, "answer": …, "usage": …,
"cost_usd": …, "response_id": …}`` or ``{"id": …, "error": …}``. Each row is written when its
response is complete. If restarted, also after a crash, it resumes: rows with an answer are skipped,
rows with an error are sent again, and each row is in the output once. A crash loses the requests
that had no response yet, at most ``--max-concurrency``; they are sent, and billed, again.

A row without a prompt, or whose prompt is not a string, gets an error in the output. A file that
cannot be read, or a line that is not a JSON object with an id, is reported before anything is sent.
``examples/map_jsonl.py`` does the same on a cluster.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.errors import (
    AccountNotConnectedError,
    AuthenticationError,
    CreditsExhaustedError,
    ModelNotFoundError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)

Row = dict[str, Any]
# Errors that every row would have.
FATAL = (
    AccountNotConnectedError,
    AuthenticationError,
    CreditsExhaustedError,
    ModelNotFoundError,
    RouteNotFoundError,
)


class FileError(Exception):
    """A line of a file is invalid; the message names the file and the line."""


def rows(path: Path, *, may_be_truncated: bool = False) -> Iterator[Row]:
    """Yield the rows of a file; blank lines are skipped.

    Args:
        path: The file, in UTF-8.
        may_be_truncated: Whether to skip an invalid last line, which a crash truncated.

    Raises:
        FileError: A line is not a JSON object with an id.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:  # also if it is not UTF-8
                if may_be_truncated and not line.endswith(b"\n"):
                    return
                raise FileError(f"{path}, line {number}: invalid JSON: {error}") from None
            if not isinstance(row, dict) or not isinstance(row.get("id"), str | int):
                expected = 'a JSON object with an "id", which is a string or an integer'
                raise FileError(f"{path}, line {number}: not {expected}")
            yield row


def get_prompt(row: Row) -> str:
    """Return the prompt of a row, or raise the error that is written to the output instead."""
    prompt = row.get("prompt")
    if not isinstance(prompt, str):
        problem = "must be a string" if "prompt" in row else "is missing"
        raise UsageError(f"prompt: {problem}.")
    return prompt


def to_line(row: Row) -> str:
    """Return a row as a JSON line."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def clean_output(path: Path, count: Callable[[Row], None] = lambda _: None) -> set[Any]:
    """Remove errors, duplicates and a truncated line from the output; return the answered ids.

    Rows with errors are sent again. A crash during the cleanup leaves the file unchanged.

    Args:
        path: The output of earlier runs.
        count: Called with each row that is kept.

    Raises:
        FileError: The file is no output of this program; it is left unchanged.
    """
    done: set[Any] = set()
    if path.exists():
        cleaned = path.with_name(f"{path.name}.tmp")
        try:
            with cleaned.open("w", encoding="utf-8") as target:
                for row in rows(path, may_be_truncated=True):
                    if row.keys().isdisjoint(("answer", "error")):
                        raise FileError(f"{path}: row {row['id']!r} has no answer and no error")
                    if "answer" in row and row["id"] not in done:
                        done.add(row["id"])
                        target.write(to_line(row))
                        count(row)
            cleaned.replace(path)
        finally:
            cleaned.unlink(missing_ok=True)
    return done


class Report:
    """Progress and cost, those of earlier runs included."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.answered = self.failed = self.tokens = 0
        self.cost = 0.0

    def count(self, row: Row) -> None:
        """Count a row of the output."""
        if "error" in row:
            self.failed += 1
            return
        self.answered += 1
        self.tokens += (row.get("usage") or {}).get("total_tokens", 0)
        self.cost += row.get("cost_usd") or 0

    def __str__(self) -> str:
        return (
            f"{self.answered} of {self.total} rows, {self.failed} errors, "
            f"{self.tokens} tokens, ${self.cost:.6f}"
        )


def to_output(row: Row, outcome: AIMessage | BaseException) -> Row:
    """Return the row of the output for a response or an error; raise other exceptions."""
    if isinstance(outcome, AIMessage):
        return {
            "id": row["id"],
            "answer": outcome.text,
            "usage": outcome.usage_metadata,
            "cost_usd": outcome.response_metadata.get("cost_usd"),
            "response_id": outcome.id,
        }
    if isinstance(outcome, FATAL) or not isinstance(outcome, XAILowCodeError):
        raise outcome
    return {"id": row["id"], "error": f"{type(outcome).__name__}: {outcome}"}


async def send(model: ChatXAILowCode, row: Row) -> Row:
    """Send a row; return the row of the output."""
    try:
        return to_output(row, await model.ainvoke(get_prompt(row)))
    except XAILowCodeError as error:
        return to_output(row, error)


async def send_all(
    model: ChatXAILowCode, todo: Iterator[Row], concurrency: int, save: Callable[[Row], None]
) -> None:
    """Send rows concurrently; each is saved when its response is complete."""

    async def work() -> None:
        for row in todo:  # shared by all workers
            save(await send(model, row))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    finally:
        await model.aclose()


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and run; return the exit code."""
    parser = argparse.ArgumentParser(description="Send a file of prompts concurrently.")
    parser.add_argument(
        "prompts", type=Path, help='JSON lines such as {"id": 1, "prompt": "Hello"}'
    )
    parser.add_argument(
        "answers", type=Path, help="output; if it exists, only rows without an answer are sent"
    )
    parser.add_argument("--model", default="grok-4.7")
    parser.add_argument("--max-concurrency", type=int, default=16)
    parser.add_argument("--budget", type=float, help="US dollars for the file, all runs together")
    args = parser.parse_args(arguments)
    try:
        return run(args)
    except (FileError, OSError, UsageError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def run(args: argparse.Namespace) -> int:
    """Send the rows that have no answer yet; return the exit code."""
    model = ChatXAILowCode(model=args.model, max_retries=5)
    report = Report(sum(1 for _ in rows(args.prompts)))
    done = clean_output(args.answers, report.count)
    on_terminal = sys.stderr.isatty()

    def todo() -> Iterator[Row]:
        for row in rows(args.prompts):
            if args.budget is not None and report.cost >= args.budget:
                return
            if row["id"] not in done:
                yield row

    with args.answers.open("a", encoding="utf-8") as target:

        def save(row: Row) -> None:
            target.write(to_line(row))
            target.flush()
            report.count(row)
            if on_terminal or not (report.answered + report.failed) % 100:
                print(report, end="\r" if on_terminal else "\n", file=sys.stderr, flush=True)

        try:
            asyncio.run(send_all(model, todo(), args.max_concurrency, save))
        except* FATAL as errors:
            print(f"Stopped: {errors.exceptions[0]}", file=sys.stderr)
    print(report, file=sys.stderr)
    return int(report.answered < report.total)


if __name__ == "__main__":
    sys.exit(main())
