"""Polling options are values, and invalid ones raise an error that names the field."""

import pickle
from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import PollingOptions, parse_polling

INVALID: list[Any] = [0, -1, 0.0, float("nan"), float("-inf"), True, "5", None, [1]]


@for_each("name", ["timeout", "poll_timeout", "initial_delay", "max_delay"])
@for_each("value", INVALID)
def test_a_duration_is_a_positive_number(name: str, value: Any) -> None:
    """A duration that is not a positive number raises an error with its name."""
    with pytest.raises(UsageError) as raised:
        PollingOptions(**{name: value})
    assert raised.value.field == name
    assert name in str(raised.value)


def test_polling_options_are_values() -> None:
    """Options are equal to their pickled copy, and immutable."""
    options = PollingOptions(timeout=7, poll_timeout=float("inf"))
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - just written
    with pytest.raises(AttributeError):
        options.timeout = 3  # type: ignore[misc]


def test_values_of_deferred() -> None:
    """True, False, None and options are accepted; other values raise an error."""
    options = PollingOptions(timeout=7)
    assert parse_polling(options) is options
    assert parse_polling(True) == PollingOptions()  # noqa: FBT003 - the value of a user
    assert parse_polling(None) is parse_polling(False) is None  # noqa: FBT003
    invalid_values: list[Any] = [1, 0, "yes", {}, [options], PollingOptions]
    for value in invalid_values:
        with pytest.raises(UsageError) as raised:
            parse_polling(value)
        assert raised.value.field == "deferred"
