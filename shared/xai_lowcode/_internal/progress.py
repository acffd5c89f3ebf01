"""Progress of uploads, downloads and polling: a callback, or a progress bar of tqdm."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from xai_lowcode.errors import UsageError

ProgressCallback = Callable[[int, Any], None]
"""Takes the amount done and the total; while polling, the number of polls and the seconds."""

Progress = bool | ProgressCallback | None
"""True for a progress bar, a callback, or False or None for neither."""


def check_progress(progress: Any) -> None:
    """Check an argument ``progress``.

    Raises:
        UsageError: It is neither a boolean nor a function, or is True and tqdm is not installed.
    """
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise UsageError(
            f"progress: must be True or a function, not {progress!r}.", field="progress"
        )
    if progress is True and find_spec("tqdm") is None:
        raise UsageError(
            "progress: True requires tqdm, which is not installed.",
            field="progress",
            hint="Install it with: pip install tqdm. Or pass a function.",
        )


@contextmanager
def open_progress(
    progress: Progress, label: str, unit: Literal["B", "polls"]
) -> Iterator[ProgressCallback]:
    """Return the function to report to: the caller's callback, or the update of a tqdm bar."""
    check_progress(progress)
    if progress is not True:
        yield progress or (lambda _done, _total: None)
        return
    with import_module("tqdm.auto").tqdm(desc=label, unit=unit, unit_scale=unit == "B") as bar:

        def update(done: int, total: Any) -> None:
            bar.total = total if unit == "B" else None
            bar.update(done - bar.n)

        yield update
