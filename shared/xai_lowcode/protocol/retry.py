"""Retry policy: whether a failed call is retried, and after which delay.

``errors`` defines which errors are transient; this module adds what the call allows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xai_lowcode._internal.values import Value
from xai_lowcode.errors import APITimeoutError, XAILowCodeError

INITIAL_DELAY = 0.5
MAX_DELAY = 30.0

MAX_WAIT = 120.0
"""Seconds; a retry that is due later is not made."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RetryPolicy(Value):
    """Limits of the attempts at one call.

    Attributes:
        max_retries: Retries after the first attempt.
        deadline: Seconds for the call with all its attempts; None for no limit.
    """

    max_retries: int = 2
    deadline: float | None = None


class RetryState:
    """The attempts at one call: their number, and the time left.

    A stream that reports an error before any content continues with the same state.

    Args:
        policy: The limits.
        clock: Returns monotonic seconds.
        jitter: Returns random numbers from 0 to 1, which spread clients that failed together.

    Attributes:
        attempts: Number of attempts so far.
        headers: Headers of the last successful response, lower-case names.
    """

    def __init__(
        self, policy: RetryPolicy, clock: Callable[[], float], jitter: Callable[[], float]
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._start = clock() if policy.deadline is not None else 0.0
        self.attempts = 1
        self.headers: Mapping[str, str] = {}

    def remaining(self) -> float | None:
        """Return the seconds left before the deadline; None without one.

        Raises:
            APITimeoutError: The deadline has passed.
        """
        if self._policy.deadline is None:
            return None
        remaining = self._policy.deadline - (self._clock() - self._start)
        if remaining <= 0:
            raise APITimeoutError(
                f"The call did not complete within its deadline of {self._policy.deadline} s."
            )
        return remaining

    def next_delay(self, error: XAILowCodeError, *, idempotent: bool, request_sent: bool) -> float:
        """Return the seconds to wait before the next attempt, and count it.

        Args:
            error: The error of the last attempt.
            idempotent: Whether the endpoint may be called twice without harm or cost.
            request_sent: Whether the request may be processed although no response came.

        Raises:
            XAILowCodeError: ``error`` itself, if the call is not retried.
        """
        if self.attempts > self._policy.max_retries or not _is_retry_allowed(
            error, idempotent=idempotent, request_sent=request_sent
        ):
            raise error
        delay = backoff_delay(self.attempts, error.retry_after, self._jitter())
        self.check_delay(delay, error)
        self.attempts += 1
        return delay

    def check_delay(self, delay: float, error: XAILowCodeError) -> None:
        """Raise ``error`` if the next attempt would be too late."""
        remaining = self.remaining()
        if delay > MAX_WAIT or (remaining is not None and delay >= remaining):
            error.add_note(f"Not retried: the next attempt would be due in {delay:.0f} s.")
            raise error


def _is_retry_allowed(error: XAILowCodeError, *, idempotent: bool, request_sent: bool) -> bool:
    if isinstance(error, APITimeoutError) and request_sent:
        # The generation may still be running and is paid for; a second one would cost again.
        return idempotent
    return error.is_retryable


def backoff_delay(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Return the delay after a failed attempt in seconds, at least ``retry_after``.

    Args:
        attempt: Number of the attempt that failed, from 1.
        retry_after: Seconds from its ``Retry-After`` header; None without one.
        jitter: A number from 0 to 1.
    """
    if retry_after is not None:
        return retry_after + jitter * min(retry_after, 1.0)
    return jitter * min(MAX_DELAY, INITIAL_DELAY * 2.0 ** (attempt - 1))
