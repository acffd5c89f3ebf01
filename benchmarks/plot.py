"""Plot the table: ratios of this package and its alternatives, one group of bars per shape."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from alternatives import LangChainLiteLLM, LangChainOpenAI, LangChainXAI, LlamaIndexOpenAILike
from floors import BareLangChain, BareLlamaIndex, HttpxByHand
from ours import OursInLangChain, OursInLlamaIndex

mpl.use("Agg")
import matplotlib.pyplot as plt

FAMILIES = (
    (
        "LangChain",
        BareLangChain,
        (OursInLangChain, LangChainOpenAI, LangChainXAI, LangChainLiteLLM),
    ),
    ("LlamaIndex", BareLlamaIndex, (OursInLlamaIndex, LlamaIndexOpenAILike)),
)
COLOURS = ("#0b7285", "#868e96", "#adb5bd", "#ced4da")


def draw(table: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draws the ratios, on a scale on which twice as much is always the same distance."""
    height = 0.5 + 0.42 * len(table)
    figure, axes = plt.subplots(1, 2, figsize=(12, height), sharey=True, layout="constrained")
    for place, (family, bare, contenders) in zip(axes, FAMILIES, strict=True):
        for number, contender in enumerate(contenders):
            bars = [
                (row, found[contender.name].median / _floor(found, bare.name))
                for row, found in enumerate(table.values())
                if contender.name in found
            ]
            rows = [row + 0.2 * number for row, _ in bars]
            colour = COLOURS[number]
            place.barh(rows, [r for _, r in bars], 0.18, label=contender.name, color=colour)
        place.axvline(1, color="#e03131", linewidth=1)
        place.set_xscale("log", base=2)
        place.set_title(family)
        place.set_xlabel("CPU, as a ratio to httpx by hand + bare framework")
        place.legend(fontsize="small", loc="lower right")
    axes[0].set_yticks([row + 0.2 for row in range(len(table))], list(table))
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=80)


def _floor(found: Mapping[str, Any], bare: str) -> float:
    own = found[bare].median if bare in found else 0
    return float(found[HttpxByHand.name].median + own)
