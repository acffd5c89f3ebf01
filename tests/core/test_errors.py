"""Errors can be pickled and copied, are in the documented hierarchy, and contain no token."""

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from tests.cases import for_each
from tests.core.fake_server import TOKEN
from xai_lowcode import errors
from xai_lowcode.errors import (
    MAX_VALUE,
    InvalidResponseError,
    XAILowCodeError,
    describe_value,
    unexpected_response_error,
)

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, XAILowCodeError)
]
ATTRIBUTES: dict[str, Any] = {
    "hint": "Do that.",
    "status_code": 418,
    "code": "teapot",
    "source": "provider",
    "request_id": "r1",
    "retry_after": 1.5,
    "body": {"a": [1]},
    "field": "model",
}
every_class = for_each("error", CLASSES)


def parse_documented_hierarchy() -> dict[str, str]:
    """Return the parent of each class, parsed from the docstring of the module."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([\s│├└─]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            if depth:
                parents[match[2]] = path[depth - 1]
    return parents


def test_the_hierarchy_is_documented() -> None:
    """The hierarchy in the docstring of the module is that of the classes."""
    hierarchy = {
        cls.__name__: cls.__mro__[1].__name__ for cls in CLASSES if cls is not XAILowCodeError
    }
    assert parse_documented_hierarchy() == hierarchy


@every_class
def test_pickles_and_copies(error: type[XAILowCodeError]) -> None:
    """A pickled or copied error has the same class, text, attributes and notes."""
    original = error("It failed.", **ATTRIBUTES)
    original.add_note("And then?")
    for copied in (
        pickle.loads(pickle.dumps(original)),  # noqa: S301 - just written
        copy.copy(original),
        copy.deepcopy(original),
    ):
        assert type(copied) is error
        assert str(copied) == str(original)
        assert vars(copied) == vars(original)
        assert copied.__notes__ == ["And then?"]


@every_class
@for_each("name", ["message", "hint", "code", "request_id", "body", "field"])
def test_the_token_is_redacted_in_each_attribute(error: type[XAILowCodeError], name: str) -> None:
    """A token in any attribute is redacted when the error is created."""
    attributes: dict[str, Any] = {"message": "It failed.", name: f"see api_token={TOKEN}"}
    original = error(attributes.pop("message"), **attributes)
    for text in (str(original), repr(original), str(vars(original)), str(original.args)):
        assert TOKEN not in text
    assert TOKEN.encode() not in pickle.dumps(original)


@every_class
def test_the_text_of_an_error(error: type[XAILowCodeError]) -> None:
    """The text has message, source, status, code and hint."""
    assert str(error("It failed.", **ATTRIBUTES)) == "It failed. (provider: 418 teapot) Do that."
    assert str(error("It failed.")) == "It failed."


def test_retryable_errors() -> None:
    """Lost connections, timeouts, rate limits, server errors and interrupted streams."""
    assert {cls.__name__ for cls in CLASSES if cls.is_retryable} == {
        "APIConnectionError",
        "APITimeoutError",
        "RateLimitError",
        "InternalServerError",
        "StreamInterruptedError",
        "StreamTimeoutError",
    }


@every_class
def test_errors_have_docstrings(error: type[XAILowCodeError]) -> None:
    """The docstring of each class begins with a sentence."""
    assert (inspect.getdoc(error) or "").strip().partition("\n")[0].endswith((".", ";"))


def test_a_usage_error_is_not_a_value_error() -> None:
    """Pydantic would convert a ValueError to a message that contains the input with the token."""
    assert not issubclass(errors.UsageError, ValueError)


class Unprintable:
    """An object whose ``repr`` fails."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def __repr__(self) -> str:
        raise self.failure


@for_each(
    ("value", "text"),
    [
        ("a", "'a'"),
        (None, "None"),
        (True, "True"),
        (10**5_000, "an int"),
        ([10**5_000], "a list"),
        (Unprintable(ValueError(TOKEN)), "an Unprintable"),
        (Unprintable(RecursionError()), "an Unprintable"),
        (f"api_token={TOKEN}", "'[redacted]'"),
        ("x" * 10**6, "'" + "x" * (MAX_VALUE - 1) + "…"),
    ],
)
def test_values_in_messages(value: Any, text: str) -> None:
    """The description of a value is short and has no token, even if its ``repr`` fails."""
    assert describe_value(value) == text


DEFECTS = [KeyError(TOKEN), RecursionError(), OverflowError(TOKEN), ZeroDivisionError()]


@for_each("defect", DEFECTS)
def test_an_unexpected_response_is_invalid(defect: Exception) -> None:
    """The error has the class of the exception and the body, but not the exception's text."""
    error = unexpected_response_error(defect, {"a": 1})
    assert type(error) is InvalidResponseError
    assert type(defect).__name__ in error.message
    assert error.body == {"a": 1}
    assert TOKEN not in str(vars(error))
    assert error.__cause__ is None


def test_a_memory_error_is_not_caught() -> None:
    """Both helpers that catch any exception raise a MemoryError unchanged."""
    memory_error = MemoryError()
    with pytest.raises(MemoryError) as raised:
        unexpected_response_error(memory_error)
    assert raised.value is memory_error
    with pytest.raises(MemoryError):
        describe_value(Unprintable(memory_error))
