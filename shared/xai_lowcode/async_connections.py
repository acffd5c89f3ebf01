"""The async client's own connections, of one event loop; see ``connections``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any

import httpcore
import httpx

from xai_lowcode import idle
from xai_lowcode.due import Due
from xai_lowcode.sockets import AsyncioBackend, abort


class _AsyncConnection(httpcore.AsyncHTTPConnection):
    """httpcore's connection, with the moment by which it must be done."""

    def __init__(self, origin: httpcore.Origin, ssl_context: Any, among: set[Any]) -> None:
        self.due = Due()
        super().__init__(
            origin,
            ssl_context=ssl_context,
            keepalive_expiry=idle.KEEPALIVE_SECONDS,
            network_backend=AsyncioBackend(among, self.due),
        )


class AsyncConnections:
    """httpcore connections of one async client and loop; takes the place of its pool."""

    def __init__(self, ssl_context: Any, most: int = idle.MOST) -> None:
        self._context = ssl_context
        self._places = asyncio.Semaphore(most)
        self._wires: set[Any] = set()
        self._idle: idle.Idle[_AsyncConnection] = idle.Idle()
        self._all: set[_AsyncConnection] = set()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Sends a request on an idle connection, or on a new one."""
        if self._places.locked():
            timeout = request.extensions.get("timeout", {}).get("pool")
            try:
                async with asyncio.timeout(timeout):
                    await self._places.acquire()
            except TimeoutError:
                raise httpcore.PoolTimeout("No connection became free in time.") from None
        else:
            await self._places.acquire()
        connection = None
        try:
            connection = await self._connection(request)
            connection.due.within(request.extensions.get("within"))
            response = await connection.handle_async_request(request)
        except BaseException:
            await self.release(request.url.origin, connection)
            raise
        body = _AsyncBody(response.stream, request.url.origin, connection, self)
        network = response.extensions["network_stream"]
        return httpcore.Response(
            response.status,
            headers=response.headers,
            content=body,
            extensions={**response.extensions, "abandon": partial(body.abandon, network)},
        )

    async def _connection(self, request: httpcore.Request) -> _AsyncConnection:
        origin = request.url.origin
        while (connection := self._idle.take(origin)) is not None:
            if not connection.has_expired():
                idle.tell(request, fresh=False)
                return connection
            await self._close(connection)
        idle.tell(request, fresh=True)
        connection = _AsyncConnection(origin, self._context, self._wires)
        self._all.add(connection)
        return connection

    async def release(self, origin: Any, connection: _AsyncConnection | None) -> None:
        """Takes a connection back, whatever has become of it."""
        try:
            if connection is None:
                return
            if connection.is_idle() and connection in self._all:
                for old in self._idle.put(origin, connection):
                    await self._close(old)
            else:
                await self._close(connection)
        finally:
            self._places.release()

    def drop(self, connection: _AsyncConnection) -> None:
        """Gives up a connection whose wire was cut."""
        self._all.discard(connection)
        self._places.release()

    async def _close(self, connection: _AsyncConnection) -> None:
        self._all.discard(connection)
        await connection.aclose()

    async def aclose(self) -> None:
        """Closes all connections."""
        self._idle.clear()
        self._all.clear()
        await abort(self._wires)


class _AsyncBody:
    """The body of an answer; its connection is free when it is closed."""

    def __init__(self, stream: Any, origin: Any, connection: Any, pool: Any) -> None:
        self._stream, self._origin = stream, origin
        self._connection, self._pool = connection, pool
        self._pieces: Any = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._pieces = aiter(self._stream)
        return self._pieces  # type: ignore[no-any-return]  # httpcore's stream is Any here

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._read_rest()
            await self._stream.aclose()
        finally:
            await self._pool.release(self._origin, self._connection)

    def abandon(self, network: Any) -> None:
        """Cuts the wire, without waiting for anything."""
        if not self._closed:
            self._closed = True
            network.abort()
            self._pool.drop(self._connection)

    async def _read_rest(self) -> None:
        """Reads the end of the answer if it is as good as there: else the connection is lost."""
        if self._pieces is None:
            return
        self._connection.due.within(idle.PATIENCE)
        rest = 0
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            async for piece in self._pieces:
                rest += len(piece)
                if rest > idle.LONGEST_REST:
                    break
            # Left to the garbage collector, it would be closed by a task of its own.
            await self._pieces.aclose()


class _AsyncTransport(httpx.AsyncHTTPTransport):
    """httpx's async transport with connections on a stack."""

    def __init__(self, ssl_context: Any, most: int) -> None:
        self._pool: Any = AsyncConnections(ssl_context, most)


class AsyncDirectClient:
    """What a call needs of ``httpx.AsyncClient``; see ``DirectClient``."""

    def __init__(self, ssl_context: Any, most: int = idle.MOST) -> None:
        self._transport = _AsyncTransport(ssl_context, most)

    build_request = staticmethod(idle.build_request)

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
        """Sends a request; the answer's body is still to be read, and the answer to be closed."""
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()
