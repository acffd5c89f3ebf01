"""Delays of retries: at least ``Retry-After``, exponential up to a maximum, within the deadline."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
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
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def create_state(policy: RetryPolicy, clock: Clock, jitter: float = 0.5) -> RetryState:
    return RetryState(policy, clock, lambda: jitter)


@given(st.integers(1, 50), st.floats(0, 1_000), jitters)
def test_the_delay_is_at_least_retry_after(attempt: int, retry_after: float, jitter: float) -> None:
    """A delay with ``Retry-After`` is at least that long, and at most one second longer."""
    assert retry_after <= backoff_delay(attempt, retry_after, jitter) <= retry_after + 1


@given(st.integers(1, 50), jitters)
def test_the_delay_has_a_maximum(attempt: int, jitter: float) -> None:
    """A delay without ``Retry-After`` is between zero and the maximum."""
    assert 0 <= backoff_delay(attempt, None, jitter) <= MAX_DELAY


def test_the_delay_doubles() -> None:
    """Each failed attempt doubles the longest possible delay, up to the maximum."""
    for shorter, longer in pairwise(backoff_delay(attempt, None, 1.0) for attempt in range(1, 12)):
        assert longer == min(2 * shorter, MAX_DELAY)


@given(st.integers(0, 5))
def test_retries_are_counted(max_retries: int) -> None:
    """After ``max_retries`` retries the error itself is raised."""
    state = create_state(RetryPolicy(max_retries), Clock())
    error = errors.RateLimitError("slow down")
    for _ in range(max_retries):
        state.next_delay(error, idempotent=False, request_sent=False)
    with pytest.raises(errors.RateLimitError) as raised:
        state.next_delay(error, idempotent=False, request_sent=False)
    assert raised.value is error


@for_each("request_sent", [True, False])
@for_each("idempotent", [True, False])
@for_each(
    "kind",
    [
        *errors.XAILowCodeError.__subclasses__(),
        errors.APITimeoutError,
        errors.RateLimitError,
        errors.InternalServerError,
    ],
)
def test_only_retryable_errors_are_retried(
    kind: type[errors.XAILowCodeError], idempotent: bool, request_sent: bool
) -> None:
    """Retryable errors are retried, unless a call that is not idempotent may still be running."""
    may_be_running = kind is errors.APITimeoutError and request_sent and not idempotent
    state = create_state(RetryPolicy(1), Clock())
    if kind.is_retryable and not may_be_running:
        assert state.next_delay(kind("x"), idempotent=idempotent, request_sent=request_sent) >= 0
    else:
        with pytest.raises(kind):
            state.next_delay(kind("x"), idempotent=idempotent, request_sent=request_sent)


@given(st.floats(0, 300), st.floats(0.1, 300), st.floats(0, 300), jitters)
def test_no_delay_exceeds_the_deadline(
    retry_after: float, deadline: float, elapsed: float, jitter: float
) -> None:
    """A delay that would end after the deadline, or exceed the limit, raises the error."""
    clock = Clock()
    state = create_state(RetryPolicy(2, deadline), clock, jitter)
    clock.now += elapsed
    error = errors.RateLimitError("slow down", retry_after=retry_after)
    try:
        seconds = state.next_delay(error, idempotent=True, request_sent=False)
    except errors.RateLimitError:
        delay = backoff_delay(1, retry_after, jitter)
        assert delay > MAX_WAIT or clock.now + delay >= 100 + deadline
        assert "Not retried" in error.__notes__[0]
    except errors.APITimeoutError:
        assert clock.now - 100 >= deadline
    else:
        assert retry_after <= seconds < deadline - (clock.now - 100)


@given(st.floats(0.1, 100), st.floats(0, 200))
def test_the_remaining_time(deadline: float, elapsed: float) -> None:
    """The remaining time is positive or raises; without a deadline it is None."""
    clock = Clock()
    state, unlimited = (
        create_state(RetryPolicy(2, deadline), clock),
        create_state(RetryPolicy(2), clock),
    )
    clock.now += elapsed
    assert unlimited.remaining() is None
    try:
        remaining = state.remaining()
    except errors.APITimeoutError:
        assert clock.now - 100 >= deadline
    else:
        assert remaining is not None
        assert 0 < remaining <= deadline
