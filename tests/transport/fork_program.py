"""Programs that fork while connections are open, each run in its own process.

They print a line of JSON for each scenario: its name, the result of the parent's call, and the exit
codes of the children. Events of a raw server in the test's process synchronize parent, children and
responses.
"""

import asyncio
import contextlib
import ctypes
import faulthandler
import gc
import importlib.abc
import json
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.transport import wire
from tests.transport.clients import async_gateway, gateway, langchain
from tests.transport.raw_server import control
from xai_lowcode.errors import StreamInterruptedError

CHILD = "child-"
HANG = 30.0
"""Seconds after which a child counts as hanging."""
TIME_LIMIT = 55
"""Seconds after which a program ends itself."""

_inherited_model: Any = None
_worker_model: Any = None


def _print_line(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def call(model: Any, prompt: str) -> str:
    """Make a call; return the echoed prompt."""
    return str(model.invoke(prompt).text).removeprefix(wire.ECHO)


async def acall(model: Any, prompt: str) -> str:
    """Make a call from a coroutine."""
    return str((await model.ainvoke(prompt)).text).removeprefix(wire.ECHO)


def calls_succeed(model: Any, prompts: Sequence[str]) -> bool:
    """Make a sync and an async call; return True if both responses are correct."""
    sync_prompt, async_prompt = prompts
    return (
        call(model, sync_prompt) == sync_prompt
        and asyncio.run(acall(model, async_prompt)) == async_prompt
    )


def _do_not_wait() -> None:
    """Do not wait."""


class Child:
    """A child process; `join` returns its exit code."""

    def __init__(self, join: Callable[[], int]) -> None:
        self.join = join


def close(model: Any) -> None:
    """Close an inherited model, sync and async, and once more."""
    model.close()
    asyncio.run(model.aclose())
    model.close()


class SyncParent:
    """A parent that uses the sync client."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.streams: list[Any] = []

    def call(self, prompt: str) -> str:
        """Make a call."""
        return call(self.model, prompt)

    def begin(self, prompt: str, wait: Callable[[str], None]) -> Callable[[], str]:
        """Begin a call, and wait until its request was received; return what waits for its end."""
        results: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: results.put(self._outcome(prompt))).start()
        wait(f"received-{prompt}")
        return partial(results.get, timeout=HANG)

    def _outcome(self, prompt: str) -> str:
        try:
            return self.call(prompt)
        except Exception as error:  # noqa: BLE001 - the result of the thread
            return f"{type(error).__name__}: {error}"

    def open_stream(self, prompt: str) -> str:
        """Open a stream, and return its first chunk."""
        self.streams.append(iter(self.model.stream(prompt)))
        return str(next(self.streams[-1]).text)

    def rest_of_stream(self) -> str:
        """Return the rest of the stream."""
        return "".join(str(chunk.text) for chunk in self.streams.pop())

    def read_in_child(self) -> None:
        """Read the inherited stream in a child; raise what it raises."""
        for _ in self.streams[-1]:
            pass

    def forget(self) -> None:
        """Drop the model and its streams."""
        self.model = None
        self.streams.clear()

    def in_loop(self, fork: Callable[[], Child]) -> Child:
        """Fork; there is no event loop."""
        return fork()

    def keep_loop(self) -> None:
        """Do nothing: there is no event loop."""


class AsyncParent(SyncParent):
    """A parent that uses the async client, in a loop that does not run while it forks."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.loop = asyncio.new_event_loop()

    def call(self, prompt: str) -> str:
        """Make a call."""
        return str(self.loop.run_until_complete(acall(self.model, prompt)))

    def begin(self, prompt: str, wait: Callable[[str], None]) -> Callable[[], str]:
        """Begin a call, and stop the loop in its middle."""
        task = self.loop.create_task(acall(self.model, prompt))
        self.loop.run_until_complete(asyncio.to_thread(wait, f"received-{prompt}"))
        return partial(self.loop.run_until_complete, task)

    def open_stream(self, prompt: str) -> str:
        """Open a stream, and return its first chunk."""
        self.streams.append(self.model.astream(prompt))
        return str(self.loop.run_until_complete(anext(self.streams[-1])).text)

    def rest_of_stream(self) -> str:
        """Return the rest of the stream."""

        async def read() -> str:
            return "".join([str(chunk.text) async for chunk in self.streams.pop()])

        return self.loop.run_until_complete(read())

    def read_in_child(self) -> None:
        """Read the inherited stream in a loop of the child; raise what it raises."""

        async def read() -> None:
            async for _ in self.streams[-1]:
                pass

        asyncio.run(read())

    def in_loop(self, fork: Callable[[], Child]) -> Child:
        """Fork in a coroutine, which the child does not leave."""

        async def run() -> Child:
            return fork()

        return self.loop.run_until_complete(run())

    def keep_loop(self) -> None:
        """Keep the loop of the parent from being collected in a child.

        asyncio would remove its wake-up pipe from the selector that both processes share.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.loop))


def fork_child(parent: SyncParent, before: Callable[[], None], end: Callable[[], None]) -> Child:
    """Fork a child that calls ``before`` and then ``end``."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return Child(lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    parent.keep_loop()
    signal.alarm(int(HANG))
    try:
        before()
    except BaseException as error:  # noqa: BLE001 - reported by the exit code
        sys.stderr.write(f"child: {type(error).__name__}: {error}\n")
        os._exit(3)
    end()
    os._exit(4)


def end_by_exit() -> None:
    """End as a program ends: exit handlers, finalizers, module teardown."""
    raise SystemExit(0)


def end_by_os_exit() -> None:
    """End without exit handlers and finalizers."""
    os._exit(0)


def end_after_collection(parent: SyncParent) -> None:
    """Drop and collect everything inherited, while the process runs."""
    global _inherited_model  # noqa: PLW0603 - no reference may be left
    _inherited_model = None
    parent.forget()
    gc.collect()
    os._exit(0)


def process_work(model: Any, prompts: Sequence[str], release: Callable[[], None]) -> None:
    """The target of processes of multiprocessing."""
    release()
    if not calls_succeed(model, prompts):
        raise SystemExit(5)


def create_worker_model(base_url: str) -> None:
    """Initialize a worker of a pool: it creates its own model."""
    global _worker_model  # noqa: PLW0603 - initializers pass values so
    _worker_model = langchain(base_url, max_retries=0)


def pool_work(prompts: Sequence[str], release: Callable[[], None], *, inherited: bool) -> bool:
    """A task of a pool, with the worker's own model or the inherited one."""
    release()
    return calls_succeed(_inherited_model if inherited else _worker_model, prompts)


class Scenarios:
    """All scenarios of one parent.

    Args:
        options: ``base_url``; ``port`` of the server with the events; ``client``, sync or async;
            ``children``, pairs of a kind of child, and the parent's situation.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        global _inherited_model  # noqa: PLW0603 - workers of a pool inherit it
        self.options = options
        self.wait = partial(control, options["port"], "wait")
        self.set = partial(control, options["port"], "set")
        _inherited_model = langchain(options["base_url"], max_retries=0)
        kind = AsyncParent if options["client"] == "async" else SyncParent
        self.parent = kind(_inherited_model)

    def run(self) -> None:
        """Run each child in each situation, and print its result."""
        for child, situation in self.options["children"]:
            scenario = {
                "idle connection": self._idle,
                "forked before a call": self._before_call,
                "forked during a call": self._during_call,
                "open stream": self._open_stream,
            }[situation]
            name = f"{child}, {situation}".replace(" ", "-").replace(",", "")
            try:
                result = scenario(name, child)
            except Exception as error:  # noqa: BLE001 - reported in the line
                result = {"error": f"{type(error).__name__}: {error}"}
            _print_line({"name": name, **result})

    def _idle(self, name: str, kind: str) -> dict[str, Any]:
        self.parent.call(f"warm-{name}")
        code = self._start(name, kind).join()
        return {"code": code, "text": self.parent.call(f"next-{name}")}

    def _before_call(self, name: str, kind: str) -> dict[str, Any]:
        self.parent.call(f"warm-{name}")
        child = self._start(name, kind, waits=True)
        end = self.parent.begin(f"slow-{name}", self.wait)
        self.set(f"release-{name}")
        code = child.join()
        self.set(f"go-slow-{name}")
        return {"code": code, "text": end()}

    def _during_call(self, name: str, kind: str) -> dict[str, Any]:
        self.parent.call(f"warm-{name}")
        end = self.parent.begin(f"slow-{name}", self.wait)
        code = self._start(name, kind).join()
        self.set(f"go-slow-{name}")
        return {"code": code, "text": end()}

    def _open_stream(self, name: str, kind: str) -> dict[str, Any]:
        self.parent.call(f"warm-{name}")
        text = self.parent.open_stream(f"slow-{name}")
        code = self._start(name, kind).join()
        self.set(f"go-slow-{name}")
        text += self.parent.rest_of_stream()
        return {"code": code, "text": text.removeprefix(wire.ECHO)}

    def _start(self, name: str, kind: str, *, waits: bool = False) -> Child:
        prompts = (f"{CHILD}sync-{name}", f"{CHILD}async-{name}")
        release = partial(self.wait, f"release-{name}") if waits else _do_not_wait
        model = self.parent.model

        def with_calls() -> None:
            release()
            assert calls_succeed(model, prompts), "a call of the child has another echo"

        def calls_and_close() -> None:
            release()
            close(model)

        def reading() -> None:
            # A child that waited for data would have another error: a timeout.
            with pytest.raises(StreamInterruptedError, match="belongs to the parent process"):
                self.parent.read_in_child()
            with_calls()

        if kind in {"fork", "forkserver", "spawn"}:
            return self._process(kind, prompts, release)
        if kind == "pool":
            return self._pool(prompts, release)
        if kind == "_exit in a running loop":
            return self.parent.in_loop(partial(fork_child, self.parent, with_calls, end_by_os_exit))
        if kind == "collection":
            del model, with_calls, calls_and_close, reading
            return fork_child(self.parent, release, partial(end_after_collection, self.parent))
        before, end = {
            "exit": (with_calls, end_by_exit),
            "exit without calls": (release, end_by_exit),
            "_exit": (with_calls, end_by_os_exit),
            "close": (calls_and_close, end_by_os_exit),
            "read": (reading, end_by_os_exit),
        }[kind]
        return fork_child(self.parent, before, end)

    def _process(self, method: str, prompts: Sequence[str], release: Callable[[], None]) -> Child:
        context: Any = multiprocessing.get_context(method)
        child = context.Process(target=process_work, args=(self.parent.model, prompts, release))
        child.start()

        def join() -> int:
            child.join(HANG)
            return 99 if child.exitcode is None else child.exitcode

        return Child(join)

    def _pool(self, prompts: Sequence[str], release: Callable[[], None]) -> Child:
        pool = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("fork"),
            initializer=create_worker_model,
            initargs=(self.options["base_url"],),
        )
        # The worker is forked here.
        first = pool.submit(pool_work, prompts, release, inherited=False)
        repeated = [f"{prompt}-inherited" for prompt in prompts]
        inherited = pool.submit(pool_work, repeated, _do_not_wait, inherited=True)

        def join() -> int:
            with pool:
                return 0 if first.result(HANG) and inherited.result(HANG) else 5

        return Child(join)


_RECEIVED = "nothing: the request was received"


class PausesInThread(importlib.abc.MetaPathFinder):
    """Pauses the imports of one thread for a moment each, and reports them.

    Meanwhile the thread holds the lock of the module that it imports, and no other.

    Args:
        pause: The seconds that it waits for a fork.
    """

    def __init__(self, pause: float) -> None:
        self.imports: queue.Queue[str | None] = queue.Queue()
        self.forked = threading.Event()
        self.thread: int | None = None
        self.last = "nothing"
        self.waiting: str | None = None
        self._pause = pause
        self._seen: set[str] = set()

    def next_import(self) -> str | None:
        """Wait a moment for an import; return "" if there was none, None if there will be none."""
        try:
            return self.imports.get(timeout=0.002)
        except queue.Empty:
            return ""

    def find_spec(self, fullname: str, *_: Any, **__: Any) -> None:
        """Find nothing, after a pause."""
        package = ".".join(fullname.split(".")[:2])
        if threading.get_ident() == self.thread and package not in self._seen:
            self._seen.add(package)
            self.last = self.waiting = fullname
            self.forked.clear()
            self.imports.put(fullname)
            # Not without a limit: a fork may have to wait for this import.
            self.forked.wait(self._pause)
            self.waiting = None


def _create_first_call(kind: str, base_url: str) -> Callable[[str], str]:
    """Return a function that makes the first call of a component."""
    if kind == "Gateway":
        client = gateway(base_url, max_retries=0)
        return lambda prompt: str(client.retrieve_model(prompt).id)
    if kind == "AsyncGateway":
        aclient = async_gateway(base_url, max_retries=0)

        async def retrieve(prompt: str) -> str:
            return str((await aclient.retrieve_model(prompt)).id)

        return lambda prompt: asyncio.run(retrieve(prompt))
    _warm_up_langchain()
    return partial(call, langchain(base_url, max_retries=0))


def _warm_up_langchain() -> None:
    """Have LangChain import its lazy modules, which the package cannot control."""
    from langchain_core.language_models import FakeListChatModel  # noqa: PLC0415 - only here

    assert FakeListChatModel(responses=["x"]).invoke("x").text == "x"


class ForksDuringFirstCall:
    """Forks at each import of another thread's first call, between imports, and while it waits.

    Args:
        options: ``base_url``; ``port`` of the server with the events; ``kind`` of the component;
            ``forks_between_imports``, their number; ``forked_before``, whether there was a fork
            before, so that the preparations for the first one are done.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._port, self._forks_between_imports = options["port"], options["forks_between_imports"]
        self._make_call = _create_first_call(options["kind"], options["base_url"])
        self._finder = PausesInThread(0.5 if options["forked_before"] else 0.05)
        if options["forked_before"]:
            _fork_once()
        self._children: dict[int, str] = {}

    def run(self) -> None:
        """Print each child and its exit code; one that hangs is ended by a signal."""
        sys.meta_path.insert(0, self._finder)
        for target in (self._first_call, self._report_reception):
            threading.Thread(target=target, daemon=True).start()
        forks = 0
        while (name := self._finder.next_import()) is not None:
            forks += not name
            importing = name and name == self._finder.waiting
            if (
                importing
                or name == _RECEIVED
                or (not name and forks <= self._forks_between_imports)
            ):
                self._fork()
            if name == _RECEIVED:
                control(self._port, "set", "go-parent")
        for child, code in _codes(self._children):
            _print_line({"name": self._children[child], "code": code})

    def _first_call(self) -> None:
        self._finder.thread = threading.get_ident()
        try:
            text = self._make_call("parent")
        except Exception as error:  # noqa: BLE001 - reported in the line
            text = type(error).__name__
        _print_line({"name": "parent", "text": text})
        self._finder.imports.put(None)

    def _report_reception(self) -> None:
        with contextlib.suppress(TimeoutError):
            control(self._port, "wait", "received-parent")
            self._finder.imports.put(_RECEIVED)

    def _fork(self) -> None:
        prompt = f"{CHILD}{len(self._children)}"
        child = os.fork()
        if not child:
            signal.alarm(int(HANG))
            with contextlib.suppress(Exception):
                if self._make_call(prompt) == prompt:
                    os._exit(0)
            os._exit(3)
        self._children[child] = f"{prompt}, when {self._finder.last} had been imported last"
        self._finder.forked.set()


def _fork_once() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _codes(children: dict[int, str]) -> Iterator[tuple[int, int]]:
    end = time.monotonic() + HANG
    left = set(children)
    while left and time.monotonic() < end:
        for child in list(left):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                left.discard(child)
                yield child, os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    for child in left:
        os.kill(child, signal.SIGKILL)
        yield child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Run the program of the first argument, with the options of the second."""
    # A hang prints a traceback. (faulthandler's own timer would itself hang forked children.)
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(TIME_LIMIT)
    options = json.loads(sys.argv[2])
    if sys.argv[1] == "scenarios":
        Scenarios(options).run()
    else:
        ForksDuringFirstCall(options).run()
    _print_line({"name": "the end"})
