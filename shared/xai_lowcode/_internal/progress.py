"""Progress of what takes long: a bar where somebody is looking, nothing elsewhere.

Uploads, downloads and deferred answers take ``progress=True``, or a function that is told how far
they are; ``track`` does the same for the answers of a batch.
"""

import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import Any, Generic, Literal, TypeVar

from xai_lowcode.errors import UsageError

T = TypeVar("T")

Report = Callable[[int, Any], None]
"""Takes how much is done, and how much there is; of waiting, the looks and the seconds."""

Wish = bool | Report | None
"""What a user says: True to see it, a function to be told, False or None for neither."""

Unit = Literal["bytes", "items", "looks"]

_MEGABYTE = 1_000_000


def check_wish(wish: Any) -> None:
    """Checks a user's word for it.

    Raises:
        UsageError: It is neither a truth value nor a function.
    """
    if not (wish is None or isinstance(wish, bool) or callable(wish)):
        raise UsageError(f"progress: True or a function is needed, not {wish!r}.", field="progress")


def shown(wish: Wish, label: str, unit: Unit) -> AbstractContextManager[Report]:
    """What to report to, for as long as the work takes.

    Args:
        wish: True for a bar in a notebook, and on a terminal if rich is installed; a function
            stands in its place; False or None for silence.
        label: What is on its way.
        unit: What is counted.

    Raises:
        UsageError: The wish is none.
    """
    check_wish(wish)
    if callable(wish):
        return nullcontext(wish)
    if not wish:
        return nullcontext(_silent)
    return _in_notebook(label, unit) if _is_notebook() else _on_terminal(label, unit)


class Tracked(Generic[T]):
    """Items that report as they come, to ``for`` and to ``async for``; made by ``track``."""

    def __init__(
        self, items: Iterable[T] | AsyncIterable[T], total: int | None, label: str, wish: Wish
    ) -> None:
        check_wish(wish)
        self._items = items
        self._total = len(items) if total is None and isinstance(items, Sized) else total
        self._label = label
        self._wish = wish

    def __iter__(self) -> Iterator[T]:
        if not isinstance(self._items, Iterable):
            raise UsageError("items: these come with 'async for' only.", field="items")
        with shown(self._wish, self._label, "items") as report:
            for number, item in enumerate(self._items, 1):
                report(number, self._total)
                yield item

    async def __aiter__(self) -> AsyncIterator[T]:
        number = 0
        with shown(self._wish, self._label, "items") as report:
            async for item in _awaited(self._items):
                number += 1
                report(number, self._total)
                yield item


def track(
    items: Iterable[T] | AsyncIterable[T],
    *,
    total: int | None = None,
    label: str = "answers",
    progress: Wish = True,
) -> Tracked[T]:
    """Shows how many items have come, while they are gone through.

    Args:
        items: What comes, one after the other, with ``for`` or ``async for``.
        total: How many there will be; default: the length of the items, if they have one.
        label: What they are.
        progress: True for a bar in notebooks and terminals, or a function that is told how many
            have come and how many there are (None if that is not known).

    Raises:
        UsageError: ``progress`` is neither.

    Example:
        >>> from xai_lowcode._internal.progress import track
        >>> told = []
        >>> list(track("abc", progress=lambda done, total: told.append((done, total))))
        ['a', 'b', 'c']
        >>> told
        [(1, 3), (2, 3), (3, 3)]
    """
    return Tracked(items, total, label, progress)


async def _awaited(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def _silent(_done: int, _total: Any) -> None:
    pass


def _is_notebook() -> bool:
    """Whether this is a Jupyter kernel; IPython in a terminal has none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def _in_notebook(label: str, unit: Unit) -> Iterator[Report]:
    """A line that is written anew, by the notebook's own means: rich would want widgets."""
    display: Any = sys.modules["IPython"].display.display
    last = _bundle(label, unit, 0, None)
    handle: Any = display(last, raw=True, display_id=True)

    def report(done: int, total: Any) -> None:
        nonlocal last
        now = _bundle(label, unit, done, total)
        # A long batch sends a message for what can be seen, not for each item.
        if now != last:
            handle.update(now, raw=True)
            last = now

    yield report


def _bundle(label: str, unit: Unit, done: int, total: Any) -> dict[str, str]:
    said = f"{label}: {_counted(unit, done, total)}"
    if unit == "looks" or not total:
        return {"text/plain": said, "text/html": f"<div>{escape(said)}</div>"}
    bar = f'<progress max="100" value="{100 * done // total}"></progress>'
    return {"text/plain": said, "text/html": f"<div>{bar} {escape(said)}</div>"}


def _counted(unit: Unit, done: int, total: Any) -> str:
    match unit:
        case "looks":
            return f"{done} {'look' if done == 1 else 'looks'}, {total or 0:.0f} s"
        case "bytes":
            whole = "" if total is None else f" of {total / _MEGABYTE:.1f}"
            return f"{done / _MEGABYTE:.1f}{whole} MB"
        case _:
            return str(done) if total is None else f"{done} of {total}"


@contextmanager
def _on_terminal(label: str, unit: Unit) -> Iterator[Report]:
    """A bar on standard error, so that results can be piped; it goes when the work is done."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import Progress  # noqa: PLC0415
    except ModuleNotFoundError:
        yield _silent
        return
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _silent
        return
    with Progress(*_columns(unit), console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: Any) -> None:
            bar.update(task, completed=done, total=None if unit == "looks" else total)

        yield report


def _columns(unit: Unit) -> tuple[Any, ...]:
    from rich import progress as rich  # noqa: PLC0415 - an extra

    # A file's name may hold what rich would read as its markup.
    name = rich.TextColumn("{task.description}", markup=False)
    match unit:
        case "bytes":
            return name, rich.BarColumn(), rich.DownloadColumn(), rich.TimeRemainingColumn()
        case "looks":
            looks = rich.TextColumn("{task.completed:.0f} looks")
            return rich.SpinnerColumn(), name, looks, rich.TimeElapsedColumn()
        case _:
            return name, rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn()
