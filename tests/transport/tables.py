"""Tables of cases: all are examined, and a failure names each case that fails."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

T = TypeVar("T")
_SHOWN = 40


def examine(
    cases: Mapping[str, T], check: Callable[[T], Iterable[str]], *, workers: int = 8
) -> None:
    """Check all cases, several at a time, and fail with a line for each complaint.

    Args:
        cases: Cases by name.
        check: Yields what is wrong with a case.
        workers: How many cases are checked at a time; most of their time is waiting.
    """
    assert cases
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda case: _complaints(check, case), cases.values()))
    lines = [f"{name}: {line}" for name, said in zip(cases, found, strict=True) for line in said]
    if lines:
        failing = sum(map(bool, found))
        shown = "\n  ".join(lines[:_SHOWN] + ["..."] * (len(lines) > _SHOWN))
        pytest.fail(f"{failing} of {len(cases)} cases fail:\n  {shown}", pytrace=False)


def _complaints(check: Callable[[T], Iterable[str]], case: T) -> list[str]:
    try:
        return list(check(case))
    except Exception as error:  # noqa: BLE001 - one line of the table
        return [f"the case itself raised {type(error).__name__}: {error}"]
