"""Command lines as tests run them: connected to an emulator, interrupted by ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from typer.testing import Result

from xai_lowcode.emulator import Emulator

Run = Callable[..., Result]
PROGRAM = (sys.executable, "-c", "from xai_lowcode.cli import main; main()")


def connected_to(gateway: Emulator, token: str | None = None) -> dict[str, str]:
    """The variables that lead to a gateway."""
    return {
        "LOWCODEAPI_API_TOKEN": token or gateway.api_token,
        "LOWCODEAPI_BASE_URL": gateway.base_url,
    }


def process(
    *words: str, env: dict[str, str] | None = None, program: tuple[str, ...] = PROGRAM
) -> subprocess.Popen[str]:
    """Starts a command line in a process of its own."""
    return subprocess.Popen(
        [*program, *words],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(
    command: subprocess.Popen[str], ready: Callable[[], bool], seconds: float = 20
) -> tuple[int, str, str]:
    """Presses ctrl-C as soon as the command is where it should be; code, output, errors."""
    end = time.monotonic() + seconds
    while not ready() and command.poll() is None:
        assert time.monotonic() < end, "the command never came so far"
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=seconds)
    return command.returncode, out, err
