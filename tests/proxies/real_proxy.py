"""The proxy ``proxy.py`` from PyPI, in a process of its own: it forks, and takes signals."""

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
        log_file: What it logs at DEBUG; one line for each connection when that is closed.
    """

    url: str
    log_file: Path

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text()

    def clear(self) -> None:
        """Forgets what it has logged."""
        self.log_file.write_text("")

    def access_lines(self, enough: int = 1) -> list[str]:
        """The lines of its access log, once there are enough of them."""
        return waited(
            lambda: [line for line in self.log.splitlines() if "access_log" in line], enough
        )


def waited(lines: Callable[[], list[str]], enough: int) -> list[str]:
    """Lines of a log that is written by another process."""
    until = time.monotonic() + LOG_SECONDS
    while len(lines()) < enough and time.monotonic() < until:
        time.sleep(0.02)
    return lines()


@contextmanager
def real_proxy(folder: Path, credentials: str = "") -> Iterator[RealProxy]:
    """Runs the proxy while the block lasts.

    Args:
        folder: Where its files are.
        credentials: ``user:password`` to ask for; empty for none.
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
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        time.sleep(0.02)
    raise RuntimeError("proxy.py did not start")
