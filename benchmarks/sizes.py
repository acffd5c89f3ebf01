"""How cost grows: the same at four sizes each, alone, as a picture with a table.

What a chunk, a message, a tool or a call at once costs must not depend on how many there are.
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
from asking import HISTORY, TOOLS, gather
from canned import SIZES_OF_STREAMS
from measure import serving
from models import langchain_history, llama_history, llama_tools
from ours import OursInLangChain, OursInLlamaIndex

mpl.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).with_name("results")
COLOURS = {"LangChain": "#0b7285", "LlamaIndex": "#e8590c"}
Ours = OursInLangChain | OursInLlamaIndex
# Asks once; the runner is for what is asked at once.
Turn = Callable[[asyncio.Runner], Any]


@dataclass(frozen=True)
class Growth:
    """One thing of which there may be more.

    Attributes:
        title: What grows.
        sizes: How many of it.
        scenario: The server's way to answer, which may depend on the size.
        turn: Makes the asking, before the clock runs.
    """

    title: str
    sizes: tuple[int, ...]
    scenario: Callable[[int], str]
    turn: Callable[[Ours, int], Turn]


def _stream(ours: Ours, _: int) -> Turn:
    return lambda _: ours.stream()


def _messages(ours: Ours, count: int) -> Turn:
    history = [HISTORY[number % 2] for number in range(count - 1)] + HISTORY[:1]
    if isinstance(ours, OursInLangChain):
        messages = langchain_history(history)
        return lambda _: ours.model.invoke(messages)
    chat = llama_history(history)
    return lambda _: ours.model.chat(chat)


def _tools(ours: Ours, count: int) -> Turn:
    """Tools are bound anew each time, as an agent does that is made for one question."""
    tools = [
        {**TOOLS[0], "function": {**TOOLS[0]["function"], "name": f"tool_{number}"}}
        for number in range(count)
    ]
    if isinstance(ours, OursInLangChain):
        return lambda _: ours.model.bind_tools(tools).invoke("Hello?")
    made = llama_tools(tools)
    return lambda _: ours.model.chat_with_tools(made, chat_history=ours.question)


def _at_once(ours: Ours, count: int) -> Turn:
    return lambda runner: runner.run(gather(ours.ainvoke, count))


GROWTHS = (
    Growth("chunks of a stream", SIZES_OF_STREAMS, lambda size: f"s{size}", _stream),
    Growth("messages", (50, 200, 800, 3_200), lambda _: "short", _messages),
    Growth("tools", (5, 20, 80, 320), lambda _: "short", _tools),
    Growth("concurrent calls", (25, 100, 400, 1_600), lambda _: "slow", _at_once),
)


def grown(growth: Growth, address: str, turns: int) -> dict[str, list[float]]:
    """Milliseconds of CPU at each size, for both frameworks; medians."""
    found: dict[str, list[float]] = {name: [] for name in COLOURS}
    for size in growth.sizes:
        at = f"{address}/{growth.scenario(size)}"
        for name, kind in zip(COLOURS, (OursInLangChain, OursInLlamaIndex), strict=True):
            with asyncio.Runner() as runner:
                turn = growth.turn(kind(at), size)
                turn(runner)
                found[name].append(median(_timed(turn, runner) for _ in range(turns)))
    return found


def _timed(turn: Turn, runner: asyncio.Runner) -> float:
    gc.collect()
    begun = process_time_ns()
    turn(runner)
    return (process_time_ns() - begun) / 1e6


def table_of(found: dict[str, dict[str, list[float]]]) -> str:
    """The figures, and what one more of each costs at the end as a ratio to the beginning."""
    lines = ["| what grows | framework | sizes | ms of CPU | one more, last to first step |"]
    lines.append("|---|---|---|---|---|")
    for growth in GROWTHS:
        for name, taken in found[growth.title].items():
            sizes = ", ".join(f"{size:,}" for size in growth.sizes)
            figures = ", ".join(f"{ms:,.1f}" for ms in taken)
            lines.append(
                f"| {growth.title} | {name} | {sizes} | {figures}"
                f" | {_steepening(growth.sizes, taken):.2f} |"
            )
    return "\n".join(lines) + "\n"


def _steepening(sizes: tuple[int, ...], taken: list[float]) -> float:
    def slope(first: int, last: int) -> float:
        return (taken[last] - taken[first]) / (sizes[last] - sizes[first])

    return slope(-2, -1) / slope(0, -2)


def draw(found: dict[str, dict[str, list[float]]], path: Path) -> None:
    """One small picture for each, with straight lines where cost is even."""
    figure, axes = plt.subplots(1, len(GROWTHS), figsize=(14, 3.4), layout="constrained")
    for place, growth in zip(axes, GROWTHS, strict=True):
        for name, taken in found[growth.title].items():
            place.plot(growth.sizes, taken, marker="o", label=name, color=COLOURS[name])
        place.set_title(growth.title)
        place.set_xlim(0)
        place.set_ylim(0)
    axes[0].set_ylabel("CPU, ms")
    axes[0].legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measures, prints the table, and keeps the picture and the table with ``--write``."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="two turns instead of seven")
    options.add_argument("--write", action="store_true", help="keep the table and the picture")
    given = options.parse_args()
    with serving() as address:
        turns = 2 if given.quick else 7
        found = {growth.title: grown(growth, address, turns) for growth in GROWTHS}
    table = table_of(found)
    print(table)
    if given.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "sizes.md").write_text(f"{table}\n![plot](sizes.png)\n")
        draw(found, RESULTS / "sizes.png")


if __name__ == "__main__":
    main()
