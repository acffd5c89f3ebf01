"""Run command lines in a process, connected to an emulator, and interrupt them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

from typer.testing import Result

from tests.programs import FORKS, ForkedProgram, wait_until_asleep
from xai_lowcode.emulator import Emulator

Run = Callable[..., Result]
Process = subprocess.Popen[str] | ForkedProgram
PROGRAM = (sys.executable, "-c", "from xai_lowcode.cli import main; main()")
# All modules that the commands import.
IMPORTS = (
    *(
        "xai_lowcode.cli",
        "xai_lowcode.api.client",
        "xai_lowcode.chat.model",
        "xai_lowcode.emulator",
    ),
    *("httpx", "rich.console", "rich.progress", "rich.table"),
)


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
    stdout: IO[str] | None = None,
    fork: bool = FORKS,
) -> Process:
    """Start a command line in a new process, without standard input.

    Args:
        args: Its arguments.
        env: Variables in addition to those of this process.
        program: What runs it.
        stdout: Its standard output; None for a pipe.
        fork: Whether the process may be a fork of one that has made the imports.
    """
    variables = {**os.environ, **(env or {})}
    if fork and program[:2] == PROGRAM[:2]:
        return ForkedProgram(
            program[2],
            args,
            env=variables,
            preload=IMPORTS,
            stdout=None if stdout is None else stdout.fileno(),
        )
    return subprocess.Popen(
        [*program, *args],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
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
    command: Process, ready: Callable[[], bool], seconds: float = 20
) -> tuple[int, str, str]:
    """Send SIGINT when ``ready`` returns True and the command waits.

    Returns:
        Exit code, standard output and standard error.
    """
    wait_until(lambda: ready() or command.poll() is not None, seconds)
    wait_until_asleep(command.pid)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=seconds)
    return command.wait(), out, err
