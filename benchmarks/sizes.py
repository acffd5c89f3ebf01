"""CPU time of this package at four sizes of a workload, as a table and a plot.

The time per chunk, message, tool or concurrent call should not depend on their number.
"""

import argparse
import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

import matplotlib as mpl

from benchmarks.implementations import XAILowCodeLangChain, XAILowCodeLlamaIndex
from benchmarks.inputs import (
    CONVERSATION,
    PROMPT,
    PROMPT_MESSAGES,
    TOOLS,
    ClientConfig,
    to_langchain_messages,
    to_llama_index_messages,
    to_llama_index_tools,
)
from benchmarks.measurement import running_server
from benchmarks.report import RESULTS
from benchmarks.responses import STREAM_SIZES

mpl.use("Agg")
import matplotlib.pyplot as plt

PackageClient = XAILowCodeLangChain | XAILowCodeLlamaIndex
CLIENTS: dict[str, type[PackageClient]] = {
    "LangChain": XAILowCodeLangChain,
    "LlamaIndex": XAILowCodeLlamaIndex,
}
COLOURS = {"LangChain": "#0b7285", "LlamaIndex": "#e8590c"}
Call = Callable[[asyncio.Runner], Any]
Times = dict[str, list[float]]
"""Milliseconds of CPU time at each size, by the name of the framework."""


@dataclass(frozen=True)
class SizedWorkload:
    """A workload that exists in several sizes.

    Attributes:
        title: What there are more of.
        sizes: The sizes, in ascending order.
        scenario: Key of `benchmarks.responses.SCENARIOS` for a size.
        prepare: Builds the call of a client for a size; building it is not measured.
    """

    title: str
    sizes: tuple[int, ...]
    scenario: Callable[[int], str]
    prepare: Callable[[PackageClient, int], Call]


def prepare_stream(client: PackageClient, _: int) -> Call:
    """Prepare reading one stream; the scenario has its size."""
    return lambda _: client.read_stream()


def prepare_messages(client: PackageClient, count: int) -> Call:
    """Prepare a call with a conversation."""
    conversation = [CONVERSATION[number % 2] for number in range(count - 1)] + CONVERSATION[:1]
    if isinstance(client, XAILowCodeLangChain):
        messages = to_langchain_messages(conversation)
        return lambda _: client.model.invoke(messages)
    chat_messages = to_llama_index_messages(conversation)
    return lambda _: client.model.chat(chat_messages)


def prepare_tools(client: PackageClient, count: int) -> Call:
    """Prepare a call that binds tools first, as a new agent does."""
    tools = [
        {**TOOLS[0], "function": {**TOOLS[0]["function"], "name": f"tool_{number}"}}
        for number in range(count)
    ]
    if isinstance(client, XAILowCodeLangChain):
        return lambda _: client.model.bind_tools(tools).invoke(PROMPT)
    function_tools, messages = to_llama_index_tools(tools), to_llama_index_messages(PROMPT_MESSAGES)
    return lambda _: client.model.chat_with_tools(function_tools, chat_history=messages)


def prepare_concurrent_calls(client: PackageClient, count: int) -> Call:
    """Prepare concurrent calls."""

    async def call_concurrently() -> None:
        await asyncio.gather(*(client.agenerate() for _ in range(count)))

    return lambda runner: runner.run(call_concurrently())


WORKLOADS = (
    SizedWorkload(
        "chunks of a stream", STREAM_SIZES, lambda size: f"stream_{size}", prepare_stream
    ),
    SizedWorkload("messages", (50, 200, 800, 3_200), lambda _: "short", prepare_messages),
    SizedWorkload("tools", (5, 20, 80, 320), lambda _: "short", prepare_tools),
    SizedWorkload(
        "concurrent calls", (25, 100, 400, 1_600), lambda _: "slow", prepare_concurrent_calls
    ),
)


def measure_sizes(workload: SizedWorkload, server_url: str, samples: int) -> Times:
    """Measure a workload at each size; each time is the median of so many samples."""
    times: Times = {framework: [] for framework in CLIENTS}
    for size in workload.sizes:
        config = ClientConfig(f"{server_url}/{workload.scenario(size)}")
        for framework, client in CLIENTS.items():
            with asyncio.Runner() as runner:
                call = workload.prepare(client(config), size)
                call(runner)
                times[framework].append(median(measure_call(call, runner) for _ in range(samples)))
    return times


def measure_call(call: Call, runner: asyncio.Runner) -> float:
    """Return the CPU time of a call in milliseconds."""
    gc.collect()
    start = process_time_ns()
    call(runner)
    return (process_time_ns() - start) / 1e6


def format_table(results: dict[str, Times]) -> str:
    """Return the times, and the marginal time of the last step divided by that before it."""
    columns = ("workload", "framework", "sizes", "CPU time, ms", "marginal time, last to earlier")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for workload in WORKLOADS:
        for framework, times in results[workload.title].items():
            sizes = ", ".join(f"{size:,}" for size in workload.sizes)
            values = ", ".join(f"{milliseconds:,.1f}" for milliseconds in times)
            ratio = compare_marginal_times(workload.sizes, times)
            lines.append(f"| {workload.title} | {framework} | {sizes} | {values} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def compare_marginal_times(sizes: tuple[int, ...], times: list[float]) -> float:
    """Return the slope between the last two sizes, divided by the slope up to the last but one."""

    def slope(first: int, last: int) -> float:
        return (times[last] - times[first]) / (sizes[last] - sizes[first])

    return slope(-2, -1) / slope(0, -2)


def plot_times(results: dict[str, Times], path: Path) -> None:
    """Plot the time over the size; where the marginal time is constant, the line is straight."""
    figure, axes = plt.subplots(1, len(WORKLOADS), figsize=(14, 3.4), layout="constrained")
    for plot, workload in zip(axes, WORKLOADS, strict=True):
        for framework, times in results[workload.title].items():
            plot.plot(workload.sizes, times, marker="o", label=framework, color=COLOURS[framework])
        plot.set_title(workload.title)
        plot.set_xlim(0)
        plot.set_ylim(0)
    axes[0].set_ylabel("CPU time, ms")
    axes[0].legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure, print the table, and write table and plot with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two samples instead of seven")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results")
    options = parser.parse_args()
    samples = 2 if options.quick else 7
    with running_server() as server_url:
        results = {
            workload.title: measure_sizes(workload, server_url, samples) for workload in WORKLOADS
        }
    table = format_table(results)
    print(table)
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        plot_link = "![CPU time by size](sizes.png)"
        (RESULTS / "sizes.md").write_text(f"{table}\n{plot_link}\n", encoding="utf-8")
        plot_times(results, RESULTS / "sizes.png")


if __name__ == "__main__":
    main()
