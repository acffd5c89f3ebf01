"""Send a file of prompts to Grok on a Dask cluster: JSON lines in, JSON lines out.

    pip install 'xai-lowcode[langchain,emulator]' distributed
    python examples/map_jsonl.py prompts.jsonl responses.jsonl --workers 4

A line of input is ``{"id": …, "prompt": …}``, a line of output ``{"id": …, "answer": …}`` or
``{"id": …, "error": …}``. If restarted, it resumes: rows with an answer are skipped, rows with an
error are sent again, and each row is in the output once. ``--scheduler tcp://…`` uses a running
cluster; ``--redis`` and ``--rate`` limit the rate over all machines. The pickled model contains the
token: use TLS between machines (``distributed.security``).

Without LOWCODEAPI_API_TOKEN the responses come from the emulator of the gateway, not from Grok.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from batch_jsonl import Row, clean_output, rows, to_line
from distributed import Client, LocalCluster, as_completed

from langchain_xai_lowcode import ChatXAILowCode

BATCH, AHEAD = 16, 4  # rows per task; queued tasks per worker


def answer(model: ChatXAILowCode, batch: list[Row]) -> list[Row]:
    """Send a batch from a worker; all batches of a worker share one model."""
    prompts = [row["prompt"] for row in batch]
    messages = asyncio.run(model.abatch(prompts, return_exceptions=True))
    return [
        {"id": row["id"], "error": f"{type(message).__name__}: {message}"}
        if isinstance(message, BaseException)
        else {"id": row["id"], "answer": message.text}
        for row, message in zip(batch, messages, strict=True)
    ]


def map_rows(client: Client, model: ChatXAILowCode, todo: Iterator[Row]) -> Iterator[list[Row]]:
    """Send rows to the cluster, a few batches at a time; yield completed batches."""
    shared = client.scatter(model, broadcast=True)
    batches = iter(lambda: list(islice(todo, BATCH)), [])
    workers = len(client.scheduler_info()["workers"])
    first = [client.submit(answer, shared, batch) for batch in islice(batches, workers * AHEAD)]
    futures = as_completed(first)
    for future in futures:
        for batch in islice(batches, 1):
            futures.add(client.submit(answer, shared, batch))
        yield future.result()


def connect(stack: ExitStack, args: argparse.Namespace) -> Client:
    """Connect to a running cluster, or start a local one."""
    if args.scheduler:
        return stack.enter_context(Client(args.scheduler))
    cluster = LocalCluster(
        n_workers=args.workers, threads_per_worker=2, processes=True, dashboard_address=None
    )
    return stack.enter_context(Client(stack.enter_context(cluster)))


def create_model(stack: ExitStack, args: argparse.Namespace, client: Client) -> ChatXAILowCode:
    """Create the model that is sent to the workers."""
    options: dict[str, Any] = {"max_concurrency": args.max_concurrency}
    if args.redis:
        import shared_rate_limit  # noqa: PLC0415 - optional, in this folder

        client.upload_file(shared_rate_limit.__file__)
        options["rate_limiter"] = shared_rate_limit.SharedRateLimiter(args.redis, args.rate)
    if not os.environ.get("LOWCODEAPI_API_TOKEN"):
        from xai_lowcode.emulator import running  # noqa: PLC0415 - optional

        gateway = stack.enter_context(running())
        options |= {"api_token": gateway.api_token, "base_url": gateway.base_url}
        log("No LOWCODEAPI_API_TOKEN: the responses come from the emulator, not from Grok.")
    return ChatXAILowCode(model=args.model, **options)


def log(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description="Send a file of prompts to a Dask cluster.")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--model", default="grok-4.7")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler", help="address of a running cluster")
    parser.add_argument("--max-concurrency", type=int, default=16, help="in each worker process")
    parser.add_argument("--redis", help="URL of the Redis server that counts requests, redis://…")
    parser.add_argument("--rate", default="10/second", help="rate of all workers; needs --redis")
    args = parser.parse_args(arguments)
    done = clean_output(args.answers)
    total = sum(1 for _ in rows(args.prompts))
    log(f"{total} rows, {len(done)} already answered.")
    with ExitStack() as stack, args.answers.open("a", encoding="utf-8") as target:
        client = connect(stack, args)
        model = create_model(stack, args, client)
        todo = (row for row in rows(args.prompts) if row["id"] not in done)
        completed = len(done)
        for batch in map_rows(client, model, todo):
            target.writelines(map(to_line, batch))
            target.flush()
            completed += len(batch)
            log(f"{completed} of {total} rows")


if __name__ == "__main__":
    main()
