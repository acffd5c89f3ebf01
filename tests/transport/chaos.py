"""Random concurrent calls, many of them abandoned, against a server that violates the protocol.

Run it by itself for as many calls as you like::

    python -m tests.transport.chaos 50000 7

The second number is the seed of all random decisions; the order of threads is not determined by it.
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


class MisbehavingServer:
    """A handler that echoes prompts, and sometimes violates the protocol.

    Bytes after a response are sent together with its end, so that they are received before the
    client can use the connection again: using it is an error of the client.
    """

    def __init__(self, seed: int) -> None:
        self.reused: list[str] = []
        self._random = random.Random(seed)  # noqa: S311 - decisions of a test
        self._lock = threading.Lock()

    def __call__(self, connection: Connection, request: Request) -> None:
        if connection.poisoned:
            self.reused.append(request.prompt)
        with self._lock:
            rng = random.Random(self._random.random())  # noqa: S311 - as above
        content_type, parts = wire.echo(request)
        framing: wire.Framing = "chunked" if rng.random() < 0.5 else "length"
        message = wire.message(*parts, content_type=content_type, framing=framing)
        trailing = rng.choice(_TRAILING) if rng.random() < 0.15 else b""
        connection.poisoned = bool(trailing)
        self._send(connection, message, trailing, rng)
        if rng.random() < 0.05:
            connection.close()

    def _send(
        self, connection: Connection, message: bytes, trailing: bytes, rng: random.Random
    ) -> None:
        match rng.randrange(6):
            case 0:
                # The last byte of the response and the trailing bytes are sent together.
                cut = rng.randrange(1, len(message))
                connection.send(message[:cut])
                connection.pause(rng.random() * 0.004)
                connection.send(message[cut:] + trailing)
            case 1:
                connection.pause(rng.random() * 0.004)
                connection.send(message + trailing)
            case _:
                connection.send(message + trailing)


@dataclass
class Outcomes:
    """The outcomes of the calls."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def complete(self, prompt: str, text: str) -> None:
        """Record a complete call."""
        self.outcomes["complete"] += 1
        if text != prompt:
            self.wrong.append(f"{prompt} got {text!r}")

    def abandoned(self, prompt: str, text: str) -> None:
        """Record a call that was abandoned after some text."""
        self.outcomes["abandoned"] += 1
        if not (wire.ECHO + prompt).startswith(text):
            self.wrong.append(f"{prompt} got {text!r}")

    def error(self, prompt: str, error: BaseException) -> None:
        """Record a call that raised."""
        names = {cls.__name__ for cls in type(error).__mro__}
        self.outcomes[type(error).__name__] += 1
        # A connection that closes while a request is sent may fail a call; timeouts are intended.
        if not names & {"APIConnectionError", "CancelledError", "TimeoutError"}:
            self.unexpected.append(f"{prompt}: {type(error).__name__}: {error}")


@dataclass
class Plan:
    """A planned call, and how it is abandoned.

    Attributes:
        prompt: Its unique prompt.
        way: The public method.
        model: The component.
        keep: The number of chunks that are read of a stream; None for all.
        cancel: The seconds after which a task is cancelled; None for never.
        closes: Whether an abandoned async stream is closed, or left to the garbage collector.
    """

    prompt: str
    way: Way
    model: Any
    keep: int | None
    cancel: float | None
    closes: bool


