"""Everything that somebody other than the gateway may come to see of a call, as one text."""

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


@contextmanager
def all_logs() -> Iterator[io.StringIO]:
    """What every logger of the process writes at DEBUG, with all members of each record."""
    text = io.StringIO()

    class Keeper(logging.Handler):
        """Keeps message, arguments and members."""

        def emit(self, record: logging.LogRecord) -> None:
            text.write(f"{record.getMessage()} {record.__dict__!r}\n")

    root, keeper = logging.getLogger(), Keeper(level=0)
    loggers = [root, *map(logging.getLogger, root.manager.loggerDict)]
    before = {logger: logger.level for logger in loggers}
    root.addHandler(keeper)
    _set_levels(dict.fromkeys(loggers, 1))
    try:
        yield text
    finally:
        root.removeHandler(keeper)
        _set_levels(before)


def _set_levels(levels: dict[logging.Logger, int]) -> None:
    """Sets all levels at once: each ``setLevel`` would go through all loggers."""
    for logger, level in levels.items():
        logger.level = level
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # what setLevel calls


def all_of(error: BaseException, *, skip: tuple[str, ...] = (__file__,)) -> str:
    """An exception as a reporter shows it: causes, contexts, attributes, variables of frames.

    Frames of the files in ``skip`` are left out: the test itself knows the token.
    """
    seen: list[str] = []
    waiting: list[BaseException | None] = [error]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        waiting += [one.__cause__, one.__context__]
        seen += [str(one), repr(one), repr(one.args), repr(vars(one))]
        seen += traceback.format_exception(one)
        seen += [shown(name, value) for name, value in _variables(one.__traceback__, skip)]
    return "\n".join(seen)


def shown(name: str, value: Any) -> str:
    """One variable as it is printed; also what stands below it where that is a plain container."""
    try:
        return f"{name} = {value!r} {value}"
    except Exception as unprintable:  # noqa: BLE001 - a reporter survives any repr
        return f"{name}: {unprintable!r}"


def _variables(trace: TracebackType | None, skip: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    while trace is not None:
        frame: FrameType = trace.tb_frame
        if frame.f_code.co_filename not in skip:
            yield from frame.f_locals.items()
        trace = trace.tb_next
