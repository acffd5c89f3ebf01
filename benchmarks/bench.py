"""The benchmark: everybody in one run, against one local server, as ratios to what must be paid.

What must be paid is the sum of calling the gateway with httpx by hand and of the bare framework.
Peers are asked without the gateway's envelope, which they cannot read. Run it with ``make bench``,
or ``make bench QUICK=1`` for less than two minutes.
"""

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from alternatives import (
    LangChainLiteLLM,
    LangChainOpenAI,
    LangChainXAI,
    LlamaIndexOpenAILike,
    OpenAISDK,
)
from asking import TOKEN
from floors import (
    BareLangChain,
    BareLlamaIndex,
    ByHandInLangChain,
    ByHandInLlamaIndex,
    HttpxByHand,
)
from measure import Figure, measured, serving
from ours import OursInLangChain, OursInLlamaIndex
from plot import draw
from shapes import SHAPES, Shape
from startup import slope, started

RESULTS = Path(__file__).with_name("results")
PACKAGES = (
    *("httpx", "langchain-core", "llama-index-core", "openai", "langchain-openai"),
    *("langchain-xai", "langchain-litellm", "llama-index-llms-openai-like"),
)
IN_LANGCHAIN = (
    *(OursInLangChain, ByHandInLangChain),
    *(LangChainOpenAI, LangChainXAI, LangChainLiteLLM),
)
IN_LLAMA = (OursInLlamaIndex, ByHandInLlamaIndex, LlamaIndexOpenAILike)
_CALLS = 10_000
Table = dict[str, dict[str, Figure]]
_FRESH = (
    *("fresh process", "import, ms CPU", "modules", "memory, MB"),
    *("first response, ms CPU", "peak memory, MB", "constructing a model, ms"),
)


def main() -> None:
    """Measures, prints the tables, and keeps them with ``--write``."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer shapes, fewer turns")
    options.add_argument("--only", default="", help="shapes whose title holds this")
    options.add_argument("--write", action="store_true", help="keep the tables and a plot")
    given = options.parse_args()
    chosen = [s for s in SHAPES if given.only in s.title and (s.quick or not given.quick)]
    table: Table = {}
    with serving() as address:
        for shape in chosen:
            table[shape.title] = measured(shape, address, quick=given.quick)
            sys.stdout.write("\n".join(rows(shape, table[shape.title])) + "\n")
            sys.stdout.flush()
        fresh = "" if given.only else fresh_table(address, quick=given.quick)
    sys.stdout.write(fresh)
    if given.write:
        keep(table, fresh)


def header() -> list[str]:
    """The head of the table."""
    names = [c.name for c in (*IN_LANGCHAIN, *IN_LLAMA)]
    columns = ["shape", "sum LangChain, us", "sum LlamaIndex, us", *names, f"{OpenAISDK.name} *"]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]


def rows(shape: Shape, found: dict[str, Figure]) -> list[str]:
    """One shape as a row of ratios, with the quartiles of ours."""
    sums = [floor(found, bare.name) for bare in (BareLangChain, BareLlamaIndex)]
    cells = [f"{sums[0]:,.1f}", f"{sums[1]:,.1f}"]
    for contenders, total in ((IN_LANGCHAIN, sums[0]), (IN_LLAMA, sums[1])):
        cells += [ratio(found.get(c.name), total, spread=c is contenders[0]) for c in contenders]
    cells.append(ratio(found.get(OpenAISDK.name), found[HttpxByHand.name].median))
    return [f"| {shape.title} | {' | '.join(cells)} |"]


def floor(found: dict[str, Figure], bare: str) -> float:
    """What must be paid: httpx by hand, and the framework where it takes part."""
    return found[HttpxByHand.name].median + (found[bare].median if bare in found else 0)


def ratio(figure: Figure | None, total: float, *, spread: bool = False) -> str:
    """A figure as a ratio."""
    if figure is None:
        return "-"
    quartiles = f" ({figure.low / total:.2f} to {figure.high / total:.2f})" if spread else ""
    return f"{figure.median / total:.2f}{quartiles}"


def fresh_table(address: str, *, quick: bool) -> str:
    """What fresh processes cost."""
    found = started(address, TOKEN, 1 if quick else 5)
    lines = [
        "",
        f"| {' | '.join(_FRESH)} |",
        f"|{'---|' * len(_FRESH)}",
        *(
            f"| {name} | {one['import']:.0f} | {one['modules']:.0f} | {one['rss']:.0f}"
            f" | {one['first']:.0f} | {one['peak']:.0f} | {one['made']:.2f} |"
            for name, one in found.items()
        ),
        "",
    ]
    if not quick:
        for name, kilobytes in slope(address, TOKEN, _CALLS).items():
            lines.append(f"{name}: {kilobytes:+.3f} KB of memory a call over {_CALLS:,} calls.")
    return "\n".join(lines) + "\n"


def keep(table: Table, fresh: str) -> None:
    """Writes the tables and the plot, with the day, the versions and the machine."""
    RESULTS.mkdir(exist_ok=True)
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    shapes = {shape.title: shape for shape in SHAPES}
    place = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}"
    )
    told = (
        "CPU time of the client, as ratios to the sum of httpx by hand and the bare framework"
        " (*: to httpx by hand alone); medians of turns in one run, in brackets the quartiles."
    )
    lines = [
        "# Results",
        "",
        f"{place}; {versions}.",
        "",
        told,
        "",
        *header(),
        *(row for title, found in table.items() for row in rows(shapes[title], found)),
        fresh,
        "![plot](ratios.png)",
    ]
    (RESULTS / "README.md").write_text("\n".join(lines) + "\n")
    draw(table, RESULTS / "ratios.png")


if __name__ == "__main__":
    sys.stdout.write("\n".join(header()) + "\n")
    main()
