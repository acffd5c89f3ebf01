"""Has a file of prompts answered by a cluster: JSON lines in, JSON lines out, with Dask.

    pip install 'xai-lowcode[langchain,emulator]' distributed
    python examples/map_jsonl.py prompts.jsonl answers.jsonl --workers 4

A line of input is ``{"id": …, "prompt": …}``, a line of output ``{"id": …, "answer": …}`` or
``{"id": …, "error": …}``. Begun again, it goes on: rows with an answer are skipped, rows with an
error asked once more, and each row is in the file of answers once. ``--scheduler tcp://…`` takes a
cluster that runs already; ``--redis`` and ``--rate`` keep one rate over all of its machines. The
token travels inside the pickled model: use TLS between them (``distributed.security``).

Without LOWCODEAPI_API_TOKEN the answers come from the emulator of the gateway, not from Grok.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, as_completed

from langchain_xai_lowcode import ChatXAILowCode

Row = dict[str, Any]
BATCH, AHEAD = 16, 4  # rows in a task; tasks for each worker that wait in the cluster


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file; a last line that was torn by a crash is none."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                if line.endswith("\n"):
                    raise


def tidied(path: Path) -> set[Any]:
    """Leaves of a file of answers those that are one, each once; gives their ids.

    Errors go, since their rows are asked again, and so does a line that was torn by a crash. A
    crash while this is done leaves the file as it was.
    """
    done: set[Any] = set()
    if path.exists():
        fresh = path.with_name(f"{path.name}.tidy")
        with fresh.open("w", encoding="utf-8") as target:
            for row in rows(path):
                if "answer" in row and row["id"] not in done:
                    done.add(row["id"])
                    target.write(line(row))
        fresh.replace(path)
    return done


def line(row: Row) -> str:
    """A row as it is written."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def answer(model: ChatXAILowCode, batch: list[Row]) -> list[Row]:
    """Answers a batch, on a worker; the calls of all batches there share one model."""
    prompts = [row["prompt"] for row in batch]
    replies = asyncio.run(model.abatch(prompts, return_exceptions=True))
    return [
        {"id": row["id"], "error": f"{type(reply).__name__}: {reply}"}
        if isinstance(reply, BaseException)
        else {"id": row["id"], "answer": reply.text}
        for row, reply in zip(batch, replies, strict=True)
    ]


def map_rows(client: Client, model: ChatXAILowCode, todo: Iterator[Row]) -> Iterator[list[Row]]:
    """Answers rows on the cluster; yields batches as they are ready, a few are under way."""
    shared = client.scatter(model, broadcast=True)
    batches = iter(lambda: list(islice(todo, BATCH)), [])
    workers = len(client.scheduler_info()["workers"])
    first = [client.submit(answer, shared, batch) for batch in islice(batches, workers * AHEAD)]
    ready = as_completed(first)
    for future in ready:
        for batch in islice(batches, 1):
            ready.add(client.submit(answer, shared, batch))
        yield future.result()


def connect(stack: ExitStack, words: argparse.Namespace) -> Client:
    """A cluster that runs, or one of this machine's own."""
    if words.scheduler:
        return stack.enter_context(Client(words.scheduler))
    cluster = LocalCluster(
        n_workers=words.workers, threads_per_worker=2, processes=True, dashboard_address=None
    )
    return stack.enter_context(Client(stack.enter_context(cluster)))


def model_for(stack: ExitStack, words: argparse.Namespace, client: Client) -> ChatXAILowCode:
    """The model that is sent to the workers."""
    options: dict[str, Any] = {"max_concurrency": words.max_concurrency}
    if words.redis:
        import shared_rate_limit  # noqa: PLC0415 - beside this file, needs more packages

        client.upload_file(shared_rate_limit.__file__)
        options["rate_limiter"] = shared_rate_limit.SharedRateLimiter(words.redis, words.rate)
    if not os.environ.get("LOWCODEAPI_API_TOKEN"):
        from xai_lowcode.emulator import running  # noqa: PLC0415 - only where it is needed

        gateway = stack.enter_context(running())
        options |= {"api_token": gateway.api_token, "base_url": gateway.base_url}
        say("No LOWCODEAPI_API_TOKEN: the answers come from the emulator, not from Grok.")
    return ChatXAILowCode(model=words.model, **options)


def say(text: str) -> None:
    """Tells how it goes, apart from what is asked for."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Reads what is asked for, and does it."""
    asked = argparse.ArgumentParser(description="Has a file of prompts answered by a cluster.")
    asked.add_argument("prompts", type=Path)
    asked.add_argument("answers", type=Path)
    asked.add_argument("--model", default="grok-4.7")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--scheduler", help="address of a running cluster")
    asked.add_argument("--max-concurrency", type=int, default=16, help="in each worker process")
    asked.add_argument("--redis", help="where the rate is counted, redis://…")
    asked.add_argument("--rate", default="10/second", help="over all workers; needs --redis")
    words = asked.parse_args(arguments)
    done = tidied(words.answers)
    every = sum(1 for _ in rows(words.prompts))
    say(f"{every} rows, {len(done)} of them answered before.")
    with ExitStack() as stack, words.answers.open("a", encoding="utf-8") as target:
        client = connect(stack, words)
        model = model_for(stack, words, client)
        todo = (row for row in rows(words.prompts) if row["id"] not in done)
        ready = len(done)
        for batch in map_rows(client, model, todo):
            target.writelines(map(line, batch))
            target.flush()
            ready += len(batch)
            say(f"{ready} of {every} rows")


if __name__ == "__main__":
    main()
