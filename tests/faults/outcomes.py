"""The outcome of a call, in a form that can be compared with a table."""

from dataclasses import dataclass
from typing import Any

from tests.faults.interfaces import Interface
from tests.faults.tables import ERRORS
from xai_lowcode.errors import XAILowCodeError


@dataclass(frozen=True)
class Success:
    """The expected result."""

    result: Any


@dataclass(frozen=True)
class Failure:
    """An error: its classes in this package and in the framework, and whether it is retryable."""

    error: type[BaseException]
    framework_error: type[BaseException] | None
    retryable: bool


def expected(name: str, interface: Interface) -> Failure:
    """Return the failure of a name in `ERRORS`."""
    error, framework_error, retryable = ERRORS[name]
    return Failure(
        error, framework_error if interface.name.startswith("LangChain") else None, retryable
    )


def outcome(interface: Interface, *, times: int = 1, **options: Any) -> Success | Failure:
    """Call an interface and return its outcome."""
    try:
        return Success(interface.run(times=times, **options))
    except XAILowCodeError as error:
        return Failure(
            _first(error, "xai_lowcode.errors"),
            _first(error, "langchain_core.exceptions"),
            error.is_retryable,
        )


def _first(error: Exception, module: str) -> Any:
    return next((base for base in type(error).__mro__ if base.__module__ == module), None)
