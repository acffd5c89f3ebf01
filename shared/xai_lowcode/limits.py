"""How many requests at one time, and how fast: a place among them, and the user's rate limiter.

A request takes a place, asks the limiter, and leaves. What the limiter counts is therefore what is
sent, and one that waits for the limiter keeps no other from sending: all wait for the same one.
"""

import asyncio
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from xai_lowcode.errors import APITimeoutError
from xai_lowcode.exchange import Session
from xai_lowcode.forks import renew_in_child
from xai_lowcode.limiters import Limiter, limiter_of
from xai_lowcode.places import Place, Room

T = TypeVar("T")


class Limits:
    """Who may send when: places shared by threads and by the tasks of all event loops, in order.

    Args:
        max_concurrency: Requests in flight at one time; None for no limit.
        limiter: Asked before each request; None for none.
    """

    def __init__(self, max_concurrency: int | None, limiter: Limiter | None) -> None:
        self.max_concurrency = max_concurrency
        self.limiter = limiter
        self._room: Room | None = None
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forgets who holds or waits: in a forked child these are the parent's threads."""
        number = self.max_concurrency
        self._room = None if number is None else Room(number)

    def enter(self, within: float | None, *, rated: bool) -> tuple[APITimeoutError | None, Place]:
        """Waits for a place, then for the limiter.

        Args:
            within: Seconds to wait at most; None for as long as it takes.
            rated: Whether to ask the limiter.

        Returns:
            What went wrong, and the place, which is to be left.
        """
        end = None if within is None else monotonic() + within
        woken = threading.Lock()
        place = Place(self._room, woken.release)
        try:
            if not place.take():
                woken.acquire()
                place.queue()
                if not woken.acquire(timeout=-1 if within is None else within):
                    place.withdraw()
                    return self._late(within), place
            if rated and self.limiter is not None and not self.limiter.acquire_by(end):
                place.leave()
                return _refused(within), place
        except BaseException:
            place.withdraw()
            raise
        return None, place

    async def aenter(
        self, within: float | None, *, rated: bool
    ) -> tuple[APITimeoutError | None, Place]:
        """The same in a coroutine."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        place = Place(self._room, lambda: loop.call_soon_threadsafe(_settle, woken))
        late = self._late
        try:
            async with asyncio.timeout(within) as patience:
                if not place.take():
                    place.queue()
                    await woken
                late = _refused
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


def _refused(within: float | None) -> APITimeoutError:
    time = "" if within is None else f" within {within:.3g} s"
    return APITimeoutError(f"The rate_limiter gave no leave{time}. Nothing was sent.")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def limits_of(max_concurrency: int | None, rate_limiter: Any) -> Limits | None:
    """The limits of a gateway object; None where there are none."""
    limiter = limiter_of(rate_limiter)
    if max_concurrency is None and limiter is None:
        return None
    return Limits(max_concurrency, limiter)


def limiter_in(session: Session) -> Limiter | None:
    """The rate limiter that a session's calls ask."""
    return session.limits.limiter if isinstance(session.limits, Limits) else None


def remade(kind: Callable[..., T], settings: Any, limiter: Limiter | None) -> T:
    """A client made anew from what went into its pickle."""
    return kind(settings, rate_limiter=limiter)
