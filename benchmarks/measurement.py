"""Measures a workload: interleaved samples of all clients, against a server in another process."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns, process_time_ns

from benchmarks.baselines import HttpxClient
from benchmarks.clients import Client
from benchmarks.implementations import CLIENTS, Framework
from benchmarks.inputs import ClientConfig
from benchmarks.workloads import Workload

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Statistics:
    """The samples of one client for one workload, in microseconds per unit."""

    median: float
    lower_quartile: float
    upper_quartile: float

    @classmethod
    def of(cls, samples: list[float]) -> "Statistics":
        """Compute the statistics of samples; there is at least one."""
        lower, _, upper = quantiles(samples, n=4) if len(samples) > 1 else (samples[0],) * 3
        return cls(median(samples), lower, upper)


Measurements = dict[str, Statistics]
"""Statistics by the name of the client; only clients that support the workload."""


def baseline(measurements: Measurements, framework: Framework) -> float:
    """Return the time of httpx plus that of the bare framework, if it supports the workload."""
    httpx_time = measurements[HttpxClient.name].median
    bare = measurements.get(framework.bare.name)
    return httpx_time + (bare.median if bare else 0)


@contextmanager
def running_server() -> Iterator[str]:
    """Run the server in another process.

    Yields:
        Its URL.
    """
    command = [sys.executable, "-m", "benchmarks.server"]
    server = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - a module of this package
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


def measure(workload: Workload, *, quick: bool) -> Measurements:
    """Measure a workload for all clients that support it.

    Each workload has a new server and a new event loop. langchain-openai shares connections between
    models with the same base URL, and those of a closed event loop would fail.

    Each client has one warm-up sample. Then rounds follow, with a sample of each client, so that
    anything that slows the machine affects all of them. A client whose warm-up takes a quarter of
    the time limit has that sample and no other.

    Args:
        workload: The workload.
        quick: Whether to measure 3 rounds in 2 seconds instead of 15 in 8, and the workload's
            `quick_clients` alone. No round begins after that time.
    """
    rounds, seconds = (3, 2) if quick else (15, 8)
    samples: dict[str, list[float]] = {}
    with running_server() as server_url, asyncio.Runner() as runner:
        config = ClientConfig(f"{server_url}/{workload.scenario}", workload.api, workload.chunks)
        factories = {
            client.name: partial(client, config)
            for client in (workload.quick_clients if quick else CLIENTS)
            if workload.is_supported_by(client)
        }
        clients = {name: factory() for name, factory in factories.items()}
        for name, client in clients.items():
            try:
                first = _take_sample(workload, client, runner)
            except Exception as error:  # noqa: BLE001 - the run continues without this client
                print(f"{workload.title}: {name} failed: {error!r:.200}", file=sys.stderr)
                continue
            is_slow = first * workload.units >= seconds / 4 * 1e6
            samples[name] = [first] if is_slow else []
        repeated = [name for name, warm_up in samples.items() if not warm_up]
        start = perf_counter_ns()
        for _ in range(rounds):
            for name in repeated:
                client = factories[name]() if workload.new_client else clients[name]
                samples[name].append(_take_sample(workload, client, runner))
            if perf_counter_ns() - start > seconds * 1e9:
                break
    return {name: Statistics.of(values) for name, values in samples.items()}


def _take_sample(workload: Workload, client: Client, runner: asyncio.Runner) -> float:
    gc.collect()
    clock = perf_counter_ns if workload.wall else process_time_ns
    start = clock()
    result = workload.run(client, runner)
    duration = clock() - start
    del result  # closes an open stream, which is not measured
    return duration / 1_000 / workload.units
