"""Delays of polling: growth, ``Retry-After`` and the timeout.

The flow is run without a client, with a virtual clock.
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
class PollingRun:
    """The delays, request timeouts, reported polls and the result of one run."""

    delays: list[float] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    polls: list[tuple[int, float]] = field(default_factory=list)
    result: Success | XAILowCodeError | None = None
    now: float = 100.0


def create_response(document: bytes, status: int = 200, **headers: str) -> HTTPResponse:
    return HTTPResponse(status, headers, document)


def run_polling(
    outcomes: list[Outcome], options: dict[str, float], *, poll_seconds: float = 0.0
) -> PollingRun:
    """Run the flow; polls take ``poll_seconds``, and those after the outcomes are pending."""
    run = PollingRun()
    remaining = iter(outcomes)
    context = CallContext(
        RetryPolicy(9), UrlFormatSelector("new"), TOKEN, lambda: run.now, lambda: 0.5
    )
    values: Any = options
    polling_options = PollingOptions(
        **values, progress=lambda number, seconds: run.polls.append((number, seconds))
    )
    steps = poll("r", polling_options, context)
    outcome: Outcome | None = None
    try:
        while len(run.delays) < 500:
            step = steps.send(outcome)
            outcome = None
            if isinstance(step, Sleep):
                run.delays.append(step.seconds)
                run.now += step.seconds
            elif isinstance(step, SendRequest):
                run.timeouts.append(step.timeout or 0.0)
                run.now += poll_seconds
                outcome = next(remaining, create_response(b'""'))
    except StopIteration as end:
        run.result = end.value
    except XAILowCodeError as error:
        run.result = error
    return run


def test_delays_grow_by_half_up_to_the_maximum() -> None:
    """Each delay is 1.5 times the previous one, up to ``max_delay``."""
    run = run_polling([], {"timeout": 100, "initial_delay": 2, "max_delay": 10})
    assert run.delays[:6] == [2, 3, 4.5, 6.75, 10, 10]
    assert set(run.delays[4:]) == {10}
    assert sum(run.delays) < 100
    longer = run_polling([], {"timeout": 100, "initial_delay": 20, "max_delay": 10})
    assert set(longer.delays) == {20}


def test_polls_are_reported() -> None:
    """The callback receives the number of the poll and the seconds elapsed."""
    run = run_polling([], {"timeout": 30, "initial_delay": 2, "max_delay": 4}, poll_seconds=1.0)
    assert run.polls == [(0, 2), (1, 6), (2, 11), (3, 16), (4, 21), (5, 26)]


def test_retry_after_lengthens_one_delay() -> None:
    """``Retry-After`` lengthens the next delay, and no later one."""
    rate_limited = create_response(b'{"error": "slow"}', 429, **{"retry-after": "60"})
    run = run_polling([rate_limited], {"timeout": 400, "initial_delay": 2, "max_delay": 10})
    assert run.delays[:5] == [2, 60, 4.5, 6.75, 10]


def test_a_retry_after_beyond_the_timeout_raises() -> None:
    """A ``Retry-After`` that exceeds the remaining time raises `APITimeoutError` at once."""
    rate_limited = create_response(b'{"error": "slow"}', 429, **{"retry-after": "9999"})
    run = run_polling([rate_limited], {"timeout": 400, "initial_delay": 2})
    assert run.delays == [2]
    assert isinstance(run.result, APITimeoutError)


positive = st.floats(0.01, 5000)
OUTCOMES: list[Outcome] = [
    create_response(b'""'),
    create_response(b"null"),
    create_response(b"", 202),
    create_response(b'{"error": "slow"}', 429),
    create_response(b'{"error": "slow"}', 429, **{"retry-after": "7"}),
    create_response(b"<html>x</html>", 502),
    create_response(b'{"choices": []}'),
    create_response(b"<html>x</html>", 200),
    create_response(b'{"message": "Not Found"}', 404),
]


@given(
    st.lists(st.sampled_from(OUTCOMES), max_size=5),
    st.fixed_dictionaries(
        dict.fromkeys(("timeout", "poll_timeout", "initial_delay", "max_delay"), positive)
    ),
    st.sampled_from([0.0, 0.5, 40.0]),
)
def test_the_timeout_limits_polls_and_delays(
    outcomes: list[Outcome], options: dict[str, float], poll_seconds: float
) -> None:
    """At least one poll is sent, none starts after the timeout, and each has a limited timeout."""
    run = run_polling(outcomes, options, poll_seconds=poll_seconds)
    assert len(run.timeouts) >= 1
    assert run.delays[0] == min(options["initial_delay"], options["timeout"] / 2)
    for (number, elapsed), timeout in zip(run.polls, run.timeouts, strict=True):
        assert elapsed < options["timeout"]
        assert 0 < timeout <= options["poll_timeout"]
        assert timeout <= max(options["timeout"] - elapsed, 0.001) + 1e-9
        assert number == run.polls.index((number, elapsed))
    for earlier, later in pairwise(run.delays):
        assert later <= max(earlier * 1.5, options["max_delay"], 7)
    if isinstance(run.result, APITimeoutError):
        assert "The deferred completion r was not ready within" in str(run.result)
        assert "24 hours" in str(run.result)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (create_response(b'{"message": "Not Found"}', 404), RouteNotFoundError),
        (create_response(b'{"error": "violates usage guidelines"}', 403), XAILowCodeError),
        (
            RequestFailed(APIConnectionError("x", request_sent=True), response_started=True),
            APIConnectionError,
        ),
    ],
)
def test_a_permanent_error_ends_polling(outcome: Outcome, error: type[XAILowCodeError]) -> None:
    """An error that is not transient is raised after one poll."""
    if isinstance(outcome, RequestFailed) and isinstance(outcome.error, APIConnectionError):
        outcome.error.response_started = True
    run = run_polling([outcome], {"timeout": 50})
    assert isinstance(run.result, error)
    assert len(run.delays) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_polling_continues_after_transient_errors(status: int) -> None:
    """Rate limits and outages are polled through until the timeout, like pending responses."""
    failed, pending = (
        run_polling([create_response(b"", status)] * 99, {"timeout": 60}),
        run_polling([], {"timeout": 60}),
    )
    assert isinstance(failed.result, APITimeoutError)
    assert str(failed.result) == str(pending.result)
    assert failed.polls == pending.polls
    assert len(failed.polls) > 3
