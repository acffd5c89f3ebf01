"""Send a file of prompts to Grok on a cluster, Dask or Ray: JSON lines in, JSON lines out.

    pip install "xai-lowcode[langchain,emulator] @ git+https://github.com/xai-lowcode/xai-lowcode" \
        distributed 'ray[data]' limits redis
    python examples/map_jsonl.py prompts.jsonl responses.jsonl --on dask --workers 4
    python examples/map_jsonl.py prompts.jsonl responses.jsonl --on ray

Rows, restart and cost are those of ``examples/batch_jsonl.py``: rows with an answer are skipped,
rows with an error are sent again, and each row is in the output once. A crash of this program loses
the batches that are not complete, and a crash of a worker repeats its batches: at most ``BATCH``
rows per task are sent, and billed, again.

``--address`` selects a running cluster, which reads the prompts from the same path (Ray) and has
the same packages; ``--redis`` and ``--rate`` limit the rate of all workers together. The pickled
model contains the token: use TLS between machines.

Without LOWCODEAPI_API_TOKEN the responses come from the emulator of the gateway, not from Grok.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import batch_jsonl
import shared_rate_limit
from batch_jsonl import (
    FATAL,
    FileError,
    Report,
    Row,
    clean_output,
    get_prompt,
    rows,
    to_line,
    to_output,
)
from langchain_core.runnables import RunnableLambda

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.errors import UsageError

BATCH = 16  # rows of a task
AHEAD = 4  # tasks per worker that Dask is given in advance


def send(model: ChatXAILowCode, batch: list[Row]) -> list[Row]:
    """Send a batch from a worker; all batches of a worker share the connections of one model."""
    chain = RunnableLambda(get_prompt) | model
    outcomes = chain.batch(batch, {"max_concurrency": BATCH}, return_exceptions=True)
    return [to_output(row, outcome) for row, outcome in zip(batch, outcomes, strict=True)]


def map_on_dask(
    stack: ExitStack, args: argparse.Namespace, model: ChatXAILowCode, done: set[Any]
) -> Iterator[Row]:
    """Send the rows that are not done to Dask, a few batches at a time."""
    from distributed import Client, LocalCluster, as_completed  # noqa: PLC0415 - optional

    cluster = args.address or stack.enter_context(
        LocalCluster(n_workers=args.workers, threads_per_worker=2, dashboard_address=None)
    )
    client = stack.enter_context(Client(cluster))
    for module in (batch_jsonl, shared_rate_limit):
        # Loaded by a scheduler in this process, the class of the limiter would be another one, and
        # the limiter not picklable.
        client.upload_file(module.__file__, load=False)
    shared = client.scatter(model, broadcast=True)
    todo = (row for row in rows(args.prompts) if row["id"] not in done)
    batches = iter(lambda: list(islice(todo, BATCH)), [])
    workers = len(client.scheduler_info()["workers"])
    futures = as_completed(
        [client.submit(send, shared, batch) for batch in islice(batches, workers * AHEAD)]
    )
    for future in futures:
        for batch in islice(batches, 1):
            futures.add(client.submit(send, shared, batch))
        yield from future.result()


class RaySender:
    """An actor that sends batches of lines, those that are done excepted."""

    def __init__(self, model: ChatXAILowCode, done: set[Any]) -> None:
        self.model, self.done = model, done

    def __call__(self, batch: dict[str, Iterable[str]]) -> dict[str, list[str]]:
        """Return the lines of the output for lines of the input."""
        todo = [
            row
            for row in map(json.loads, filter(str.strip, batch["text"]))
            if row["id"] not in self.done
        ]
        return {"line": [json.dumps(row) for row in send(self.model, todo)]}


def map_on_ray(
    stack: ExitStack, args: argparse.Namespace, model: ChatXAILowCode, done: set[Any]
) -> Iterator[Row]:
    """Send the rows that are not done through Ray Data, which streams them in small blocks."""
    import ray  # noqa: PLC0415 - optional

    # One CPU reads the prompts.
    local = {} if args.address else {"num_cpus": args.workers + 1, "include_dashboard": False}
    folder = {"working_dir": str(Path(__file__).parent)}
    ray.init(address=args.address, runtime_env=folder, **local)
    stack.callback(ray.shutdown)
    ray.data.DataContext.get_current().enable_progress_bars = False
    lines = (
        ray.data.read_text(str(args.prompts.absolute()))
        .repartition(target_num_rows_per_block=BATCH)
        .map_batches(
            RaySender,
            fn_constructor_args=(model, done),
            compute=ray.data.ActorPoolStrategy(size=args.workers),
        )
    )
    for row in lines.iter_rows():
        yield json.loads(row["line"])


def create_model(stack: ExitStack, args: argparse.Namespace) -> ChatXAILowCode:
    """Create the model that is sent to the workers."""
    options: dict[str, Any] = {"max_concurrency": args.max_concurrency, "max_retries": 5}
    if args.redis:
        options["rate_limiter"] = shared_rate_limit.SharedRateLimiter(args.redis, args.rate)
    if not os.environ.get("LOWCODEAPI_API_TOKEN"):
        from xai_lowcode.emulator import running  # noqa: PLC0415 - optional

        gateway = stack.enter_context(running())
        options |= {"api_token": gateway.api_token, "base_url": gateway.base_url}
        log("No LOWCODEAPI_API_TOKEN: the responses come from the emulator, not from Grok.")
    return ChatXAILowCode(model=args.model, **options)


def log(text: object) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and run; return the exit code."""
    parser = argparse.ArgumentParser(description="Send a file of prompts on a cluster.")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--on", choices=("dask", "ray"), default="dask")
    parser.add_argument("--model", default="grok-4.7")
    parser.add_argument("--workers", type=int, default=2, help="processes that send")
    parser.add_argument("--address", help="of a running cluster: tcp://… (Dask), ray://… (Ray)")
    parser.add_argument("--max-concurrency", type=int, default=16, help="in each worker process")
    parser.add_argument("--redis", help="URL of the Redis server that counts requests, redis://…")
    parser.add_argument("--rate", default="10/second", help="rate of all workers; needs --redis")
    args = parser.parse_args(arguments)
    try:
        return run(args)
    except (FileError, OSError, UsageError) as error:
        log(f"{parser.prog}: {error}")
        return 2


def run(args: argparse.Namespace) -> int:
    """Send the rows that have no answer yet; return the exit code."""
    report = Report(sum(1 for _ in rows(args.prompts)))
    done = clean_output(args.answers, report.count)
    log(f"{report.total} rows, {len(done)} already answered.")
    map_rows = map_on_ray if args.on == "ray" else map_on_dask
    with ExitStack() as stack, args.answers.open("a", encoding="utf-8") as target:
        try:
            for row in map_rows(stack, args, create_model(stack, args), done):
                target.write(to_line(row))
                target.flush()
                report.count(row)
                if not (report.answered + report.failed) % 100:
                    log(report)
        except FATAL as error:
            log(f"Stopped: {error}")
    log(report)
    return int(report.answered < report.total)


if __name__ == "__main__":
    sys.exit(main())
