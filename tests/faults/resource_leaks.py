"""Check that a block leaks no descriptor, no thread and no task, and reports no error."""

import gc
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from xai_lowcode.emulator.server import THREAD_NAME

_DESCRIPTORS = Path("/proc/self/fd")
_TIMEOUT = 30.0  # only a leak takes so long


class ResourceLeakError(AssertionError):
    """A block has leaked resources, or caused a report that nobody can catch."""


@contextmanager
def no_resource_leaks() -> Iterator[None]:
    """Fail if a block leaks a descriptor or a thread, or causes a report that nobody can catch.

    These reports are warnings and exceptions in finalizers and threads, and what asyncio logs:
    destroyed tasks, exceptions that were never retrieved. The other side of a connection is in
    this process too, and is given time to close.

    Raises:
        ResourceLeakError: There is a leak or a report.
    """
    # The collection at the end examines only the objects that the block has created.
    gc.freeze()
    before = _resources()
    with _reports() as reports:
        yield
        end = time.monotonic() + _TIMEOUT
        gc.collect()
        while len(_resources()) > len(before) and time.monotonic() < end:
            time.sleep(0.001)
    if reports:
        raise ResourceLeakError(reports)
    after = _resources()
    if len(after) > len(before):
        raise ResourceLeakError(after - before)


def _resources() -> set[str]:
    # The emulator generates images in threads, which it keeps.
    names = {thread.name for thread in threading.enumerate()}
    threads = {f"thread {name}" for name in names if not name.startswith(THREAD_NAME)}
    return _descriptors() | threads


def _descriptors() -> set[str]:
    found = set()
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.is_dir() else ():
        # The descriptor of the directory itself is closed by now.
        with suppress(OSError):
            found.add(f"{entry.name} {entry.readlink()}")
    return found


@contextmanager
def _reports() -> Iterator[list[str]]:
    reports: list[str] = []

    class Listener(logging.Handler):
        """Records log messages."""

        def emit(self, record: logging.LogRecord) -> None:
            reports.append(record.getMessage())

    logger, listener = logging.getLogger("asyncio"), Listener(logging.WARNING)
    logger.addHandler(listener)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda arguments: reports.append(repr(arguments)))
        patch.setattr(threading, "excepthook", lambda arguments: reports.append(repr(arguments)))
        try:
            yield reports
        finally:
            logger.removeHandler(listener)
