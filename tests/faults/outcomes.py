"""What came out of an interface, in a form that can be compared with a table."""

from dataclasses import dataclass
from typing import Any

from tests.faults.interfaces import Interface
from tests.faults.tables import ERRORS
from xai_lowcode.errors import XAILowCodeError


@dataclass(frozen=True)
class Right:
    """The right answer."""

    answer: Any


@dataclass(frozen=True)
class Failure:
    """An error as it is caught: our class, the framework's own if it is one, worth a repetition."""

    ours: type[BaseException]
    theirs: type[BaseException] | None
    retryable: bool


def expected(word: str, interface: Interface) -> Failure:
    """The failure that a word of the table stands for."""
    ours, theirs, retryable = ERRORS[word]
    return Failure(ours, theirs if interface.name.startswith("LangChain") else None, retryable)


def outcome(interface: Interface, *, times: int = 1, **options: Any) -> Right | Failure:
    """Asks an interface."""
    try:
        return Right(interface.answer(times=times, **options))
    except XAILowCodeError as error:
        return Failure(
            _first(error, "xai_lowcode.errors"),
            _first(error, "langchain_core.exceptions"),
            error.is_retryable,
        )


def _first(error: Exception, module: str) -> Any:
    return next((base for base in type(error).__mro__ if base.__module__ == module), None)
