"""Concurrency slots and rate limiting: how many requests run at one time, and how fast they start.

A request acquires a slot, then asks the rate limiter, and releases the slot when its response was
read. The rate limiter therefore counts what is sent.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from xai_lowcode._internal.fork_safety import reset_after_fork
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.transport.rate_limit import as_rate_limiter


class Slot:
    """A slot of a ``ConcurrencyLimiter``, acquired or waited for."""

    __slots__ = ("_acquired", "_limiter", "_released", "_wake")

    def __init__(
        self, limiter: "ConcurrencyLimiter | None", wake: Callable[[], Any] | None = None
    ) -> None:
        self._limiter = limiter
        self._wake = wake
        # A list, since append and pop are atomic.
        self._acquired: list[None] = []
        self._released = False

    def try_acquire(self) -> bool:
        """Acquire a free slot unless others wait; return whether it was acquired."""
        limiter = self._limiter
        if limiter is None:
            return True
        if limiter.waiters:
            return False
        try:
            self._acquired.append(limiter.free.pop())
        except IndexError:
            return False
        return True

    def enqueue(self) -> None:
        """Wait in line. ``wake`` is called when the slot is acquired."""
        if self._limiter is not None:
            self._limiter.waiters.append(self)
            self._limiter.wake_waiters()

    def grant(self) -> bool:
        """Acquire the slot for the waiter; return False if nobody waits any more."""
        self._acquired.append(None)
        try:
            if self._wake is not None:
                self._wake()
        except RuntimeError:  # the event loop of the waiter was closed
            self._released = True
        return not (self._released and self._pop())

    def release(self) -> None:
        """Release the slot and wake the longest waiter. Idempotent."""
        self._released = True
        if self._limiter is not None and self._pop():
            self._limiter.free.append(None)
            self._limiter.wake_waiters()

    def cancel(self) -> None:
        """Stop waiting, and release the slot if it was acquired."""
        if self._limiter is not None:
            with contextlib.suppress(ValueError):
                self._limiter.waiters.remove(self)
        self.release()

    def __del__(self) -> None:
        # An async generator that is abandoned with its closed event loop runs no ``finally``.
        self.release()

    def _pop(self) -> bool:
        try:
            self._acquired.pop()
        except IndexError:
            return False
        return True


class ConcurrencyLimiter:
    """A FIFO concurrency limiter shared by threads and asyncio tasks, without a lock.

    Args:
        slots: Number of slots.
    """

    __slots__ = ("free", "waiters")

    def __init__(self, slots: int) -> None:
        self.free: deque[None] = deque([None] * slots)
        self.waiters: deque[Slot] = deque()

    def wake_waiters(self) -> None:
        """Grant free slots to waiters.

        Called after a slot was freed and after a waiter was added, so that one of both calls sees
        the two together.
        """
        while self.free and self.waiters:
            try:
                slot = self.free.pop()
            except IndexError:
                continue
            try:
                granted = self.waiters.popleft().grant()
            except IndexError:
                granted = False
            if not granted:
                self.free.append(slot)


NO_SLOT = Slot(None)
"""The slot of a request that needs none."""


class RequestLimits:
    """Limits that the requests of a client share, across threads, tasks and event loops.

    Args:
        max_concurrency: Requests at one time; None for no limit.
        rate_limiter: Asked before each request; None for none.

    Raises:
        UsageError: ``rate_limiter`` is not a rate limiter.
    """

    def __init__(self, max_concurrency: int | None, rate_limiter: Any) -> None:
        self.max_concurrency = max_concurrency
        self.rate_limiter = as_rate_limiter(rate_limiter)
        self._limiter: ConcurrencyLimiter | None = None
        self.reset()
        if max_concurrency is not None:
            reset_after_fork(self)

    def reset(self) -> None:
        """Make all slots free. In a forked child they are held by threads of the parent."""
        slots = self.max_concurrency
        self._limiter = None if slots is None else ConcurrencyLimiter(slots)

    def acquire(self, timeout: float | None, *, use_rate_limiter: bool) -> Slot:
        """Wait for a slot, then for the rate limiter.

        Args:
            timeout: Seconds to wait; None for no limit.
            use_rate_limiter: Whether to ask the rate limiter.

        Returns:
            The slot, which the caller releases.

        Raises:
            APITimeoutError: No slot became free, or the rate limiter did not permit the request.
        """
        if self._limiter is None and self.rate_limiter is None:
            return NO_SLOT
        deadline = None if timeout is None else monotonic() + timeout
        wakeup = threading.Lock()
        slot = Slot(self._limiter, wakeup.release)
        try:
            if not slot.try_acquire():
                wakeup.acquire()
                slot.enqueue()
                self._wait(wakeup, timeout)
            if use_rate_limiter and self.rate_limiter is not None:
                permitted = self.rate_limiter.acquire_by(deadline)
                _check_permitted(permitted, timeout)
        except BaseException:
            slot.cancel()
            raise
        return slot

    async def aacquire(self, timeout: float | None, *, use_rate_limiter: bool) -> Slot:  # noqa: ASYNC109 - as in acquire
        """Wait for a slot, then for the rate limiter; see ``acquire``."""
        if self._limiter is None and self.rate_limiter is None:
            return NO_SLOT
        loop = asyncio.get_running_loop()
        wakeup: asyncio.Future[None] = loop.create_future()
        slot = Slot(self._limiter, lambda: loop.call_soon_threadsafe(_set_result, wakeup))
        timeout_error = self._no_slot_error
        try:
            async with asyncio.timeout(timeout) as timer:
                if not slot.try_acquire():
                    slot.enqueue()
                    await wakeup
                timeout_error = _rate_limiter_error
                if use_rate_limiter and self.rate_limiter is not None:
                    _check_permitted(await self.rate_limiter.aacquire(), timeout)
        except BaseException as exception:
            slot.cancel()
            if isinstance(exception, TimeoutError) and timer.expired():
                raise timeout_error(timeout) from None
            raise
        return slot

    def _wait(self, wakeup: Any, timeout: float | None) -> None:
        if not wakeup.acquire(timeout=-1 if timeout is None else timeout):
            raise self._no_slot_error(timeout)

    def _no_slot_error(self, timeout: float | None) -> APITimeoutError:
        return APITimeoutError(
            f"max_concurrency: no slot became free within {timeout or 0:.3g} s;"
            f" {self.max_concurrency} requests are running. Nothing was sent."
        )


def _rate_limiter_error(timeout: float | None) -> APITimeoutError:
    within = "" if timeout is None else f" within {timeout:.3g} s"
    return APITimeoutError(
        f"rate_limiter: the request was not permitted{within}. Nothing was sent."
    )


def _check_permitted(permitted: bool, timeout: float | None) -> None:
    if not permitted:
        raise _rate_limiter_error(timeout)


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
