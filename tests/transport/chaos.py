"""Calls of all kinds at once, of which many are given up at random, against a server that cheats.

Run it by itself for as many calls as you like::

    python -m tests.transport.chaos 50000 7

The second number is the seed of all random decisions; which thread comes first is not among them.
"""

import asyncio
import gc
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tests.transport import wire
from tests.transport.clients import (
    WAYS,
    Way,
    langchain,
    langchain_images,
    llama_index,
    llama_index_images,
)
from tests.transport.raw_server import Connection, RawServer, Request

TASKS = 32
THREADS = 4
SHARE_OF_THREADS = 0.25
_TRAILING = (
    wire.message(wire.chat(f"{wire.ECHO}foreign")),
    wire.message(wire.chat(f"{wire.ECHO}foreign"))[:40],
    b"\r\n",
    b"0\r\n\r\n",
    b"garbage after the response\r\n\r\n",
    b"x" * 5_000,
)


class CheatingServer:
    """A handler that echoes prompts, and does what no server should, from time to time.

    Bytes after a response are sent together with its end: they are there before the client can use
    the connection again. So its next use is an error of the client.
    """

    def __init__(self, seed: int) -> None:
        self.reused: list[str] = []
        self._random = random.Random(seed)  # noqa: S311 - decisions of a test
        self._lock = threading.Lock()

    def __call__(self, connection: Connection, request: Request) -> None:
        if connection.poisoned:
            self.reused.append(request.prompt)
        with self._lock:
            dice = random.Random(self._random.random())  # noqa: S311 - as above
        content_type, parts = wire.echo(request)
        framing: wire.Framing = "chunked" if dice.random() < 0.5 else "length"
        message = wire.message(*parts, content_type=content_type, framing=framing)
        trailing = dice.choice(_TRAILING) if dice.random() < 0.15 else b""
        connection.poisoned = bool(trailing)
        self._send(connection, message, trailing, dice)
        if dice.random() < 0.05:
            connection.close()

    def _send(
        self, connection: Connection, message: bytes, trailing: bytes, dice: random.Random
    ) -> None:
        match dice.randrange(6):
            case 0:
                # The last byte of the response and what follows it are never parted.
                cut = dice.randrange(1, len(message))
                connection.send(message[:cut])
                connection.pause(dice.random() * 0.004)
                connection.send(message[cut:] + trailing)
            case 1:
                connection.pause(dice.random() * 0.004)
                connection.send(message + trailing)
            case _:
                connection.send(message + trailing)


