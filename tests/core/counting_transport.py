"""An httpx transport that counts concurrent requests, and a count of free concurrency slots."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx

from tests.core.fake_server import Reply, json_reply
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.transport.concurrency import RequestLimits

if TYPE_CHECKING:
    from xai_lowcode.transport.concurrency import Slot

MODELS = json_reply({"data": [{"id": "m"}]})
GetReply = Callable[[httpx.Request], Reply]


class RequestCounter:
    """Counts requests, thread-safely.

    Attributes:
        current: Concurrent requests now.
        maximum: Maximum number of concurrent requests so far.
        total: Number of requests so far.
    """

    def __init__(self) -> None:
        self.current = self.maximum = self.total = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Count the start of a request."""
        with self._lock:
            self.current += 1
            self.total += 1
            self.maximum = max(self.maximum, self.current)

    def end(self) -> None:
        """Count the end of a request: its response was read or closed."""
        with self._lock:
            self.current -= 1


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response; the request ends when it is closed."""

    def __init__(self, reply: Reply, counter: RequestCounter) -> None:
        self._chunks, self._counter, self._open = reply.chunks, counter, True

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        if self._open:
            self._open = False
            self._counter.end()

    async def aclose(self) -> None:
        self.close()


class CountingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Responds after a delay, and counts the concurrent requests.

    Args:
        delay: Seconds before each response.
        get_reply: Returns the response to a request.
    """

    def __init__(self, delay: float = 0.005, get_reply: GetReply = lambda _request: MODELS) -> None:
        self.requests, self.delay, self.get_reply = RequestCounter(), delay, get_reply

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond after the delay."""
        self.requests.start()
        try:
            time.sleep(self.delay)
        except BaseException:
            self.requests.end()
            raise
        return self._respond(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond after the delay."""
        self.requests.start()
        try:
            await asyncio.sleep(self.delay)
        except BaseException:
            self.requests.end()
            raise
        return self._respond(request)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        reply = self.get_reply(request)
        headers = {"content-type": reply.content_type or ""}
        return httpx.Response(reply.status, headers=headers, stream=Body(reply, self.requests))


class BarrierTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests when a number of them are concurrent; fewer fail after 30 seconds.

    A test of concurrency needs no delays with it.

    Args:
        parties: Number of requests that are sent together.
    """

    def __init__(self, parties: int) -> None:
        self.requests = RequestCounter()
        self._sync, self._async = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()
        self._barrier = threading.Barrier(parties, timeout=30)
        self._async_barrier = asyncio.Barrier(parties)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request together with others."""
        self.requests.start()
        try:
            self._barrier.wait()
            return self._sync.handle_request(request)
        finally:
            self.requests.end()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request together with others."""
        self.requests.start()
        try:
            async with asyncio.timeout(30):
                await self._async_barrier.wait()
            return await self._async.handle_async_request(request)
        finally:
            self.requests.end()

    def close(self) -> None:
        """Close the connections of sync requests."""
        self._sync.close()

    async def aclose(self) -> None:
        """Close the connections of async requests."""
        await self._async.aclose()


@contextlib.asynccontextmanager
async def barrier_clients(parties: int) -> AsyncIterator[tuple[dict[str, Any], RequestCounter]]:
    """Yield HTTP clients, as arguments of a model, that send a number of requests together."""
    transport = BarrierTransport(parties)
    yield (
        {
            "http_client": httpx.Client(transport=transport),
            "http_async_client": httpx.AsyncClient(transport=transport),
        },
        transport.requests,
    )
    transport.close()
    await transport.aclose()


def count_free_slots(limits: RequestLimits) -> int:
    """Return the number of slots that can be acquired without waiting."""
    slots: list[Slot] = []
    with contextlib.suppress(APITimeoutError):
        while True:
            slots.append(limits.acquire(0.001, use_rate_limiter=False))
    for slot in slots:
        slot.release()
    return len(slots)
