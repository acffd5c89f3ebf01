"""Adapter for rate limiters with the interface of LangChain or of LlamaIndex."""

import inspect
import pickle
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, TypeVar

from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.errors import UsageError

# Interval at which a rate limiter with acquire(blocking=False) is polled until a deadline.
_POLL_INTERVAL = 0.02


class RateLimiterAdapter:
    """Wraps a rate limiter; has the methods of LangChain's and of LlamaIndex's rate limiters.

    A copy shares the wrapped rate limiter. Pickling includes it if it can be pickled; otherwise it
    is omitted with a warning.

    Args:
        wrapped: An object with ``acquire()``, and ``aacquire()`` or ``async_acquire()``.

    Raises:
        UsageError: A method is missing.
    """

    __slots__ = (
        "_aacquire",
        "_aacquire_has_blocking",
        "_acquire",
        "_acquire_has_blocking",
        "wrapped",
    )

    def __init__(self, wrapped: Any) -> None:
        acquire = getattr(wrapped, "acquire", None)
        aacquire = getattr(wrapped, "aacquire", None) or getattr(wrapped, "async_acquire", None)
        if isinstance(wrapped, type) or not callable(acquire) or not callable(aacquire):
            name = wrapped.__name__ if isinstance(wrapped, type) else type(wrapped).__name__
            raise UsageError(
                f"rate_limiter: {name} is not a rate limiter."
                " Pass an object with acquire() and aacquire(), such as LangChain's"
                " InMemoryRateLimiter, or with acquire() and async_acquire(), as in LlamaIndex.",
                field="rate_limiter",
            )
        self.wrapped = wrapped
        self._acquire, self._acquire_has_blocking = acquire, _accepts_blocking(acquire)
        self._aacquire, self._aacquire_has_blocking = aacquire, _accepts_blocking(aacquire)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Wait until the rate limiter permits a request; return whether it does.

        Args:
            blocking: False to return at once, if the rate limiter has this parameter.
        """
        options = {"blocking": blocking} if self._acquire_has_blocking else {}
        return self._acquire(**options) is not False

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Wait until the rate limiter permits a request; see ``acquire``."""
        options = {"blocking": blocking} if self._aacquire_has_blocking else {}
        return await self._aacquire(**options) is not False

    async def async_acquire(self, num_tokens: int = 0) -> None:
        """Wait until the rate limiter permits a request: LlamaIndex's name for ``aacquire``."""
        del num_tokens
        await self.aacquire()

    def acquire_by(self, deadline: float | None) -> bool:
        """Wait until the rate limiter permits a request, or until a deadline.

        A rate limiter whose ``acquire`` has no parameter ``blocking`` may exceed the deadline.

        Args:
            deadline: Monotonic time; None for no limit.
        """
        if deadline is None or not self._acquire_has_blocking:
            return self.acquire()
        while not self.acquire(blocking=False):
            if monotonic() >= deadline:
                return False
            sleep(_POLL_INTERVAL)
        return True

    def __copy__(self) -> "RateLimiterAdapter":
        return self

    def __deepcopy__(self, _memo: Any) -> "RateLimiterAdapter":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        wrapped = picklable_or_none(self.wrapped)
        return (type(None), ()) if wrapped is None else (RateLimiterAdapter, (wrapped,))


def as_rate_limiter(rate_limiter: Any) -> RateLimiterAdapter | None:
    """Wrap a rate limiter unless it is wrapped already; return None for None.

    Raises:
        UsageError: It is not a rate limiter.
    """
    if rate_limiter is None or isinstance(rate_limiter, RateLimiterAdapter):
        return rate_limiter
    return RateLimiterAdapter(rate_limiter)


def picklable_or_none(rate_limiter: Any) -> Any:
    """Return a rate limiter that can be pickled; for any other one warn and return None."""
    try:
        pickle.dumps(rate_limiter)
    except Exception:  # noqa: BLE001 - pickling an object may raise anything
        warn_user(
            f"rate_limiter: {type(rate_limiter).__name__} cannot be pickled, and is not part of the"
            " copy. See docs/concurrency.md for a rate limiter that processes share."
        )
        return None
    return rate_limiter


def _accepts_blocking(acquire: Any) -> bool:
    try:
        return "blocking" in inspect.signature(acquire).parameters
    except (TypeError, ValueError):
        return False


T = TypeVar("T")


def rebuild_client(
    client_class: Callable[..., T],
    settings: Any,
    rate_limiter: RateLimiterAdapter | None,
    **http_clients: Any,
) -> T:
    """Create a client from its pickled state.

    Args:
        client_class: The class.
        settings: The settings.
        rate_limiter: The rate limiter.
        http_clients: The caller's httpx clients: copies share them, pickles do not have them.
    """
    return client_class(settings, rate_limiter=rate_limiter, **http_clients)
