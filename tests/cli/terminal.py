"""Run a command line on a pseudo-terminal."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from typing import Self

from tests.cli.commands import IMPORTS
from tests.programs import FORKS, ForkedProgram, wait_until_asleep

# The terminal controls the process, so that ctrl-C interrupts it.
PROGRAM = (
    "import fcntl, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "from xai_lowcode.cli import main; main()"
)
INTERRUPT, END_OF_FILE = "\x03", "\x04"


def _start(
    args: tuple[str, ...], env: dict[str, str], terminal: int, stdout: int
) -> subprocess.Popen[bytes] | ForkedProgram:
    if FORKS:
        return ForkedProgram(
            PROGRAM,
            args,
            env=env,
            preload=IMPORTS,
            stdin=terminal,
            stdout=stdout,
            stderr=terminal,
            new_session=True,
        )
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *args],
        env=env,
        stdin=terminal,
        stdout=stdout,
        stderr=terminal,
        start_new_session=True,
    )


class Terminal:
    """A command line with a terminal as its input, output and errors; ``stdout`` replaces it."""

    def __init__(self, *args: str, env: dict[str, str], stdout: int | None = None) -> None:
        self._screen, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (24, 100))
        self.text = ""
        self.process = _start(
            args,
            {**os.environ, "TERM": "dumb", **env},
            terminal,
            terminal if stdout is None else stdout,
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        os.close(self._screen)

    def type(self, keys: str) -> None:
        """Type keys when the command waits for input.

        CPython handles a ctrl-C between the prompt of ``input`` and its wait for keys only with the
        next key.
        """
        wait_until_asleep(self.process.pid)
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Wait until the screen has a text. Return the screen up to its end, and remove it."""
        end = time.monotonic() + seconds
        while text not in self.text:
            assert self._read(end), f"no {text!r} on the screen: {self.text!r}"
        before, _, self.text = self.text.partition(text)
        return before + text

    def wait_for_exit(self, seconds: float = 60) -> tuple[int, str]:
        """Wait until the command ends. Return its exit code and the rest of the screen."""
        end = time.monotonic() + seconds
        while self._read(end):
            pass
        return self.process.wait(seconds), self.text

    def _read(self, end: float) -> bool:
        """Read what the command has written; return False at its end, or if it takes too long."""
        ready, _, _ = select.select([self._screen], [], [], max(0, end - time.monotonic()))
        chunk = b""
        if ready:
            with contextlib.suppress(OSError):
                chunk = os.read(self._screen, 4096)
        self.text += chunk.decode(errors="replace")
        return bool(chunk)
