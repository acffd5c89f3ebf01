"""Text in which a token could leak: log records, and exceptions with the variables of frames."""

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


@contextmanager
def capture_all_logs() -> Iterator[io.StringIO]:
    """Capture the records of all loggers at DEBUG, with their attributes."""
    text = io.StringIO()

    class CaptureHandler(logging.Handler):
        """Write message and attributes of each record."""

        def emit(self, record: logging.LogRecord) -> None:
            text.write(f"{record.getMessage()} {record.__dict__!r}\n")

    root, handler = logging.getLogger(), CaptureHandler(level=0)
    loggers = [root, *map(logging.getLogger, root.manager.loggerDict)]
    before = {logger: logger.level for logger in loggers}
    root.addHandler(handler)
    _set_levels(dict.fromkeys(loggers, 1))
    try:
        yield text
    finally:
        root.removeHandler(handler)
        _set_levels(before)


def _set_levels(levels: dict[logging.Logger, int]) -> None:
    """Set all levels at once: each ``setLevel`` would iterate over all loggers."""
    for logger, level in levels.items():
        logger.level = level
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # what setLevel calls


def render_exception(error: BaseException, *, skip: tuple[str, ...] = (__file__,)) -> str:
    """Return an exception as error trackers show it: causes, attributes, variables of frames.

    Frames of the files in ``skip`` are omitted, because the test itself holds the token.
    """
    texts: list[str] = []
    pending: list[BaseException | None] = [error]
    visited: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in visited:
            continue
        visited.add(id(current))
        pending += [current.__cause__, current.__context__]
        texts += [str(current), repr(current), repr(current.args), repr(vars(current))]
        texts += traceback.format_exception(current)
        texts += [
            render_variable(name, value) for name, value in _variables(current.__traceback__, skip)
        ]
    return "\n".join(texts)


def render_variable(name: str, value: Any) -> str:
    """Return the repr and the string of a variable."""
    try:
        return f"{name} = {value!r} {value}"
    except Exception as error:  # noqa: BLE001 - a repr may raise anything
        return f"{name}: {error!r}"


def _variables(trace: TracebackType | None, skip: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    while trace is not None:
        frame: FrameType = trace.tb_frame
        if frame.f_code.co_filename not in skip:
            yield from frame.f_locals.items()
        trace = trace.tb_next
