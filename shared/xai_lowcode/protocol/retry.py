"""Whether a failed call is made again, and after how long.

Whether an error may pass by itself is a property of its class (``errors``); here stands what the
call itself allows, and the arithmetic of waiting.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xai_lowcode.errors import APITimeoutError, XAILowCodeError

INITIAL_DELAY = 0.5
MAX_DELAY = 30.0
MAX_RETRY_AFTER = 120.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and until when.

    Attributes:
        max_retries: Repeats after the first attempt.
        deadline: Seconds for the whole call; None for no limit.
    """

    max_retries: int = 2
    deadline: float | None = None


class RetryState:
    """The attempts of one call: how many were made, how long the rest may take.

    A call whose response turns out to report an error goes on with the same attempts.

    Args:
        policy: The limits.
        clock: Monotonic seconds.
        jitter: Random numbers from 0 to 1; full jitter spreads clients that failed together.

    Attributes:
        made: How many attempts were made.
        headers: The headers of the last response that was a success, lower-case names.
    """

    def __init__(
        self, policy: RetryPolicy, clock: Callable[[], float], jitter: Callable[[], float]
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._began = clock() if policy.deadline is not None else 0.0
        self.made = 1
        self.headers: Mapping[str, str] = {}

    def remaining(self) -> float | None:
        """Seconds left before the deadline; None without one.

        Raises:
            APITimeoutError: None are left.
        """
        if self._policy.deadline is None:
            return None
        left = self._policy.deadline - (self._clock() - self._began)
        if left <= 0:
            raise APITimeoutError(
                f"The call did not end within its deadline of {self._policy.deadline} s."
            )
        return left

    def next_delay(self, error: XAILowCodeError, *, idempotent: bool, reached: bool) -> float:
        """Seconds to wait before the next attempt.

        Args:
            error: What came of the last one.
            idempotent: Whether a second execution does no harm.
            reached: Whether the request may be being carried out although no answer came.

        Raises:
            XAILowCodeError: The error itself, if there is to be no next attempt.
        """
        if self.made > self._policy.max_retries or not _is_retry_allowed(
            error, idempotent, reached
        ):
            raise error
        seconds = backoff_delay(self.made, error.retry_after, self._jitter())
        left = self.remaining()
        if seconds > MAX_RETRY_AFTER or (left is not None and seconds >= left):
            error.add_note(f"Not tried again: that would have meant to wait {seconds:.0f} s.")
            raise error
        self.made += 1
        return seconds


def _is_retry_allowed(error: XAILowCodeError, idempotent: bool, reached: bool) -> bool:
    if isinstance(error, APITimeoutError) and reached:
        # The generation may still be running and is paid for; a second one would cost again.
        return idempotent
    return error.is_retryable


def backoff_delay(attempt: int, asked: float | None, jitter: float) -> float:
    """Seconds to wait after a failed attempt; never less than the other side asked for.

    Args:
        attempt: 1 after the first attempt.
        asked: Its ``Retry-After`` in seconds.
        jitter: A number from 0 to 1.
    """
    if asked is not None:
        return asked + jitter * min(asked, 1.0)
    return jitter * min(MAX_DELAY, INITIAL_DELAY * 2.0 ** (attempt - 1))
