"""Tables and a plot of the measurements."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import matplotlib as mpl

from benchmarks.baselines import HttpxClient
from benchmarks.implementations import FRAMEWORKS, OpenAIClient
from benchmarks.measurement import Measurements, Statistics, baseline
from benchmarks.startup import Startup

mpl.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).with_name("results")
_PACKAGES = (
    *("httpx", "langchain-core", "llama-index-core", "openai", "langchain-openai"),
    *("langchain-xai", "langchain-litellm", "llama-index-llms-openai-like"),
)
_DESCRIPTION = (
    "CPU time of each client as a ratio to the baseline: httpx plus the bare framework, for the"
    " openai SDK httpx alone. Each figure is the median of interleaved samples of one run, with the"
    " quartiles in brackets. Baselines are per call, or per chunk where the workload says so. A"
    ' client with "-" does not support the workload, or failed.'
    " [How this is measured](../../docs/performance.md)"
)
_STARTUP_COLUMNS = (
    *("new process", "import, ms CPU", "modules", "memory, MB"),
    *("first response, ms CPU", "peak memory, MB", "constructing a model, ms"),
)
_COLOURS = ("#0b7285", "#868e96", "#adb5bd", "#ced4da")


def format_header() -> str:
    """Return the header of the table of workloads."""
    columns = [
        "workload",
        *(f"baseline {framework.name}, us" for framework in FRAMEWORKS),
        *(
            client.name
            for framework in FRAMEWORKS
            for client in (framework.package, framework.minimal, *framework.alternatives)
        ),
        OpenAIClient.name,
    ]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def format_row(title: str, measurements: Measurements) -> str:
    """Return the row of a workload: baselines, and ratios to them."""
    baselines = [baseline(measurements, framework) for framework in FRAMEWORKS]
    cells = [f"{value:,.1f}" for value in baselines]
    for framework, value in zip(FRAMEWORKS, baselines, strict=True):
        package = measurements.get(framework.package.name)
        cells.append(_format_ratio(package, value, with_quartiles=True))
        cells += [
            _format_ratio(measurements.get(client.name), value)
            for client in (framework.minimal, *framework.alternatives)
        ]
    sdk = measurements.get(OpenAIClient.name)
    cells.append(_format_ratio(sdk, measurements[HttpxClient.name].median))
    return f"| {title} | {' | '.join(cells)} |"


def _format_ratio(
    statistics: Statistics | None, reference: float, *, with_quartiles: bool = False
) -> str:
    if statistics is None:
        return "-"
    ratio = f"{statistics.median / reference:.2f}"
    if not with_quartiles:
        return ratio
    lower, upper = statistics.lower_quartile / reference, statistics.upper_quartile / reference
    return f"{ratio} ({lower:.2f} to {upper:.2f})"


def format_startup(processes: Mapping[str, Startup], memory_growth: Mapping[str, float]) -> str:
    """Return the table of new processes, and the memory growth in KB per call."""
    lines = [
        f"| {' | '.join(_STARTUP_COLUMNS)} |",
        f"|{'---|' * len(_STARTUP_COLUMNS)}",
        *(
            f"| {name} | {process.import_time:.0f} | {process.modules:.0f}"
            f" | {process.memory:.0f} | {process.first_response:.0f}"
            f" | {process.peak_memory:.0f} | {process.construction:.2f} |"
            for name, process in processes.items()
        ),
        "",
        *(
            f"{name}: memory grows by {kilobytes:.3f} KB per call."
            for name, kilobytes in memory_growth.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def write_results(results: Mapping[str, Measurements], startup: str) -> None:
    """Write the tables and the plot to ``benchmarks/results``.

    Args:
        results: Measurements by the title of the workload.
        startup: The table of new processes.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    environment = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}"
    )
    rows = "\n".join(format_row(title, measurements) for title, measurements in results.items())
    text = (
        f"# Benchmark results\n\n{environment}; {versions}.\n\n{_DESCRIPTION}\n\n"
        f"{format_header()}\n{rows}\n\n{startup}\n![Ratios by workload and client](ratios.png)\n"
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "README.md").write_text(text, encoding="utf-8")
    plot_ratios(results, RESULTS / "ratios.png")


def plot_ratios(results: Mapping[str, Measurements], path: Path) -> None:
    """Plot the ratios of this package and its alternatives, on a logarithmic scale."""
    height = 0.5 + 0.42 * len(results)
    figure, axes = plt.subplots(1, 2, figsize=(12, height), sharey=True, layout="constrained")
    for plot, framework in zip(axes, FRAMEWORKS, strict=True):
        for number, client in enumerate((framework.package, *framework.alternatives)):
            ratios = {
                row + 0.2 * number: measured[client.name].median / baseline(measured, framework)
                for row, measured in enumerate(results.values())
                if client.name in measured
            }
            colour = _COLOURS[number]
            plot.barh(list(ratios), list(ratios.values()), 0.18, label=client.name, color=colour)
        plot.axvline(1, color="#e03131", linewidth=1)
        plot.set_xscale("log", base=2)
        plot.set_title(framework.name)
        plot.set_xlabel("CPU time, as a ratio to httpx + bare framework")
        plot.legend(fontsize="small", loc="lower right")
    axes[0].set_yticks([row + 0.2 for row in range(len(results))], list(results))
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=80)
