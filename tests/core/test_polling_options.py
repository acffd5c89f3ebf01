"""Law: a plan for waiting is a value, and a wrong one is refused by its name."""

import pickle
from typing import Any

import pytest

from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import PollingOptions, parse_polling

BAD: list[Any] = [0, -1, 0.0, float("nan"), float("-inf"), True, "5", None, [1]]


@pytest.mark.parametrize("name", ["timeout", "poll_timeout", "initial_delay", "max_delay"])
@pytest.mark.parametrize("value", BAD, ids=repr)
def test_a_duration_is_a_positive_number(name: str, value: Any) -> None:
    """Anything else is refused by name when the plan is made."""
    with pytest.raises(UsageError) as refusal:
        PollingOptions(**{name: value})
    assert refusal.value.field == name
    assert name in str(refusal.value)


def test_a_plan_travels() -> None:
    """A plan is a value: equal to its copy, and unchangeable."""
    plan = PollingOptions(timeout=7, poll_timeout=float("inf"))
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - just written
    with pytest.raises(AttributeError):
        plan.timeout = 3  # type: ignore[misc]


def test_a_users_word() -> None:
    """True, False, None or a plan; anything else is refused."""
    plan = PollingOptions(timeout=7)
    assert parse_polling(plan) is plan
    assert parse_polling(True) == PollingOptions()  # noqa: FBT003 - the user's word
    assert parse_polling(None) is parse_polling(False) is None  # noqa: FBT003
    odds: list[Any] = [1, 0, "yes", {}, [plan], PollingOptions]
    for odd in odds:
        with pytest.raises(UsageError) as refusal:
            parse_polling(odd)
        assert refusal.value.field == "deferred"
