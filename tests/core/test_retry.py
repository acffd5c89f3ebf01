"""Law: waits never undercut what was asked, grow to a ceiling, and end with the deadline."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode import errors
from xai_lowcode.protocol.retry import (
    MAX_DELAY,
    MAX_WAIT,
    RetryPolicy,
    RetryState,
    backoff_delay,
)

jitters = st.floats(0, 1)


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def attempts(policy: RetryPolicy, clock: Clock, jitter: float = 0.5) -> RetryState:
    return RetryState(policy, clock, lambda: jitter)


@given(st.integers(1, 50), st.floats(0, 1_000), jitters)
def test_what_was_asked_is_never_undercut(attempt: int, asked: float, jitter: float) -> None:
    """With a Retry-After the wait is at least that, and at most a second longer."""
    assert asked <= backoff_delay(attempt, asked, jitter) <= asked + 1


@given(st.integers(1, 50), jitters)
def test_without_a_word_waits_are_bounded(attempt: int, jitter: float) -> None:
    """Without a Retry-After the wait lies between nothing and the ceiling."""
    assert 0 <= backoff_delay(attempt, None, jitter) <= MAX_DELAY


def test_without_a_word_the_span_doubles() -> None:
    """Each failed attempt doubles the span of the wait, up to the ceiling."""
    for shorter, longer in pairwise(backoff_delay(attempt, None, 1.0) for attempt in range(1, 12)):
        assert longer == min(2 * shorter, MAX_DELAY)


@given(st.integers(0, 5))
def test_repeats_are_counted(max_retries: int) -> None:
    """There are as many repeats as allowed, then the error itself is raised."""
    tried = attempts(RetryPolicy(max_retries), Clock())
    error = errors.RateLimitError("slow down")
    for _ in range(max_retries):
        tried.next_delay(error, idempotent=False, request_sent=False)
    with pytest.raises(errors.RateLimitError) as raised:
        tried.next_delay(error, idempotent=False, request_sent=False)
    assert raised.value is error


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        *errors.XAILowCodeError.__subclasses__(),
        errors.APITimeoutError,
        errors.RateLimitError,
        errors.InternalServerError,
    ],
)
def test_only_what_may_pass_is_repeated(
    kind: type[errors.XAILowCodeError], idempotent: bool, reached: bool
) -> None:
    """Retryable errors are repeated, but not a call that may still be running and costs again."""
    dear = kind is errors.APITimeoutError and reached and not idempotent
    tried = attempts(RetryPolicy(1), Clock())
    if kind.is_retryable and not dear:
        assert tried.next_delay(kind("x"), idempotent=idempotent, request_sent=reached) >= 0
    else:
        with pytest.raises(kind):
            tried.next_delay(kind("x"), idempotent=idempotent, request_sent=reached)


@given(st.floats(0, 300), st.floats(0.1, 300), st.floats(0, 300), jitters)
def test_no_wait_passes_the_deadline(
    asked: float, deadline: float, passed: float, jitter: float
) -> None:
    """A wait that would end after the deadline, or is absurdly long, is not begun."""
    clock = Clock()
    tried = attempts(RetryPolicy(2, deadline), clock, jitter)
    clock.now += passed
    error = errors.RateLimitError("slow down", retry_after=asked)
    try:
        seconds = tried.next_delay(error, idempotent=True, request_sent=False)
    except errors.RateLimitError:
        asked_in_all = backoff_delay(1, asked, jitter)
        assert asked_in_all > MAX_WAIT or clock.now + asked_in_all >= 100 + deadline
        assert "Not retried" in error.__notes__[0]
    except errors.APITimeoutError:
        assert clock.now - 100 >= deadline
    else:
        assert asked <= seconds < deadline - (clock.now - 100)


@given(st.floats(0.1, 100), st.floats(0, 200))
def test_the_time_left_is_what_is_left(deadline: float, passed: float) -> None:
    """What remains of a deadline is never negative or zero; without one there is no limit."""
    clock = Clock()
    tried, free = attempts(RetryPolicy(2, deadline), clock), attempts(RetryPolicy(2), clock)
    clock.now += passed
    assert free.remaining() is None
    try:
        left = tried.remaining()
    except errors.APITimeoutError:
        assert clock.now - 100 >= deadline
    else:
        assert left is not None
        assert 0 < left <= deadline
