"""How many requests at one time, and how fast: a place among them, and the user's rate limiter.

A request takes a place, asks the limiter, and leaves. What the limiter counts is therefore what is
sent, and one that waits for the limiter keeps no other from sending: all wait for the same one.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from xai_lowcode._internal.fork_safety import reset_after_fork
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.transport.rate_limit import RateLimiterAdapter, as_rate_limiter


class Slot:
    """A place among the requests in flight, held or waited for."""

    __slots__ = ("_gone", "_held", "_room", "_wake")

    def __init__(
        self, room: "ConcurrencyLimiter | None", wake: Callable[[], Any] | None = None
    ) -> None:
        self._room = room
        self._wake = wake
        self._held: list[None] = []
        self._gone = False

    def take(self) -> bool:
        """Takes a free place, if there is one and nobody waits."""
        room = self._room
        if room is None:
            return True
        if room.waiting:
            return False
        try:
            self._held.append(room.free.pop())
        except IndexError:
            return False
        return True

    def queue(self) -> None:
        """Waits in line; ``wake`` is called when the place is held."""
        if self._room is not None:
            self._room.waiting.append(self)
            self._room.serve()

    def receive(self) -> bool:
        """Is given a place after waiting; whether there was still somebody to take it."""
        self._held.append(None)
        try:
            if self._wake is not None:
                self._wake()
        except RuntimeError:  # the event loop that waited was closed
            self._gone = True
        return not (self._gone and self._let_go())

    def leave(self) -> None:
        """Gives the place to whoever waited longest; more than once does no harm."""
        self._gone = True
        if self._room is not None and self._let_go():
            self._room.free.append(None)
            self._room.serve()

    def withdraw(self) -> None:
        """Waits no longer."""
        if self._room is not None:
            with contextlib.suppress(ValueError):
                self._room.waiting.remove(self)
        self.leave()

    def _let_go(self) -> bool:
        try:
            self._held.pop()
        except IndexError:
            return False
        return True


class ConcurrencyLimiter:
    """The places of one process, and who waits for one, in order."""

    __slots__ = ("free", "waiting")

    def __init__(self, number: int) -> None:
        self.free: deque[None] = deque([None] * number)
        self.waiting: deque[Slot] = deque()

    def serve(self) -> None:
        """Gives free places to those who wait.

        Whoever adds a place or somebody who waits calls it afterwards, so one of them sees both.
        """
        while self.free and self.waiting:
            try:
                free = self.free.pop()
            except IndexError:
                continue
            try:
                served = self.waiting.popleft().receive()
            except IndexError:
                served = False
            if not served:
                self.free.append(free)


NO_SLOT = Slot(None)
"""For a request that needs no place."""


T = TypeVar("T")


class RequestLimits:
    """Who may send when: places shared by threads and by the tasks of all event loops, in order.

    Args:
        max_concurrency: Requests in flight at one time; None for no limit.
        limiter: Asked before each request; None for none.
    """

    def __init__(self, max_concurrency: int | None, limiter: RateLimiterAdapter | None) -> None:
        self.max_concurrency = max_concurrency
        self.limiter = limiter
        self._room: ConcurrencyLimiter | None = None
        self.renew()
        reset_after_fork(self)

    def renew(self) -> None:
        """Forgets who holds or waits: in a forked child these are the parent's threads."""
        number = self.max_concurrency
        self._room = None if number is None else ConcurrencyLimiter(number)

    def enter(self, within: float | None, *, rated: bool) -> tuple[APITimeoutError | None, Slot]:
        """Waits for a place, then for the limiter.

        Args:
            within: Seconds to wait at most; None for as long as it takes.
            rated: Whether to ask the limiter.

        Returns:
            What went wrong, and the place, which is to be left.
        """
        end = None if within is None else monotonic() + within
        woken = threading.Lock()
        place = Slot(self._room, woken.release)
        try:
            if not place.take():
                woken.acquire()
                place.queue()
                if not woken.acquire(timeout=-1 if within is None else within):
                    place.withdraw()
                    return self._late(within), place
            if rated and self.limiter is not None and not self.limiter.acquire_by(end):
                place.leave()
                return _timeout_error(within), place
        except BaseException:
            place.withdraw()
            raise
        return None, place

    async def aenter(
        self, within: float | None, *, rated: bool
    ) -> tuple[APITimeoutError | None, Slot]:
        """The same in a coroutine."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        place = Slot(self._room, lambda: loop.call_soon_threadsafe(_grant, woken))
        late = self._late
        try:
            async with asyncio.timeout(within) as patience:
                if not place.take():
                    place.queue()
                    await woken
                late = _timeout_error
                if rated and self.limiter is not None and not await self.limiter.aacquire():
                    place.leave()
                    return late(within), place
        except BaseException as exception:
            place.withdraw()
            if isinstance(exception, TimeoutError) and patience.expired():
                return late(within), place
            raise
        return None, place

    def _late(self, within: float | None) -> APITimeoutError:
        return APITimeoutError(
            f"No place was free within {within or 0:.3g} s:"
            f" {self.max_concurrency} requests were in flight (max_concurrency). Nothing was sent."
        )


def _timeout_error(within: float | None) -> APITimeoutError:
    time = "" if within is None else f" within {within:.3g} s"
    return APITimeoutError(f"The rate_limiter gave no leave{time}. Nothing was sent.")


def _grant(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def create_limits(max_concurrency: int | None, rate_limiter: Any) -> RequestLimits | None:
    """The limits of a gateway object; None where there are none."""
    limiter = as_rate_limiter(rate_limiter)
    if max_concurrency is None and limiter is None:
        return None
    return RequestLimits(max_concurrency, limiter)


def get_rate_limiter(session: CallContext) -> RateLimiterAdapter | None:
    """The rate limiter that a session's calls ask."""
    return session.limits.limiter if isinstance(session.limits, RequestLimits) else None


def rebuild(kind: Callable[..., T], settings: Any, limiter: RateLimiterAdapter | None) -> T:
    """A client made anew from what went into its pickle."""
    return kind(settings, rate_limiter=limiter)
