"""Measuring: a server of its own, everybody in turns, CPU time, medians with their spread."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns, process_time_ns

from alternatives import (
    LangChainLiteLLM,
    LangChainOpenAI,
    LangChainXAI,
    LlamaIndexOpenAILike,
    OpenAISDK,
)
from asking import Contender
from floors import (
    BareLangChain,
    BareLlamaIndex,
    ByHandInLangChain,
    ByHandInLlamaIndex,
    HttpxByHand,
)
from ours import OursInLangChain, OursInLlamaIndex
from shapes import Shape

ALTERNATIVES = (OpenAISDK, LangChainOpenAI, LangChainXAI, LangChainLiteLLM, LlamaIndexOpenAILike)


@dataclass(frozen=True)
class Figure:
    """What one contender took for one shape, in microseconds a unit."""

    median: float
    low: float
    high: float


@contextmanager
def serving() -> Iterator[str]:
    """A server in a process of its own; gives its address."""
    script = Path(__file__).with_name("server.py")
    server = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


def makers(shape: Shape, address: str, *, quick: bool) -> dict[str, Callable[[], Contender]]:
    """How to make everybody who takes part in a shape; alternatives have chat completions alone."""
    at = f"{address}/{shape.scenario}"
    found: dict[str, Callable[[], Contender]] = {
        HttpxByHand.name: lambda: HttpxByHand(at, shape.api),
        BareLangChain.name: lambda: BareLangChain(shape.chunks),
        BareLlamaIndex.name: lambda: BareLlamaIndex(shape.chunks),
        ByHandInLangChain.name: lambda: ByHandInLangChain(at, shape.api),
        ByHandInLlamaIndex.name: lambda: ByHandInLlamaIndex(at, shape.api),
        OursInLangChain.name: lambda: OursInLangChain(at, shape.api),
        OursInLlamaIndex.name: lambda: OursInLlamaIndex(at, shape.api),
    }
    if shape.api == "chat_completions":
        alternatives = [
            alternative for alternative in ALTERNATIVES if not (quick and alternative.slow)
        ]
        found.update({alternative.name: _maker(alternative, at) for alternative in alternatives})
    return found


def _maker(alternative: Callable[[str], Contender], at: str) -> Callable[[], Contender]:
    return lambda: alternative(at)


def measured(shape: Shape, address: str, *, quick: bool) -> dict[str, Figure]:
    """Measures one shape: everybody once unmeasured, then in turns.

    Args:
        shape: The shape.
        address: The server's.
        quick: Whether two seconds and three turns must do instead of eight and fifteen. No turn
            begins after them; whoever needs a quarter of the time for the turn that is not
            measured has that turn counted, and no other.
    """
    turns, seconds = (3, 2) if quick else (15, 8)
    making = makers(shape, address, quick=quick)
    with asyncio.Runner() as runner:
        ready = {name: make() for name, make in making.items()}
        first = {name: _first(shape, one, runner) for name, one in ready.items()}
        samples = {
            name: [] if took < seconds / 4 * 1e6 / shape.units else [took]
            for name, took in first.items()
            if took is not None
        }
        in_turns = [name for name, taken in samples.items() if not taken]
        begun = perf_counter_ns()
        for _ in range(turns):
            for name in in_turns:
                contender = making[name]() if shape.cold else ready[name]
                samples[name].append(_sample(shape, contender, runner))
            if perf_counter_ns() - begun > seconds * 1e9:
                break
    return {name: _figure(taken) for name, taken in samples.items()}


def _first(shape: Shape, contender: Contender, runner: asyncio.Runner) -> float | None:
    """What a first turn takes; None if the contender cannot do it."""
    try:
        return _sample(shape, contender, runner)
    except NotImplementedError:
        return None
    except Exception as error:  # noqa: BLE001 - a contender that fails takes no part, and is named
        sys.stderr.write(f"{shape.title}: {contender.name} fails: {type(error).__name__}\n")
        return None


def _sample(shape: Shape, contender: Contender, runner: asyncio.Runner) -> float:
    gc.collect()
    clock = perf_counter_ns if shape.wall else process_time_ns
    begun = clock()
    shape.ask(contender, runner)
    return (clock() - begun) / 1_000 / shape.units


def _figure(taken: list[float]) -> Figure:
    low, _, high = quantiles(taken, n=4) if len(taken) > 1 else (taken[0],) * 3
    return Figure(median(taken), low, high)
