"""What a process holds, counted before and after, and the complaints that nobody can catch."""

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
_PATIENCE = 30.0  # only a leak takes so long


@contextmanager
def no_resource_leaks() -> Iterator[None]:
    """Fails if what is done inside leaves a descriptor or thread, or a word of complaint.

    Complaints are warnings and exceptions that nobody can catch, and what asyncio logs: tasks that
    were destroyed, results that were never retrieved. The other side of a connection is in this
    process too, and is given time to close.
    """
    before = _held()
    with _complaints() as heard:
        yield
        end = time.monotonic() + _PATIENCE
        gc.collect()
        while len(_held()) > len(before) and time.monotonic() < end:
            time.sleep(0.001)
    assert not heard, heard
    after = _held()
    assert len(after) <= len(before), after - before


def _held() -> set[str]:
    # The emulator draws images in threads, which it keeps.
    names = {thread.name for thread in threading.enumerate()}
    threads = {f"thread {name}" for name in names if not name.startswith(THREAD_NAME)}
    return _descriptors() | threads


def _descriptors() -> set[str]:
    found = set()
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.is_dir() else ():
        # The descriptor that lists the others is closed by now.
        with suppress(OSError):
            found.add(f"{entry.name} {entry.readlink()}")
    return found


@contextmanager
def _complaints() -> Iterator[list[str]]:
    heard: list[str] = []

    class Listener(logging.Handler):
        """Keeps what is logged."""

        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    log, listener = logging.getLogger("asyncio"), Listener(logging.WARNING)
    log.addHandler(listener)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda told: heard.append(repr(told)))
        patch.setattr(threading, "excepthook", lambda told: heard.append(repr(told)))
        try:
            yield heard
        finally:
            log.removeHandler(listener)
