"""The proxy ``proxy.py`` from PyPI, in its own process: it forks, and handles signals."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0
LOG_SECONDS = 5.0


@dataclass(frozen=True)
class RealProxy:
    """A running proxy.

    Attributes:
        url: Its URL, without credentials.
        log_file: Its log at DEBUG; a line for each connection is written when that is closed.
    """

    url: str
    log_file: Path

    @property
    def log(self) -> str:
        """Return its log."""
        return self.log_file.read_text()

    def clear(self) -> None:
        """Clear its log."""
        self.log_file.write_text("")

    def access_lines(self, minimum: int = 1) -> list[str]:
        """Return the lines of its access log, once there are enough of them."""
        return wait_for_lines(
            lambda: [line for line in self.log.splitlines() if "access_log" in line], minimum
        )


def wait_for_lines(lines: Callable[[], list[str]], minimum: int) -> list[str]:
    """Return lines of a log that another process writes, once there are enough of them."""
    deadline = time.monotonic() + LOG_SECONDS
    while len(lines()) < minimum and time.monotonic() < deadline:
        time.sleep(0.02)
    return lines()


@contextmanager
def real_proxy(folder: Path, credentials: str = "") -> Iterator[RealProxy]:
    """Run the proxy for the block.

    Args:
        folder: The folder of its files.
        credentials: The required ``user:password``; empty for none.
    """
    port_file, log_file = folder / "port", folder / "log"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    command += ["--port-file", str(port_file), "--data-dir", str(folder / "data")]
    command += ["--num-acceptors", "1", "--num-workers", "1"]
    command += ["--log-level", "DEBUG", "--log-file", str(log_file)]
    command += ["--basic-auth", credentials] if credentials else []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            yield RealProxy(f"http://127.0.0.1:{_port(process, port_file)}", log_file)
        finally:
            process.terminate()


def _port(process: subprocess.Popen[bytes], file: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        time.sleep(0.02)
    raise RuntimeError("proxy.py did not start")