class Chaos:
    """A number of calls, by tasks and threads.

    Args:
        calls: The number of calls.
        seed: The seed of the random decisions.
    """

    def __init__(self, calls: int, seed: int = 1) -> None:
        self.calls = calls
        self.results = Outcomes()
        self.handler = MisbehavingServer(seed)
        self._random = random.Random(seed)  # noqa: S311 - decisions of a test
        self._numbers = iter(range(calls))
        self._lock = threading.Lock()

    def run(self) -> RawServer:
        """Make all calls, and return the server, which is closed, with its counts."""
        with RawServer(self.handler) as server:
            self.models = {
                create: create(server.base_url, max_retries=0)
                for create in (langchain, llama_index, langchain_images, llama_index_images)
            }
            # Its calls end by timeouts.
            self.short_timeout = langchain(server.base_url, max_retries=0, timeout=0.002)
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
            for model in (*self.models.values(), self.short_timeout):
                model.close()
            self.left_open = not server.wait_until_closed()
        return server

    def _ways(self, *, is_async: bool) -> list[Way]:
        return [
            way for way in WAYS.values() if way.is_async == is_async and way.create in self.models
        ]

    def _plan(self, ways: list[Way]) -> Plan | None:
        with self._lock:
            number = next(self._numbers, None)
            rng = random.Random(self._random.random())  # noqa: S311 - as above
        if number is None:
            return None
        way = rng.choice(ways)
        short_timeout = way.create is langchain and rng.random() < 0.1
        return Plan(
            f"prompt-{number:07}",
            way,
            self.short_timeout if short_timeout else self.models[way.create],
            rng.randrange(3) if rng.random() < 0.3 else None,
            rng.random() * 0.02 if rng.random() < 0.3 else None,
            rng.random() < 0.5,
        )

    def _work(self, ways: list[Way], calls: int) -> None:
        for _ in range(calls):
            if (plan := self._plan(ways)) is None:
                return
            try:
                self._call(plan)
            except Exception as error:  # noqa: BLE001 - counted
                self.results.error(plan.prompt, error)

    def _call(self, plan: Plan) -> None:
        if plan.way.kind != "stream":
            self.results.complete(
                plan.prompt, _without_echo(plan.way.send(plan.model, plan.prompt))
            )
            return
        text, abandoned_early = "", False
        for count, chunk in enumerate(plan.way.send(plan.model, plan.prompt)):
            text += chunk
            if count == plan.keep:
                abandoned_early = True
                break
        self._record_stream(plan, text, abandoned_early=abandoned_early)

    def _record_stream(self, plan: Plan, text: str, *, abandoned_early: bool) -> None:
        if abandoned_early:
            self.results.abandoned(plan.prompt, text)
        else:
            self.results.complete(plan.prompt, _without_echo(text))

    async def _run_tasks(self, ways: list[Way], calls: int) -> None:
        calls_left = iter(range(calls))

        async def work() -> None:
            for _ in calls_left:
                if (plan := self._plan(ways)) is None:
                    return
                try:
                    await self._acall_within(plan)
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - counted
                    self.results.error(plan.prompt, error)

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(work())
        for model in (*self.models.values(), self.short_timeout):
            await model.aclose()
        # Streams that were left to the garbage collector are closed by tasks.
        remaining: set[Any] = set()
        for _ in range(500):
            gc.collect()
            remaining = asyncio.all_tasks() - {asyncio.current_task()}
            if not remaining:
                break
            await asyncio.sleep(0.01)
        self.results.unexpected += [f"a task remains: {task}" for task in remaining]

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
            self.results.complete(
                plan.prompt, _without_echo(await plan.way.send(plan.model, plan.prompt))
            )
            return
        stream: Any = plan.way.send(plan.model, plan.prompt)
        async with aclosing(stream) if plan.closes else nullcontext():
            text, abandoned_early = await self._read(stream, plan.keep)
        self._record_stream(plan, text, abandoned_early=abandoned_early)

    async def _read(self, stream: AsyncIterator[str], keep: int | None) -> tuple[str, bool]:
        text, count = "", 0
        async for chunk in stream:
            text += chunk
            if count == keep:
                return text, True
            count += 1
        return text, False


def _without_echo(text: str) -> str:
    return text.removeprefix(wire.ECHO)


def errors_of(chaos: Chaos, server: RawServer) -> list[str]:
    """Return what was wrong, one string for each error."""
    counts = server.counts()
    repeated = [f"{prompt} was sent {count} times" for prompt, count in counts.items() if count > 1]
    reused = [f"{prompt} was sent after trailing bytes" for prompt in chaos.handler.reused]
    errors = [*chaos.results.wrong, *repeated, *reused, *chaos.results.unexpected]
    if chaos.left_open:
        errors.append("connections stay open")
    return errors


def main(arguments: list[str], write: Callable[[str], Any] = print) -> int:
    """Make as many calls as the first argument is."""
    calls, seed = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    started, chaos = time.monotonic(), Chaos(calls, seed)
    server = chaos.run()
    errors = errors_of(chaos, server)
    write(f"{calls} calls in {time.monotonic() - started:.1f} s, seed {seed}")
    write(f"{dict(chaos.results.outcomes)}, {server.connections} connections")
    write(f"{len(errors)} errors")
    for line in errors[:20]:
        write(f"  {line}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
