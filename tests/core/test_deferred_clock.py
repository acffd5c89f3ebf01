"""Law: delays grow up to the longest, a wish counts once, and the end is kept.

Played by hand, with a clock that passes as the script says.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fake_server import TOKEN
from xai_lowcode.api.deferred import poll
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    RouteNotFoundError,
    XAILowCodeError,
)
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import (
    HTTPResponse,
    Outcome,
    RequestFailed,
    SendRequest,
    Sleep,
    Success,
)
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.types.requests import PollingOptions


@dataclass
class Waited:
    """What one waiting did."""

    waits: list[float] = field(default_factory=list)
    withins: list[float] = field(default_factory=list)
    polls: list[tuple[int, float]] = field(default_factory=list)
    ended: Success | XAILowCodeError | None = None
    now: float = 100.0


def answer(document: bytes, status: int = 200, **headers: str) -> HTTPResponse:
    return HTTPResponse(status, headers, document)


def wait(outcomes: list[Outcome], deferral: dict[str, float], *, look: float = 0.0) -> Waited:
    """Drives the flow; a look takes so many seconds, and after the outcomes all is pending."""
    waited = Waited()
    left = iter(outcomes)
    session = CallContext(
        RetryPolicy(9), UrlFormatSelector("new"), TOKEN, lambda: waited.now, lambda: 0.5
    )
    plan: Any = deferral
    how = PollingOptions(
        **plan, progress=lambda looks, passed: waited.polls.append((looks, passed))
    )
    steps = poll("r", how, session)
    outcome: Outcome | None = None
    try:
        while len(waited.waits) < 500:
            step = steps.send(outcome)
            outcome = None
            if isinstance(step, Sleep):
                waited.waits.append(step.seconds)
                waited.now += step.seconds
            elif isinstance(step, SendRequest):
                waited.withins.append(step.timeout or 0.0)
                waited.now += look
                outcome = next(left, answer(b'""'))
    except StopIteration as end:
        waited.ended = end.value
    except XAILowCodeError as error:
        waited.ended = error
    return waited


def test_pauses_grow_by_half_up_to_the_longest() -> None:
    """From the first pause on each is half as long again, until the longest."""
    waited = wait([], {"timeout": 100, "initial_delay": 2, "max_delay": 10})
    assert waited.waits[:6] == [2, 3, 4.5, 6.75, 10, 10]
    assert set(waited.waits[4:]) == {10}
    assert sum(waited.waits) < 100
    constant = wait([], {"timeout": 100, "initial_delay": 20, "max_delay": 10})
    assert set(constant.waits) == {20}


def test_the_looks_are_told() -> None:
    """The callback receives the number of the poll and the seconds elapsed."""
    waited = wait([], {"timeout": 30, "initial_delay": 2, "max_delay": 4}, look=1.0)
    assert waited.polls == [(0, 2), (1, 6), (2, 11), (3, 16), (4, 21), (5, 26)]


def test_a_wish_to_wait_counts_once() -> None:
    """``Retry-After`` lengthens the next pause, and not those after it."""
    slow = answer(b'{"error": "slow"}', 429, **{"retry-after": "60"})
    waited = wait([slow], {"timeout": 400, "initial_delay": 2, "max_delay": 10})
    assert waited.waits[:5] == [2, 60, 4.5, 6.75, 10]


def test_a_wish_beyond_the_end_is_not_obeyed() -> None:
    """Who is to wait longer than the time that is left gives up at once."""
    slow = answer(b'{"error": "slow"}', 429, **{"retry-after": "9999"})
    waited = wait([slow], {"timeout": 400, "initial_delay": 2})
    assert waited.waits == [2]
    assert isinstance(waited.ended, APITimeoutError)


positive = st.floats(0.01, 5000)
OUTCOMES: list[Outcome] = [
    answer(b'""'),
    answer(b"null"),
    answer(b"", 202),
    answer(b'{"error": "slow"}', 429),
    answer(b'{"error": "slow"}', 429, **{"retry-after": "7"}),
    answer(b"<html>x</html>", 502),
    answer(b'{"choices": []}'),
    answer(b"<html>x</html>", 200),
    answer(b'{"message": "Not Found"}', 404),
]


@given(
    st.lists(st.sampled_from(OUTCOMES), max_size=5),
    st.fixed_dictionaries(
        dict.fromkeys(("timeout", "poll_timeout", "initial_delay", "max_delay"), positive)
    ),
    st.sampled_from([0.0, 0.5, 40.0]),
)
def test_the_end_is_kept(outcomes: list[Outcome], plan: dict[str, float], look: float) -> None:
    """However it is planned: one look at least, none begins too late, none may last too long."""
    waited = wait(outcomes, plan, look=look)
    assert len(waited.withins) >= 1
    assert waited.waits[0] == min(plan["initial_delay"], plan["timeout"] / 2)
    for (number, passed), within in zip(waited.polls, waited.withins, strict=True):
        assert passed < plan["timeout"]
        assert 0 < within <= plan["poll_timeout"]
        assert within <= max(plan["timeout"] - passed, 0.001) + 1e-9
        assert number == waited.polls.index((number, passed))
    for earlier, later in pairwise(waited.waits):
        assert later <= max(earlier * 1.5, plan["max_delay"], 7)
    if isinstance(waited.ended, APITimeoutError):
        assert "The deferred completion r was not ready within" in str(waited.ended)
        assert "24 hours" in str(waited.ended)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (answer(b'{"message": "Not Found"}', 404), RouteNotFoundError),
        (answer(b'{"error": "violates usage guidelines"}', 403), XAILowCodeError),
        (
            RequestFailed(APIConnectionError("x", request_sent=True), response_started=True),
            APIConnectionError,
        ),
    ],
)
def test_what_will_not_pass_ends_the_waiting(
    outcome: Outcome, error: type[XAILowCodeError]
) -> None:
    """A refusal that stands is raised after one look."""
    if isinstance(outcome, RequestFailed) and isinstance(outcome.error, APIConnectionError):
        outcome.error.response_started = True
    waited = wait([outcome], {"timeout": 50})
    assert isinstance(waited.ended, error)
    assert len(waited.waits) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_polling_continues_after_transient_errors(status: int) -> None:
    """Rate limits and outages are polled through until the timeout, like pending responses."""
    failed, pending = wait([answer(b"", status)] * 99, {"timeout": 60}), wait([], {"timeout": 60})
    assert isinstance(failed.ended, APITimeoutError)
    assert str(failed.ended) == str(pending.ended)
    assert failed.polls == pending.polls
    assert len(failed.polls) > 3
