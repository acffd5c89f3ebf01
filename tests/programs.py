"""Run Python programs as forks of a process that has made their imports.

Starting an interpreter and importing a command line takes ten times as long as most programs of the
tests. A fork is a process like any other: it has its own arguments, environment, streams, signals
and end of the interpreter. But its imports are already made, and its standard streams must be open:
programs that test imports or closed streams need a new interpreter.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Self

ROOT = Path(__file__).parents[1]
FORKS = sys.platform == "linux"
_MAX_REQUEST = 1 << 17


class ForkedProgram:
    """A running program, with the methods of ``subprocess.Popen`` that the tests use.

    Args:
        code: The program.
        args: Its arguments.
        env: Its environment.
        preload: The modules that are imported before the fork.
        stdin: The descriptor of its standard input; None for an empty input.
        stdout: The descriptor of its standard output; None for a pipe.
        stderr: The descriptor of its standard error; None for a pipe.
        new_session: Whether it starts a session, as the first process of a terminal does.
    """

    def __init__(
        self,
        code: str,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        preload: Iterable[str],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        new_session: bool = False,
    ) -> None:
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self._readers: list[threading.Thread] = []
        self._read = {"stdout": "", "stderr": ""}
        streams, opened = [stdin, stdout, stderr], []
        if stdin is None:
            opened.append(os.open(os.devnull, os.O_RDONLY))
            streams[0] = opened[-1]
        for number, name in ((1, "stdout"), (2, "stderr")):
            if streams[number] is None:
                reader, writer = os.pipe()
                setattr(self, name, os.fdopen(reader, encoding="utf-8"))
                opened.append(writer)
                streams[number] = writer
        self._reports, reports = socket.socketpair()
        request = {
            "code": code,
            "args": list(args),
            "env": dict(env),
            "cwd": str(Path.cwd()),
            "new_session": new_session,
        }
        _server(tuple(preload)).send(request, [*streams, reports.fileno()])
        reports.close()
        for descriptor in opened:
            os.close(descriptor)
        self.pid = self._report(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.wait()
        self._close()

    def poll(self) -> int | None:
        """Return the exit code, or None while the program runs."""
        try:
            return self.wait(0.0)
        except TimeoutError:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the program ends, and return the exit code.

        Raises:
            TimeoutError: It did not end in time.
        """
        if self.returncode is None:
            self.returncode = self._report(timeout)
            self._reports.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their ends, wait until the program ends, and return the output.

        Raises:
            TimeoutError: It did not end in time. Another call continues to read.
        """
        end = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._start_readers()
        for thread in self._readers:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        for thread in self._readers:
            thread.join()
        self._close()
        return self._read["stdout"], self._read["stderr"]

    def _start_readers(self) -> None:
        def read_all(name: str, stream: IO[str]) -> None:
            self._read[name] = stream.read()

        for name in self._read:
            stream = getattr(self, name)
            if stream is not None and not stream.closed:
                self._readers.append(
                    threading.Thread(target=read_all, args=(name, stream), daemon=True)
                )
                self._readers[-1].start()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the program."""
        self.send_signal(signal.SIGKILL)

    def _report(self, timeout: float | None) -> int:
        """Return the next number from the parent process: the process id, then the exit code."""
        if timeout == 0.0:
            self._reports.setblocking(False)  # noqa: FBT003 - its signature
        else:
            self._reports.settimeout(timeout)
        try:
            report = self._reports.recv(8)
        except BlockingIOError:
            raise TimeoutError from None
        assert report, "the process that forks programs has ended"
        return int.from_bytes(report, "big", signed=True)

    def _close(self) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def wait_until_asleep(pid: int, seconds: float = 10) -> None:
    """Wait until the main thread of a process sleeps, where the system has ``/proc``; else briefly.

    CPython handles a signal that arrives between two system calls, the second of which waits, only
    after that one.
    """
    status = Path(f"/proc/{pid}/stat")
    end = time.monotonic() + seconds
    time.sleep(0.02)
    while time.monotonic() < end:
        try:
            state = status.read_text().rpartition(")")[2].split()[0]
        except OSError:  # the process has ended
            return
        if state != "R":
            return
        time.sleep(0.005)


def run_program(code: str, *, preload: Iterable[str], timeout: float = 60) -> tuple[int, str, str]:
    """Run a program until it ends; return its exit code, standard output and standard error.

    It is a fork where these tests fork, and has a new interpreter elsewhere.
    """
    process: ForkedProgram | subprocess.Popen[str]
    if FORKS:
        process = ForkedProgram(code, [], env=os.environ, preload=preload)
    else:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    assert process.returncode is not None
    return process.returncode, out, err


class _Server:
    """The process that makes the imports, and forks for each request."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self._requests, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT)]))
        with requests:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.programs", str(requests.fileno()), *preload],
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[requests.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def send(self, request: dict[str, Any], descriptors: list[Any]) -> None:
        """Send a request with descriptors: the three standard streams, and a socket for reports."""
        message = json.dumps(request).encode()
        assert len(message) < _MAX_REQUEST
        socket.send_fds(self._requests, [message], descriptors)

    def close(self) -> None:
        """Close the connection, and wait until the process ends."""
        self._requests.close()
        self._process.wait()


@functools.cache
def _server(preload: tuple[str, ...]) -> _Server:
    return _Server(preload)


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request. Return it in the child; return None when the connection is closed."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MAX_REQUEST, 4)
        if not message:
            return None
        if os.fork() == 0:
            requests.close()
            return _fork_program(json.loads(message), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _fork_program(request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """Fork again, and report process id and exit code; return the request in the new process."""
    *streams, reports = descriptors
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        _report(reports, pid)
        _report(reports, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(reports)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return request


def _report(reports: int, number: int) -> None:
    os.write(reports, number.to_bytes(8, "big", signed=True))


def _run_program(request: dict[str, Any]) -> None:
    """Run the program in this process, as a new interpreter would."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["-c", *request["args"]]
    _open_streams()
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(request["code"], "<string>", "exec"), vars(main))  # noqa: S102 - the test's program


def _open_streams() -> None:
    """Reopen the standard streams: a stream object checks only once what its descriptor is."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        inherited = getattr(sys, name)
        stream = open(  # noqa: SIM115 - until the process ends
            number,
            mode,
            buffering=1 if name == "stderr" else -1,
            encoding=inherited.encoding,
            errors=inherited.errors,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = _serve(requests)
    if request is not None:
        _run_program(request)


if __name__ == "__main__":
    _main()
