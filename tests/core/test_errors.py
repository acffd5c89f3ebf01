"""Law: every error travels, has its place in the drawn tree, and holds no token."""

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
FACTS: dict[str, Any] = {
    "hint": "Do that.",
    "status_code": 418,
    "code": "teapot",
    "source": "provider",
    "request_id": "r1",
    "retry_after": 1.5,
    "body": {"a": [1]},
    "field": "model",
}
every_class = pytest.mark.parametrize("error", CLASSES)


def drawn_tree() -> dict[str, str]:
    """Class to parent, read from the drawing in the module's docstring."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([\s│├└─]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            if depth:
                parents[match[2]] = path[depth - 1]
    return parents


def test_the_tree_is_as_drawn() -> None:
    """Each class stands in the drawing below its base, and each drawn class exists."""
    real = {cls.__name__: cls.__mro__[1].__name__ for cls in CLASSES if cls is not XAILowCodeError}
    assert drawn_tree() == real


@every_class
def test_errors_travel(error: type[XAILowCodeError]) -> None:
    """Pickled or copied, an error keeps its class, text, facts and notes."""
    made = error("It failed.", **FACTS)
    made.add_note("And then?")
    for travelled in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):  # noqa: S301 - just written
        assert type(travelled) is error
        assert str(travelled) == str(made)
        assert vars(travelled) == vars(made)
        assert travelled.__notes__ == ["And then?"]


@every_class
@for_each("place", ["message", "hint", "code", "request_id", "body", "field"])
def test_no_fact_of_an_error_keeps_a_token(error: type[XAILowCodeError], place: str) -> None:
    """A token that gets into any fact of an error is blanked on the way in."""
    facts: dict[str, Any] = {"message": "It failed.", place: f"see api_token={TOKEN}"}
    made = error(facts.pop("message"), **facts)
    for shown in (str(made), repr(made), str(vars(made)), str(made.args)):
        assert TOKEN not in shown
    assert TOKEN.encode() not in pickle.dumps(made)


@every_class
def test_texts_say_who_and_what_to_do(error: type[XAILowCodeError]) -> None:
    """The printed error holds message, source, status, code and hint."""
    assert str(error("It failed.", **FACTS)) == "It failed. (provider: 418 teapot) Do that."
    assert str(error("It failed.")) == "It failed."


def test_what_may_pass_by_itself() -> None:
    """Lost connections, time-outs, limits, failures of the other side, broken streams."""
    assert {cls.__name__ for cls in CLASSES if cls.is_retryable} == {
        "APIConnectionError",
        "APITimeoutError",
        "RateLimitError",
        "InternalServerError",
        "StreamInterruptedError",
        "StreamTimeoutError",
    }


@every_class
def test_errors_have_their_sentence(error: type[XAILowCodeError]) -> None:
    """Each class says in its docstring what happened."""
    assert (inspect.getdoc(error) or "").strip().partition("\n")[0].endswith((".", ";"))


def test_usage_errors_are_no_value_errors() -> None:
    """Pydantic would turn a ValueError into a text that repeats the input with the token."""
    assert not issubclass(errors.UsageError, ValueError)


class Unprintable:
    """An object whose ``repr`` fails."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def __repr__(self) -> str:
        raise self.failure


@pytest.mark.parametrize(
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
    ids=lambda value: type(value).__name__,
)
def test_any_value_can_be_quoted_in_a_message(value: Any, text: str) -> None:
    """A value is quoted in few words, whatever its ``repr`` does, and without the token."""
    assert describe_value(value) == text


DEFECTS = [KeyError(TOKEN), RecursionError(), OverflowError(TOKEN), ZeroDivisionError()]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: type(defect).__name__)
def test_a_response_that_is_not_understood_is_unreadable(defect: Exception) -> None:
    """The error names the exception's class, keeps the body, and quotes nothing of the text."""
    error = unexpected_response_error(defect, {"a": 1})
    assert type(error) is InvalidResponseError
    assert type(defect).__name__ in error.message
    assert error.body == {"a": 1}
    assert TOKEN not in str(vars(error))
    assert error.__cause__ is None


def test_lack_of_memory_is_no_fault_of_a_response() -> None:
    """A MemoryError comes out as it is, from both helpers that take any exception."""
    lack = MemoryError()
    with pytest.raises(MemoryError) as raised:
        unexpected_response_error(lack)
    assert raised.value is lack
    with pytest.raises(MemoryError):
        describe_value(Unprintable(lack))
