"""Run mixed traffic with faults for a long time, and sample what must not grow.

    python -m benchmarks.soak                                     # 10 minutes at full speed
    SOAK_SECONDS=3600 SOAK_RATE=12 python -m benchmarks.soak      # an hour, 12 calls a second

Writes ``soak.csv`` (a line for each sample) and ``soak.json`` (the summary) into ``SOAK_FOLDER``,
by default ``benchmarks/results``. The gateway is the emulator, in a process of its own. Exits with
an error if a call is lost or has the response of another one, or if memory, descriptors,
connections, threads or tasks grow.
"""

import asyncio
import csv
import gc
import json
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from itertools import combinations
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

from tests.load import traffic
from tests.load.traffic import Clients, Server, Tally, faulty_gateway
from xai_lowcode.types.images import ImageRequest

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
RATE = float(os.environ.get("SOAK_RATE", "0"))  # calls a second; 0 for no limit
FOLDER = Path(os.environ.get("SOAK_FOLDER", "benchmarks/results"))
SAMPLES = 600  # in a run, at most one a second
WARM_UP = 0.25
TASKS, THREADS, FAULTS = 24, 4, 0.2
CONFIDENCE = 0.95
PAGE = os.sysconf("SC_PAGE_SIZE")
# The rise from the first to the last sample that is not regarded as growth.
ALLOWED = {
    "memory_kb": 6_000.0,
    "descriptors": 10.0,
    "connections": 10.0,
    "threads": 3.0,
    "tasks": 10.0,
}
Sample = dict[str, float]


async def leave_early(clients: Clients, text: str) -> str:
    """A stream that is closed after its first event."""
    events = clients.core.astream(traffic.request(f"{text}, and on, and on"))
    async for _ in events:
        break
    await events.aclose()
    return text


async def cancelled(clients: Clients, text: str) -> str:
    """A call that is cancelled after some milliseconds."""
    call = asyncio.create_task(clients.core.agenerate(traffic.request(text)))
    await asyncio.sleep(random.random() * 0.02)  # noqa: S311 - no secret
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    return text


async def image(clients: Clients, text: str) -> str:
    """An image."""
    response = await clients.gateway.create_images(ImageRequest(prompt=text))
    return text if response.images else "no image"


async def file(clients: Clients, text: str) -> str:
    """A file that is uploaded, downloaded and deleted."""
    record = await clients.gateway.upload_file(text.encode(), name="soak.txt")
    try:
        return (await clients.gateway.download_file(record.id)).content.decode()
    finally:
        await clients.gateway.delete_file(record.id)


async def tokens(clients: Clients, text: str) -> str:
    """Tokens, counted by the gateway."""
    counted = await clients.gateway.tokenize(text, model=traffic.MODEL)
    return text if counted else "no tokens"


ASYNC: tuple[Callable[[Clients, str], Awaitable[str]], ...] = (
    *traffic.ASYNC_PLAIN,
    *traffic.ASYNC_STREAMS,
    leave_early,
    cancelled,
    image,
    file,
    tokens,
)
SYNC = (*traffic.PLAIN, *traffic.STREAMS)


def sample(server: Server, began: float, tally: Tally) -> Sample:
    """Return the current figures of this process; ``connections`` are counted by the server."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "seconds": round(time.monotonic() - began, 2),
        "memory_kb": pages * PAGE / 1024,
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "connections": server.connections(),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "calls": tally.calls,
    }


def slope(samples: list[Sample], name: str) -> tuple[float, float, float]:
    """Return the growth in an hour (Theil-Sen), and its confidence interval.

    The interval is Sen's (1968): it takes the samples as independent, so it is too narrow for a
    figure that changes slowly, such as memory.
    """
    points = [(each["seconds"], each[name]) for each in samples]
    slopes = sorted(
        3600 * (value - first) / (at - began)
        for (began, first), (at, value) in combinations(points, 2)
    )
    deviation = (len(points) * (len(points) - 1) * (2 * len(points) + 5) / 18) ** 0.5
    width = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation
    low = max(0, round((len(slopes) - width) / 2))
    return median(slopes), slopes[low], slopes[-1 - low]


def summary(samples: list[Sample], tally: Tally, cpu: float) -> dict[str, Any]:
    """Return the figures: slopes after the warm-up, and how the calls ended."""
    steady = [each for each in samples if each["seconds"] > SECONDS * WARM_UP]
    hours = (steady[-1]["seconds"] - steady[0]["seconds"]) / 3600
    slopes = {name: slope(steady, name) for name in (*ALLOWED, "objects")}
    return {
        "seconds": samples[-1]["seconds"],
        "samples_after_warm_up": len(steady),
        "cpu_seconds": round(cpu, 1),
        "calls": tally.calls,
        "right": tally.right,
        "errors": dict(tally.errors),
        "wrong": tally.wrong[:20],
        "first": {name: steady[0][name] for name in ALLOWED},
        "last": {name: steady[-1][name] for name in ALLOWED},
        "rise": {name: round(each[0] * hours, 1) for name, each in slopes.items()},
        "rise_per_hour": {name: round(each[0], 2) for name, each in slopes.items()},
        "interval_per_hour": {
            name: [round(bound, 2) for bound in each[1:]] for name, each in slopes.items()
        },
    }


def growing(figures: dict[str, Any]) -> list[str]:
    """Return what grows: by more than is allowed, and with an interval above zero."""
    return [
        name
        for name, most in ALLOWED.items()
        if figures["rise"][name] > most and figures["interval_per_hour"][name][0] > 0
    ]


async def soak(server: Server) -> tuple[list[Sample], Tally]:
    """Send all kinds of calls concurrently until the time is over."""
    clients, tally, began = Clients(server, max_concurrency=20), Tally(), time.monotonic()
    over = threading.Event()

    def pause(dice: random.Random) -> float:
        return dice.expovariate(RATE / (TASKS + THREADS)) if RATE else 0.0

    def thread(number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - no secret
        while not over.wait(pause(dice)):
            traffic.call(dice.choice(SYNC), clients, tally)

    async def task(number: int) -> None:
        dice = random.Random(-number)  # noqa: S311 - no secret
        while not over.is_set():
            await asyncio.sleep(pause(dice))
            await traffic.acall(dice.choice(ASYNC), clients, tally)

    workers = [threading.Thread(target=thread, args=(number,)) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    tasks = [asyncio.create_task(task(number)) for number in range(TASKS)]
    samples = []
    while time.monotonic() - began < SECONDS:
        await asyncio.sleep(max(1.0, SECONDS / SAMPLES))
        samples.append(sample(server, began, tally))
    over.set()
    await asyncio.gather(*tasks)
    for worker in workers:
        await asyncio.to_thread(worker.join)
    clients.close()
    await clients.aclose()
    return samples, tally


def main() -> None:
    """Run, write the files, and exit with an error if something grows or is wrong."""
    with faulty_gateway(FAULTS) as server:
        began = time.process_time()
        samples, tally = asyncio.run(soak(server))
        cpu = time.process_time() - began
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "soak.csv").open("w", newline="", encoding="utf-8") as target:
        table = csv.DictWriter(target, samples[0])
        table.writeheader()
        table.writerows(samples)
    figures = summary(samples, tally, cpu)
    text = json.dumps(figures, indent=1)
    (FOLDER / "soak.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    if (grown := growing(figures)) or tally.wrong:
        sys.exit(f"Growing: {', '.join(grown) or 'nothing'}; lost or wrong: {len(tally.wrong)}")


if __name__ == "__main__":
    main()
