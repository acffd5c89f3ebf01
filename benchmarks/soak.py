"""Mixed traffic for a long time, with trouble, and a look every second at what should stay flat.

    SOAK_SECONDS=180 python -m benchmarks.soak    # default: 10 minutes

Writes ``soak.csv`` (a line a second) and ``soak.json`` (the summary) into ``SOAK_FOLDER``, by
default ``benchmarks/results``. The gateway is the emulator, in a process of its own. Ends with an
error when a call is lost or answered wrongly, or when memory, descriptors, connections, threads or
tasks grow.
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
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.load import traffic
from tests.load.traffic import Faces, Server, Tally, troubled
from xai_lowcode.types.images import ImageRequest

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
FOLDER = Path(os.environ.get("SOAK_FOLDER", "benchmarks/results"))
WARM_UP = 0.25
TASKS, THREADS, FAULTS = 24, 4, 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")
# What comes and goes: the line through the samples may rise so much from end to end.
ALLOWED = {
    "memory_kb": 6_000.0,
    "descriptors": 10.0,
    "connections": 10.0,
    "threads": 3.0,
    "tasks": 10.0,
}


async def leave_early(faces: Faces, said: str) -> str:
    """A stream that is left after its first piece."""
    events = faces.core.astream(traffic.request(f"{said}, and on, and on"))
    async for _ in events:
        break
    await events.aclose()
    return said


async def cancelled(faces: Faces, said: str) -> str:
    """A call that is cancelled after a moment."""
    call = asyncio.create_task(faces.core.agenerate(traffic.request(said)))
    await asyncio.sleep(random.random() * 0.02)  # noqa: S311 - no secret
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    return said


async def picture(faces: Faces, said: str) -> str:
    """A picture."""
    order = ImageRequest(prompt=said)
    made = await faces.words.create_images(order)
    return said if made.images else "no picture"


async def file(faces: Faces, said: str) -> str:
    """A file that is uploaded, read and deleted."""
    record = await faces.words.upload_file(said.encode(), name="soak.txt")
    try:
        return (await faces.words.download_file(record.id)).content.decode()
    finally:
        await faces.words.delete_file(record.id)


async def tokens(faces: Faces, said: str) -> str:
    """Tokens, counted by the service."""
    counted = await faces.words.tokenize(said, model=traffic.MODEL)
    return said if counted else "no tokens"


ASYNC: tuple[Callable[[Faces, str], Awaitable[str]], ...] = (
    *traffic.ASYNC_PLAIN,
    *traffic.ASYNC_STREAMS,
    leave_early,
    cancelled,
    picture,
    file,
    tokens,
)
SYNC = (*traffic.PLAIN, *traffic.STREAMS)


def sample(server: Server, began: float, tally: Tally) -> dict[str, float]:
    """What there is at this moment."""
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


def slope(samples: list[dict[str, float]], name: str) -> float:
    """Growth in an hour, by least squares."""
    times, values = [each["seconds"] for each in samples], [each[name] for each in samples]
    middle, mean = fmean(times), fmean(values)
    spread = sum((each - middle) ** 2 for each in times)
    rise = sum((t - middle) * (v - mean) for t, v in zip(times, values, strict=True))
    return 3600 * rise / spread if spread else 0.0


def summary(samples: list[dict[str, float]], tally: Tally) -> dict[str, Any]:
    """The figures: slopes after the warm-up, and how calls ended."""
    steady = [each for each in samples if each["seconds"] > SECONDS * WARM_UP]
    hours = (steady[-1]["seconds"] - steady[0]["seconds"]) / 3600
    slopes = {name: slope(steady, name) for name in (*ALLOWED, "objects")}
    return {
        "seconds": samples[-1]["seconds"],
        "calls": tally.calls,
        "right": tally.right,
        "errors": dict(tally.errors),
        "wrong": tally.wrong[:20],
        "first": {name: steady[0][name] for name in ALLOWED},
        "last": {name: steady[-1][name] for name in ALLOWED},
        "rise": {name: round(each * hours, 1) for name, each in slopes.items()},
        "rise_per_hour": {name: round(each, 1) for name, each in slopes.items()},
    }


async def soak(server: Server) -> tuple[list[dict[str, float]], Tally]:
    """Asks in all ways at once until the time is over."""
    faces, tally, began = Faces(server, max_concurrency=20), Tally(), time.monotonic()
    over = threading.Event()

    def thread(number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - no secret
        while not over.is_set():
            traffic.ask(dice.choice(SYNC), faces, tally)

    async def task(number: int) -> None:
        dice = random.Random(-number)  # noqa: S311 - no secret
        while not over.is_set():
            await traffic.aask(dice.choice(ASYNC), faces, tally)

    workers = [threading.Thread(target=thread, args=(number,)) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    tasks = [asyncio.create_task(task(number)) for number in range(TASKS)]
    samples = []
    while time.monotonic() - began < SECONDS:
        await asyncio.sleep(1)
        samples.append(sample(server, began, tally))
    over.set()
    await asyncio.gather(*tasks)
    for worker in workers:
        await asyncio.to_thread(worker.join)
    faces.close()
    await faces.aclose()
    return samples, tally


def main() -> None:
    """Soaks, writes and judges."""
    with troubled(FAULTS) as server:
        samples, tally = asyncio.run(soak(server))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "soak.csv").open("w", newline="", encoding="utf-8") as target:
        table = csv.DictWriter(target, samples[0])
        table.writeheader()
        table.writerows(samples)
    figures = summary(samples, tally)
    text = json.dumps(figures, indent=1)
    (FOLDER / "soak.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    grown = [name for name, most in ALLOWED.items() if figures["rise"][name] > most]
    if grown or tally.wrong:
        sys.exit(f"Growing: {', '.join(grown) or 'nothing'}; lost or wrong: {len(tally.wrong)}")


if __name__ == "__main__":
    main()