@dataclass
class Tally:
    """What came of the calls."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def whole(self, prompt: str, text: str) -> None:
        """Note a call that came to its end."""
        self.outcomes["whole"] += 1
        if text != prompt:
            self.wrong.append(f"{prompt} got {text!r}")

    def part(self, prompt: str, text: str) -> None:
        """Note a call that was given up after some text."""
        self.outcomes["given up"] += 1
        if not (wire.ECHO + prompt).startswith(text):
            self.wrong.append(f"{prompt} got {text!r}")

    def error(self, prompt: str, error: BaseException) -> None:
        """Note a call that raised."""
        names = {cls.__name__ for cls in type(error).__mro__}
        self.outcomes[type(error).__name__] += 1
        # A connection that closes under a request may cost a call, and timeouts are wanted.
        if not names & {"APIConnectionError", "CancelledError", "TimeoutError"}:
            self.unexpected.append(f"{prompt}: {type(error).__name__}: {error}")


@dataclass
class Plan:
    """How a call is made, and given up.

    Attributes:
        prompt: Its unique prompt.
        way: The way.
        model: The component.
        keep: How many chunks of a stream are read; None for all.
        cancel: Seconds after which a task is cancelled; None for never.
        closes: Whether an async stream is closed when it is left, or left to the collector.
    """

    prompt: str
    way: Way
    model: Any
    keep: int | None
    cancel: float | None
    closes: bool


class Chaos:
    """So many calls, by tasks and threads.

    Args:
        calls: How many.
        seed: Of the random decisions.
    """

    def __init__(self, calls: int, seed: int = 1) -> None:
        self.calls = calls
        self.tally = Tally()
        self.cheating = CheatingServer(seed)
        self._random = random.Random(seed)  # noqa: S311 - decisions of a test
        self._numbers = iter(range(calls))
        self._lock = threading.Lock()

    def run(self) -> RawServer:
        """Make all calls; gives the server, which is closed, with its counts."""
        with RawServer(self.cheating) as server:
            self.models = {
                make: make(server.base_url, max_retries=0)
                for make in (langchain, llama_index, langchain_images, llama_index_images)
            }
            # Its calls end by timeouts of their own.
            self.hasty = langchain(server.base_url, max_retries=0, timeout=0.002)
            sync, tasks = self._ways(is_async=False), self._ways(is_async=True)
            limit = int(self.calls * SHARE_OF_THREADS)
            threads = [
                threading.Thread(target=self._work, args=(sync, limit // THREADS))
                for _ in range(THREADS)
            ]
            for thread in threads:
                thread.start()
            asyncio.run(self._run_tasks(tasks, self.calls - limit // THREADS * THREADS))
            for thread in threads:
                thread.join()
            for model in (*self.models.values(), self.hasty):
                model.close()
            self.left_open = not server.wait_until_closed()
        return server

    def _ways(self, *, is_async: bool) -> list[Way]:
        return [
            way for way in WAYS.values() if way.is_async == is_async and way.make in self.models
        ]

    def _plan(self, ways: list[Way]) -> Plan | None:
        with self._lock:
            number = next(self._numbers, None)
            dice = random.Random(self._random.random())  # noqa: S311 - as above
        if number is None:
            return None
        way = dice.choice(ways)
        hasty = way.make is langchain and dice.random() < 0.1
        return Plan(
            f"prompt-{number:07}",
            way,
            self.hasty if hasty else self.models[way.make],
            dice.randrange(3) if dice.random() < 0.3 else None,
            dice.random() * 0.02 if dice.random() < 0.3 else None,
            dice.random() < 0.5,
        )

    def _work(self, ways: list[Way], calls: int) -> None:
        for _ in range(calls):
            if (plan := self._plan(ways)) is None:
                return
            try:
                self._call(plan)
            except Exception as error:  # noqa: BLE001 - counted
                self.tally.error(plan.prompt, error)

    def _call(self, plan: Plan) -> None:
        if plan.way.kind != "stream":
            self.tally.whole(plan.prompt, _echoed(plan.way.send(plan.model, plan.prompt)))
            return
        text, left = "", False
        for count, piece in enumerate(plan.way.send(plan.model, plan.prompt)):
            text += piece
            if count == plan.keep:
                left = True
                break
        self._note_stream(plan, text, left=left)

    def _note_stream(self, plan: Plan, text: str, *, left: bool) -> None:
        if left:
            self.tally.part(plan.prompt, text)
        else:
            self.tally.whole(plan.prompt, _echoed(text))

    async def _run_tasks(self, ways: list[Way], calls: int) -> None:
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                if (plan := self._plan(ways)) is None:
                    return
                try:
                    await self._acall_within(plan)
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - counted
                    self.tally.error(plan.prompt, error)

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(work())
        for model in (*self.models.values(), self.hasty):
            await model.aclose()
        # Streams that were left to the collector are closed by tasks of their own.
        remaining: set[Any] = set()
        for _ in range(500):
            gc.collect()
            remaining = asyncio.all_tasks() - {asyncio.current_task()}
            if not remaining:
                break
            await asyncio.sleep(0.01)
        self.tally.unexpected += [f"a task remains: {task}" for task in remaining]

    async def _acall_within(self, plan: Plan) -> None:
        call = self._acall(plan)
        if plan.cancel is None:
            await call
            return
        if plan.keep is None:
            await asyncio.wait_for(call, plan.cancel)
            return
        task = asyncio.create_task(call)
        asyncio.get_running_loop().call_later(plan.cancel, task.cancel)
        await task

    async def _acall(self, plan: Plan) -> None:
        if plan.way.kind != "stream":
            self.tally.whole(plan.prompt, _echoed(await plan.way.send(plan.model, plan.prompt)))
            return
        stream: Any = plan.way.send(plan.model, plan.prompt)
        async with aclosing(stream) if plan.closes else nullcontext():
            text, left = await self._read(stream, plan.keep)
        self._note_stream(plan, text, left=left)

    async def _read(self, stream: AsyncIterator[str], keep: int | None) -> tuple[str, bool]:
        text, count = "", 0
        async for piece in stream:
            text += piece
            if count == keep:
                return text, True
            count += 1
        return text, False


def _echoed(text: str) -> str:
    return text.removeprefix(wire.ECHO)


def complaints(chaos: Chaos, server: RawServer) -> list[str]:
    """What was wrong, in a line each."""
    counts = server.counts()
    repeated = [f"{prompt} was sent {count} times" for prompt, count in counts.items() if count > 1]
    reused = [f"{prompt} was sent after trailing bytes" for prompt in chaos.cheating.reused]
    found = [*chaos.tally.wrong, *repeated, *reused, *chaos.tally.unexpected]
    if chaos.left_open:
        found.append("connections stay open")
    return found


def main(arguments: list[str], say: Callable[[str], Any] = print) -> int:
    """Run as many calls as the first argument says."""
    calls, seed = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    began, chaos = time.monotonic(), Chaos(calls, seed)
    server = chaos.run()
    found = complaints(chaos, server)
    say(f"{calls} calls in {time.monotonic() - began:.1f} s, seed {seed}")
    say(f"{dict(chaos.tally.outcomes)}, {server.connections} connections")
    say(f"{len(found)} complaints")
    for line in found[:20]:
        say(f"  {line}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
