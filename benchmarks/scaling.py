"""Measure how the costs of a batch grow: per prompt, concurrent request, finished row, idle second.

    python -m benchmarks.scaling --write
    python -m benchmarks.scaling --redis redis://127.0.0.1:6379   # needs redis and limits

Each slope is the least-squares line through runs of ``examples/batch_jsonl.py`` of several sizes,
without faults. ``docs/scaling.md`` extrapolates from these slopes.
"""

import argparse
import asyncio
import importlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import scale
from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import running

RESULT = scale.RESULT.with_name("scaling.json")
PROMPTS = (500, 1_000, 2_000, 4_000, 6_000)
CONCURRENCY = (8, 64, 256, 512)
FINISHED = (10_000, 50_000, 100_000, 300_000)
RATES = (4.0, 1.0, 0.5, 0.25, 0.125)  # requests a second of one process
IDLE_SECONDS = 180
WAITERS, LIMIT, LIMIT_SECONDS = (1, 8, 32), 20, 10


def line(xs: list[float], ys: list[float]) -> dict[str, Any]:
    """Return the least-squares line and its points."""
    slope, intercept = linear_regression(xs, ys)
    points = [[x, round(y, 4)] for x, y in zip(xs, ys, strict=True)]
    return {"slope": slope, "intercept": intercept, "points": points}


def run(prompts: int, concurrency: int, latency: float) -> dict[str, Any]:
    """Run the batch example once, in one process and without faults."""
    sizes = [f"--prompts={prompts}", f"--max-concurrency={concurrency}", f"--latency={latency}"]
    args = scale.parse([*sizes, "--processes=1", "--faults=0", "--no-kill"])
    with TemporaryDirectory() as folder:
        figures = scale.run(args, Path(folder))
    print(json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def per_prompt() -> dict[str, Any]:
    """CPU time in seconds, memory in KB and output in bytes by the number of prompts."""
    runs = [run(prompts, 32, 0.01) for prompts in PROMPTS]
    xs = [float(each["prompts"]) for each in runs]
    return {
        "client_cpu_seconds": line(
            xs, [each["client_cpu_ms_per_prompt"] * each["prompts"] / 1000 for each in runs]
        ),
        "client_memory_kb": line(xs, [each["peak_memory_mb"] * 1024 for each in runs]),
        "output_bytes": line(xs, [float(each["output_bytes"]) for each in runs]),
    }


def per_concurrent_request() -> dict[str, Any]:
    """Memory in KB and open connections by the number of concurrent requests."""
    runs = [run(4 * concurrency, concurrency, 2.0) for concurrency in CONCURRENCY]
    xs = [float(each["max_concurrency"]) for each in runs]
    return {
        "client_memory_kb": line(xs, [each["peak_memory_mb"] * 1024 for each in runs]),
        "connections_open": line(xs, [float(each["connections_open_at_most"]) for each in runs]),
        "connections_opened": line(xs, [float(each["connections_opened"]) for each in runs]),
    }


def per_finished_row() -> dict[str, Any]:
    """CPU time in seconds and memory in KB of a restart by the number of finished rows."""
    usages = [resume(rows) for rows in FINISHED]
    xs = [float(rows) for rows in FINISHED]
    return {
        "client_cpu_seconds": line(xs, [cpu for cpu, _ in usages]),
        "client_memory_kb": line(xs, [float(memory) for _, memory in usages]),
    }


def resume(rows: int) -> tuple[float, int]:
    """Start the batch example on finished rows; return its CPU seconds and peak memory in KB."""
    usage = {"input_tokens": 12, "output_tokens": 43, "total_tokens": 55}
    with TemporaryDirectory() as folder:
        prompts, output = Path(folder) / "prompts.jsonl", Path(folder) / "responses.jsonl"
        with prompts.open("w", encoding="utf-8") as target:
            target.writelines(f'{{"id": {n}, "prompt": "Say \'row {n}\'"}}\n' for n in range(rows))
        row = {"answer": "row", "usage": usage, "cost_usd": 0.0002775, "response_id": "0" * 36}
        with output.open("w", encoding="utf-8") as target:
            target.writelines(json.dumps({"id": n, **row}) + "\n" for n in range(rows))
        process = subprocess.Popen(  # noqa: S603 - of this repository
            [sys.executable, str(scale.EXAMPLE), str(prompts), str(output)],
            env={**os.environ, "LOWCODEAPI_API_TOKEN": "at_r" + "0" * 32},
            stderr=subprocess.DEVNULL,
        )
        pid = memory = 0
        while not pid:
            time.sleep(scale.POLL / 10)
            memory = max(memory, scale.peak_memory_kb(process.pid))
            pid, status, resources = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return resources.ru_utime + resources.ru_stime, memory


async def new_connections(rate: float) -> dict[str, Any]:
    """Send requests one after another at random times; count the connections that they open."""
    dice = random.Random(rate)  # noqa: S311 - no secret
    with running() as gateway:
        model = ChatXAILowCode(api_token=gateway.api_token, base_url=gateway.base_url)
        sent, end = 0, time.monotonic() + IDLE_SECONDS
        while time.monotonic() < end:
            await asyncio.sleep(dice.expovariate(rate))
            await model.ainvoke("Say 'yes'")
            sent += 1
        await model.aclose()
        return {"rate": rate, "requests": sent, "connections": gateway.connections}


async def per_idle_second() -> list[dict[str, Any]]:
    """New connections by the rate of requests."""
    return list(await asyncio.gather(*map(new_connections, RATES)))


async def limiter_commands(redis_url: str) -> list[dict[str, Any]]:
    """Redis commands for each permitted request of ``SharedRateLimiter``, by the waiting tasks."""
    sys.path.insert(0, str(scale.EXAMPLE.parent))
    shared, redis = map(importlib.import_module, ("shared_rate_limit", "redis"))
    server = redis.Redis.from_url(redis_url)
    found = []
    for waiters in WAITERS:
        limiter = shared.SharedRateLimiter(redis_url, f"{LIMIT}/second", f"waiters {waiters}")
        before = server.info("stats")["total_commands_processed"]
        permitted = 0

        async def wait(limiter: Any, end: float) -> None:
            nonlocal permitted
            while time.monotonic() < end:
                await limiter.aacquire()
                permitted += 1

        end = time.monotonic() + LIMIT_SECONDS
        await asyncio.gather(*(wait(limiter, end) for _ in range(waiters)))
        commands = server.info("stats")["total_commands_processed"] - before
        found.append({"waiters": waiters, "permitted": permitted, "commands": commands})
    return found


SECTIONS: dict[str, Callable[[], Any]] = {
    "idle": lambda: asyncio.run(per_idle_second()),
    "finished_row": per_finished_row,
    "concurrent_request": per_concurrent_request,
    "prompt": per_prompt,
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    parser.add_argument("--write", action="store_true", help="to benchmarks/results/scaling.json")
    parser.add_argument("--redis", help="URL of a Redis server: measure the shared rate limiter")
    args = parser.parse_args()
    sections = {name: SECTIONS[name] for name in SECTIONS if args.only in {None, name}}
    if args.redis:
        sections = {"limiter": lambda: asyncio.run(limiter_commands(args.redis))}
    for name, measure in sections.items():
        figures = {name: measure()}
        print(json.dumps(figures, indent=1), flush=True)
        if args.write:
            kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
            RESULT.write_text(json.dumps({**kept, **figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
