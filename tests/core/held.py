"""How many requests are in flight, from arrival to last byte, and how many more may be."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import httpx

from tests.core.loopback import Reply, json_reply
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.transport.concurrency import RequestLimits

if TYPE_CHECKING:
    from xai_lowcode.transport.concurrency import Slot

MODELS = json_reply({"data": [{"id": "m"}]})
Player = Callable[[httpx.Request], Reply]


class InFlight:
    """Counts, from whichever thread.

    Attributes:
        now: Requests in flight.
        most: The most there were.
        sent: How many there were in all.
    """

    def __init__(self) -> None:
        self.now = self.most = self.sent = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """A request came."""
        with self._lock:
            self.now += 1
            self.sent += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        """Its answer was read, or left."""
        with self._lock:
            self.now -= 1


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The pieces of an answer; the request is in flight until it is closed."""

    def __init__(self, reply: Reply, flight: InFlight) -> None:
        self._pieces, self._flight, self._open = reply.pieces, flight, True

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        if self._open:
            self._open = False
            self._flight.leave()

    async def aclose(self) -> None:
        self.close()


class Held(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers after a moment, and counts.

    Args:
        seconds: How long the moment is.
        play: The answer to each request.
    """

    def __init__(self, seconds: float = 0.005, play: Player = lambda _request: MODELS) -> None:
        self.flight, self.seconds, self.play = InFlight(), seconds, play

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers."""
        self.flight.enter()
        try:
            time.sleep(self.seconds)
        except BaseException:
            self.flight.leave()
            raise
        return self._response(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers a coroutine."""
        self.flight.enter()
        try:
            await asyncio.sleep(self.seconds)
        except BaseException:
            self.flight.leave()
            raise
        return self._response(request)

    def _response(self, request: httpx.Request) -> httpx.Response:
        reply = self.play(request)
        headers = {"content-type": reply.content_type or ""}
        return httpx.Response(reply.status, headers=headers, stream=Body(reply, self.flight))


def free(limits: RequestLimits) -> int:
    """Return how many slots can be acquired without waiting."""
    slots: list[Slot] = []
    with contextlib.suppress(APITimeoutError):
        while True:
            slots.append(limits.acquire(0.001, use_rate_limiter=False))
    for slot in slots:
        slot.release()
    return len(slots)
