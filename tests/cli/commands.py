"""Run command lines in a process, connected to an emulator, and interrupt them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

from typer.testing import Result

from xai_lowcode.emulator import Emulator

Run = Callable[..., Result]
PROGRAM = (sys.executable, "-c", "from xai_lowcode.cli import main; main()")


def connected_to(gateway: Emulator, token: str | None = None) -> dict[str, str]:
    """Return the environment variables for a gateway."""
    return {
        "LOWCODEAPI_API_TOKEN": token or gateway.api_token,
        "LOWCODEAPI_BASE_URL": gateway.base_url,
    }


def start_process(
    *args: str,
    env: dict[str, str] | None = None,
    program: tuple[str, ...] = PROGRAM,
    stdout: int | IO[str] = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a command line in a new process, without standard input."""
    return subprocess.Popen(
        [*program, *args],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(ready: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``ready`` returns True."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "the command was not ready in time"
        time.sleep(0.01)


def interrupt(
    command: subprocess.Popen[str], ready: Callable[[], bool], seconds: float = 20
) -> tuple[int, str, str]:
    """Send SIGINT as soon as ``ready`` returns True. Return exit code, stdout and stderr."""
    wait_until(lambda: ready() or command.poll() is not None, seconds)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=seconds)
    return command.returncode, out, err
