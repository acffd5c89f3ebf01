"""One test function for many cases, without a test item for each.

A parameter of pytest costs some milliseconds for each case, which is more than most cases take.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import currently_in_test_context

from xai_lowcode.chat.dialect_selection import forget_apis
from xai_lowcode.protocol.urls import forget_url_formats

Test = Callable[..., None]
MAX_NAME = 200
# pytest.fail and groups of it are no Exception.
_FAILURES = (Exception, pytest.fail.Exception, BaseExceptionGroup)


def forget_gateways() -> None:
    """Forget what was learned about a gateway that had the same port in an earlier case."""
    forget_url_formats()
    forget_apis()


def for_each(
    names: str | tuple[str, ...], cases: Mapping[str, Any] | Iterable[Any]
) -> Callable[[Test], Test]:
    """Run a test for each case, and report all cases that fail; skip it if all cases are skipped.

    The cases share the fixtures of the test, so these must not keep anything between them. Below
    ``given``, each case runs with the same inputs, and the first case that fails is reported.

    Args:
        names: The name of the argument for a case, or the names, if a case is a tuple.
        cases: The cases by name; without names, the name of a case is its ``repr``.
    """
    named: list[tuple[str | None, Any]] = (
        list(cases.items()) if isinstance(cases, Mapping) else [(None, case) for case in cases]
    )

    def decorate(test: Test) -> Test:
        assert not inspect.iscoroutinefunction(test), "a coroutine function is not awaited"
        signature = inspect.signature(test)
        arguments = (names,) if isinstance(names, str) else names
        parameters = [each for name, each in signature.parameters.items() if name not in arguments]
        shared = signature.replace(parameters=parameters)

        @functools.wraps(test)
        def run(*args: Any, **fixtures: Any) -> None:
            # Hypothesis passes what it draws by position.
            given = shared.bind(*args, **fixtures).arguments
            failures: list[BaseException] = []
            skipped: list[BaseException] = []
            for number, (name, case) in enumerate(named, 1):
                forget_gateways()
                values = (case,) if isinstance(names, str) else case
                try:
                    test(**given, **dict(zip(arguments, values, strict=True)))
                except _FAILURES as failure:
                    failure.add_note(f"This was the case {name or _describe(case, number)}.")
                    if currently_in_test_context():
                        # Hypothesis would simplify each set of failing cases, for minutes.
                        raise
                    failures.append(failure)
                except pytest.skip.Exception as skip:
                    skipped.append(skip)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(named)} cases fail", failures)
            if len(skipped) == len(named):
                raise skipped[-1]

        run.__signature__ = shared  # type: ignore[attr-defined]
        run.cases = len(named) * getattr(test, "cases", 1)  # type: ignore[attr-defined]
        return run

    return decorate


def _describe(case: Any, number: int) -> str:
    try:
        return repr(case)[:MAX_NAME]
    except ValueError:  # Python does not print integers of more than 4,300 digits
        return f"with the number {number}"


def number_of_cases(item: pytest.Item) -> int:
    """Return how many cases a test item runs."""
    return int(getattr(getattr(item, "function", None), "cases", 1))
