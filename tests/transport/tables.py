"""Tables of cases: all are checked, and a failure lists each case that fails."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

T = TypeVar("T")
_MAX_LINES = 40


def check_all(
    cases: Mapping[str, T], check: Callable[[T], Iterable[str]], *, workers: int = 8
) -> None:
    """Check all cases, several at a time, and fail with a line for each error.

    Args:
        cases: Cases by name.
        check: Yields the errors of a case.
        workers: The number of cases that are checked at a time; most of their time is waiting.
    """
    assert cases
    with ThreadPoolExecutor(workers) as pool:
        errors = list(pool.map(lambda case: _errors(check, case), cases.values()))
    lines = [
        f"{name}: {line}" for name, messages in zip(cases, errors, strict=True) for line in messages
    ]
    if lines:
        failing = sum(map(bool, errors))
        shown = "\n  ".join(lines[:_MAX_LINES] + ["..."] * (len(lines) > _MAX_LINES))
        pytest.fail(f"{failing} of {len(cases)} cases fail:\n  {shown}", pytrace=False)


def _errors(check: Callable[[T], Iterable[str]], case: T) -> list[str]:
    try:
        return list(check(case))
    except Exception as error:  # noqa: BLE001 - one line of the table
        return [f"the case itself raised {type(error).__name__}: {error}"]
