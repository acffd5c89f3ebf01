"""The shapes of use that are measured: what is asked, how often in a turn, and what one unit is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from asking import Contender, gather

Ask = Callable[[Contender, asyncio.Runner], Any]


@dataclass(frozen=True)
class Shape:
    """One row of the table.

    Attributes:
        title: Its name.
        scenario: The server's way to answer.
        ask: One turn's asking.
        units: Calls or chunks in a turn, by which its time is divided.
        chunks: Pieces of a stream; the bare frameworks make as many.
        cold: Whether everybody begins each turn without connections.
        wall: Whether the clock on the wall is read instead of CPU time.
        api: The wire form.
        quick: Whether it is part of the quick mode.
    """

    title: str
    scenario: str
    ask: Ask
    units: int
    chunks: int = 200
    cold: bool = False
    wall: bool = False
    api: str = "responses"
    quick: bool = True


def _calls(times: int, method: str) -> Ask:
    def ask(contender: Contender, _: asyncio.Runner) -> None:
        call = getattr(contender, method)
        for _ in range(times):
            call()

    return ask


def _at_once(times: int, method: str) -> Ask:
    def ask(contender: Contender, runner: asyncio.Runner) -> None:
        runner.run(gather(getattr(contender, method), times))

    return ask


def _first(contender: Contender, _: asyncio.Runner) -> None:
    # Kept until it is read, so that closing it does not count.
    next(iter(contender.first()))


_sync = partial(_calls, method="invoke")
_stream = partial(_calls, method="stream")
_async = partial(_at_once, method="ainvoke")

_SHAPES = (
    Shape("short response", "short", _sync(40), 40),
    Shape("stream of 200 chunks, a chunk", "s200", _stream(5), 1_000),
    Shape("stream of 5,000 chunks, a chunk", "s5000", _stream(1), 5_000, 5_000, quick=False),
    Shape("stream, a chunk each millisecond, a chunk", "paced", _stream(1), 200, quick=False),
    Shape("first chunk of a stream, wall time", "paced", _first, 1, wall=True, quick=False),
    Shape("500 messages + 20 tools", "short", _calls(5, "history"), 5),
    Shape("response with two tool calls", "calls", _sync(20), 20, quick=False),
    Shape("response of 1 MB", "long", _sync(5), 5),
    Shape("image of 1.5 MB", "picture", _calls(3, "picture"), 3),
    Shape("200 concurrent async calls, warm, a call", "slow", _async(200), 200),
    Shape("1,000 concurrent async calls, warm, a call", "slow", _async(1_000), 1_000, quick=False),
    Shape(
        "1,000 concurrent async calls, cold pool, a call",
        "slow",
        _async(1_000),
        1_000,
        cold=True,
        quick=False,
    ),
    Shape("100 concurrent streams, a chunk", "s200", _at_once(100, "astream"), 20_000, quick=False),
    Shape("short response, Messages API", "short", _sync(40), 40, api="messages", quick=False),
    Shape("stream, Messages API, a chunk", "s200", _stream(5), 1_000, api="messages", quick=False),
)

# The API of the default and Chat Completions side by side; the alternatives have the latter alone.
SHAPES = tuple(
    variant
    for shape in _SHAPES
    for variant in (
        (
            shape,
            replace(shape, title=f"{shape.title}, Chat Completions API", api="chat_completions"),
        )
        if shape.api == "responses" and shape.scenario != "picture"
        else (shape,)
    )
)
