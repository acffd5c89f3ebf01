"""Sessions in a process of their own, which trusts the test's authority and holds nothing else.

TLS contexts and peaks of memory belong to a process; pytest's has made its own long before.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from tests.transport.clients import LoopRuns, Outcome, Session

ROOT = Path(__file__).parents[2]
_PROGRAM = "from tests.transport.remote_client import main; main()"
_PATIENCE = 60.0


def environment(**variables: str) -> dict[str, str]:
    """Variables for a process that imports the tests, and knows no gateway and no proxy."""
    unwanted = ("LOWCODEAPI", "PROXY", "SSL_CERT")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.upper() for word in unwanted)
    }
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT)]))
    return {**kept, "PYTHONPATH": path, **variables}


class RemoteClient:
    """A process that makes calls on request; threads may share it."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._asked = 0

    def __enter__(self) -> Self:
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=environment(**self._variables),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        _stream(self._process.stdin).close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        _stream(self._process.stdout).close()
        self._complaints.close()

    def session(
        self, way: str, base_url: str, *, loop: LoopRuns = "during calls", **options: Any
    ) -> "RemoteSession":
        """Open a session there."""
        opened = self.ask(action="open", way=way, base_url=base_url, loop=loop, options=options)
        return RemoteSession(self, opened["session"])

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Have something done there, and wait for its result.

        Raises:
            RuntimeError: It failed there, not as the outcome of a call.
        """
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            self._asked += 1
            self._waiting[self._asked] = answer
            print(
                json.dumps({"id": self._asked, **fields}),
                file=_stream(self._process.stdin),
                flush=True,
            )
        done = answer.result(_PATIENCE)
        if "defect" in done:
            raise RuntimeError(done["defect"])
        return done

    def _read(self) -> None:
        for line in _stream(self._process.stdout):
            done = json.loads(line)
            with self._lock:
                waiting = self._waiting.pop(done["id"])
            waiting.set_result(done)
        self._complaints.seek(0)
        ended = {"defect": f"the process has ended: {self._complaints.read()}"}
        with self._lock:
            for waiting in self._waiting.values():
                waiting.set_result(ended)


class RemoteSession:
    """A session in the other process."""

    def __init__(self, remote: RemoteClient, number: int) -> None:
        self._remote, self._number = remote, number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def call(self, prompt: str) -> Outcome:
        """Make a call there."""
        done = self._remote.ask(action="call", session=self._number, prompt=prompt)
        return Outcome(**{**done["outcome"], "classes": tuple(done["outcome"]["classes"])})

    def close(self) -> None:
        """Close the session there."""
        self._remote.ask(action="close", session=self._number)


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


class _Sessions:
    """What the other process does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}
        # One thread for each session: an event loop stays in its thread.
        self._threads: dict[int, ThreadPoolExecutor] = {}

    def open(self, order: Mapping[str, Any]) -> dict[str, Any]:
        number = order["id"]
        session = Session(order["way"], order["base_url"], loop=order["loop"], **order["options"])
        with self._lock:
            self._sessions[number], self._threads[number] = session, ThreadPoolExecutor(1)
        return {"session": number}

    def call(self, order: Mapping[str, Any]) -> dict[str, Any]:
        number = order["session"]
        return self._threads[number].submit(self._call, number, order["prompt"]).result()

    def _call(self, number: int, prompt: str) -> dict[str, Any]:
        before = _memory("VmRSS", reset_peak=True)
        outcome = self._sessions[number].call(prompt)
        return {"outcome": {**asdict(outcome), "peak": _memory("VmHWM") - before}}

    def close(self, order: Mapping[str, Any]) -> dict[str, Any]:
        number = order["session"]
        with self._lock:
            session, thread = self._sessions.pop(number), self._threads.pop(number)
        thread.submit(session.close).result()
        thread.shutdown()
        return {}


def _memory(field: str, *, reset_peak: bool = False) -> int:
    """Bytes of this process: its size now (VmRSS), or its largest since the peak was reset."""
    if reset_peak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main() -> None:
    """Do what the lines of the standard input say, several at a time."""
    sessions, lock = _Sessions(), threading.Lock()

    def do(order: dict[str, Any]) -> None:
        try:
            done = getattr(sessions, order["action"])(order)
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            done = {"defect": f"{type(error).__name__}: {error}"}
        with lock:
            sys.stdout.write(json.dumps({"id": order["id"], **done}) + "\n")
            sys.stdout.flush()

    with ThreadPoolExecutor(32) as pool:
        for line in sys.stdin:
            pool.submit(do, json.loads(line))
    # A session that was left open would be waited for.
    sys.stdout.flush()
    os._exit(0)
