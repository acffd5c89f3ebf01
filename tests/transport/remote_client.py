"""Sessions in another process, which trusts the test's authority and does nothing else.

TLS contexts and memory peaks belong to a process, and pytest's process has others already.
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
_TIMEOUT = 60.0


def environment(**variables: str) -> dict[str, str]:
    """Return variables for a process that imports the tests, without a gateway or a proxy."""
    removed = ("LOWCODEAPI", "PROXY", "SSL_CERT")
    variables_of_process = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.upper() for word in removed)
    }
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT)]))
    return {**variables_of_process, "PYTHONPATH": path, **variables}


class RemoteClient:
    """A process that makes calls; several threads may use it."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        self._lock = threading.Lock()
        self._pending: dict[int, Future[dict[str, Any]]] = {}
        self._last_id = 0

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=environment(**self._variables),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        _stream(self._process.stdin).close()
        try:
            self._process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        _stream(self._process.stdout).close()
        self._stderr.close()

    def session(
        self, way: str, base_url: str, *, loop: LoopRuns = "during calls", **options: Any
    ) -> "RemoteSession":
        """Open a session in the process."""
        response = self.send(action="open", way=way, base_url=base_url, loop=loop, options=options)
        return RemoteSession(self, response["session"])

    def send(self, **fields: Any) -> dict[str, Any]:
        """Send a request to the process, and return its result.

        Raises:
            RuntimeError: The process failed, other than by the outcome of a call.
        """
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            self._last_id += 1
            self._pending[self._last_id] = future
            print(
                json.dumps({"id": self._last_id, **fields}),
                file=_stream(self._process.stdin),
                flush=True,
            )
        result = future.result(_TIMEOUT)
        if "defect" in result:
            raise RuntimeError(result["defect"])
        return result

    def _read(self) -> None:
        for line in _stream(self._process.stdout):
            result = json.loads(line)
            with self._lock:
                pending = self._pending.pop(result["id"])
            pending.set_result(result)
        self._stderr.seek(0)
        failure = {"defect": f"the process has ended: {self._stderr.read()}"}
        with self._lock:
            for pending in self._pending.values():
                pending.set_result(failure)


class RemoteSession:
    """A session in the other process."""

    def __init__(self, remote: RemoteClient, number: int) -> None:
        self._remote, self._number = remote, number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def call(self, prompt: str) -> Outcome:
        """Make a call in the process."""
        result = self._remote.send(action="call", session=self._number, prompt=prompt)
        return Outcome(**{**result["outcome"], "classes": tuple(result["outcome"]["classes"])})

    def close(self) -> None:
        """Close the session in the process."""
        self._remote.send(action="close", session=self._number)


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


class _Sessions:
    """The sessions in the other process; its methods are the actions of requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}
        # One thread for each session, since an event loop stays in its thread.
        self._threads: dict[int, ThreadPoolExecutor] = {}

    def open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        number = request["id"]
        session = Session(
            request["way"], request["base_url"], loop=request["loop"], **request["options"]
        )
        with self._lock:
            self._sessions[number], self._threads[number] = session, ThreadPoolExecutor(1)
        return {"session": number}

    def call(self, request: Mapping[str, Any]) -> dict[str, Any]:
        number = request["session"]
        return self._threads[number].submit(self._call, number, request["prompt"]).result()

    def _call(self, number: int, prompt: str) -> dict[str, Any]:
        before = _memory("VmRSS", reset_peak=True)
        outcome = self._sessions[number].call(prompt)
        return {"outcome": {**asdict(outcome), "peak": _memory("VmHWM") - before}}

    def close(self, request: Mapping[str, Any]) -> dict[str, Any]:
        number = request["session"]
        with self._lock:
            session, thread = self._sessions.pop(number), self._threads.pop(number)
        thread.submit(session.close).result()
        thread.shutdown()
        return {}


def _memory(field: str, *, reset_peak: bool = False) -> int:
    """Return bytes of this process: the current size (VmRSS), or the peak since the last reset."""
    if reset_peak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main() -> None:
    """Process the requests on standard input, several at a time."""
    sessions, lock = _Sessions(), threading.Lock()

    def process(request: dict[str, Any]) -> None:
        try:
            result = getattr(sessions, request["action"])(request)
        except Exception as error:  # noqa: BLE001 - reported to the caller
            result = {"defect": f"{type(error).__name__}: {error}"}
        with lock:
            sys.stdout.write(json.dumps({"id": request["id"], **result}) + "\n")
            sys.stdout.flush()

    with ThreadPoolExecutor(32) as pool:
        for line in sys.stdin:
            pool.submit(process, json.loads(line))
    # Otherwise a session that was left open would block.
    sys.stdout.flush()
    os._exit(0)
