"""The user's rate limiter, whoever made it: one form for LangChain's, LlamaIndex's and others."""

import inspect
import pickle
import warnings
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, TypeVar

from xai_lowcode.errors import UsageError

# How often a limiter that can be asked without waiting is asked, where a deadline must be kept.
_LOOK_SECONDS = 0.02
_NEEDED = (
    "an object with acquire() and aacquire() is needed, such as LangChain's InMemoryRateLimiter,"
    " or with acquire() and async_acquire(), as LlamaIndex has"
)


class RateLimiterAdapter:
    """A rate limiter of any make, with the methods of LangChain's and of LlamaIndex's.

    Copies stand for the same limiter. In a pickle it goes along if it can; one that cannot is left
    behind with a warning, since what it counted was this process alone.

    Args:
        wrapped: Has ``acquire()``, and ``aacquire()`` or ``async_acquire()``.

    Raises:
        UsageError: It has not.
    """

    __slots__ = ("_aacquire", "_aasks", "_acquire", "_asks", "wrapped")

    def __init__(self, wrapped: Any) -> None:
        acquire = getattr(wrapped, "acquire", None)
        aacquire = getattr(wrapped, "aacquire", None) or getattr(wrapped, "async_acquire", None)
        if isinstance(wrapped, type) or not callable(acquire) or not callable(aacquire):
            kind = wrapped.__name__ if isinstance(wrapped, type) else type(wrapped).__name__
            raise UsageError(f"rate_limiter: {_NEEDED}, not {kind}.", field="rate_limiter")
        self.wrapped = wrapped
        self._asks, self._aasks = _accepts_blocking(acquire), _accepts_blocking(aacquire)
        self._acquire, self._aacquire = acquire, aacquire

    def acquire(self, *, blocking: bool = True) -> bool:
        """Waits for leave; with ``blocking=False`` asks for it, if the limiter knows the word."""
        leave = self._acquire(blocking=blocking) if self._asks else self._acquire()
        return leave is not False

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Waits for leave in a coroutine; see ``acquire``."""
        leave = await (self._aacquire(blocking=blocking) if self._aasks else self._aacquire())
        return leave is not False

    async def async_acquire(self, num_tokens: int = 0) -> None:
        """LlamaIndex's name for ``aacquire``."""
        del num_tokens
        await self.aacquire()

    def acquire_by(self, end: float | None) -> bool:
        """Waits for leave until a moment of the monotonic clock.

        A limiter that only knows how to wait is not interrupted.
        """
        if end is None or not self._asks:
            return self.acquire()
        while not self.acquire(blocking=False):
            if monotonic() >= end:
                return False
            sleep(_LOOK_SECONDS)
        return True

    def __copy__(self) -> "RateLimiterAdapter":
        return self

    def __deepcopy__(self, _memo: Any) -> "RateLimiterAdapter":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        carried = picklable_or_none(self.wrapped)
        return (type(None), ()) if carried is None else (RateLimiterAdapter, (carried,))


def as_rate_limiter(wrapped: Any) -> RateLimiterAdapter | None:
    """A rate limiter as this package takes it; None stays None.

    Raises:
        UsageError: It is none.
    """
    return (
        wrapped
        if wrapped is None or isinstance(wrapped, RateLimiterAdapter)
        else RateLimiterAdapter(wrapped)
    )


def picklable_or_none(limiter: Any) -> Any:
    """A limiter that can go into a pickle; None, with a warning, for one that cannot."""
    try:
        pickle.dumps(limiter)
    except Exception:  # noqa: BLE001 - objects of any kind refuse with errors of any kind
        warnings.warn(
            f"rate_limiter: {type(limiter).__name__} counts within this process and cannot be"
            " pickled: the copy goes without it. See docs/concurrency.md for one that is shared.",
            UserWarning,
            stacklevel=3,
        )
        return None
    return limiter


def _accepts_blocking(acquire: Any) -> bool:
    try:
        return "blocking" in inspect.signature(acquire).parameters
    except (TypeError, ValueError):
        return False


T = TypeVar("T")


def rate_limiter_of(limits: Any) -> RateLimiterAdapter | None:
    """Return the rate limiter of a client's limits, for its pickle."""
    return None if limits is None else limits.rate_limiter


def rebuild(kind: Callable[..., T], settings: Any, rate_limiter: RateLimiterAdapter | None) -> T:
    """Create a client from what is in its pickle."""
    return kind(settings, rate_limiter=rate_limiter)
