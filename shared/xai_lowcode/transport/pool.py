"""Connection pools: idle connections of each origin are kept on a stack.

httpcore's own pool looks at every connection for every request, so that many calls at once cost
their square. Here a request takes the connection that was used last. Connections, proxies and TLS
are httpcore's, and the transports are httpx's, so that what instruments httpx sees each request.
"""

import asyncio
import os
import ssl
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import httpcore
import httpx

from xai_lowcode.transport.config import KEEPALIVE_SECONDS, TransportConfig
from xai_lowcode.transport.network import AsyncMonitoredBackend, MonitoredBackend
from xai_lowcode.transport.request_progress import RequestProgress

# A stream says that it is complete before its last bytes come. Waiting for them takes less than a
# new connection.
DRAIN_TIMEOUT = 0.02
MAX_DRAIN_BYTES = 1 << 16

_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class _Connection:
    """A connection of httpcore's, direct or through a proxy, with its monitor.

    Attributes:
        http: The connection.
        monitor: Its network backend.
        origin: Scheme, host and port that it leads to.
        proxy: Host and port of its proxy; None for none.
        generation: The pool's generation in which it was opened.
        expires: Monotonic time at which it is no longer reused.
    """

    __slots__ = ("expires", "generation", "http", "monitor", "origin", "proxy")

    def __init__(self, http: Any, monitor: Any, origin: Any, proxy: Any, generation: int) -> None:
        self.http, self.monitor, self.origin = http, monitor, origin
        self.proxy, self.generation, self.expires = proxy, generation, 0.0


class _Pool:
    """What both pools share: idle connections, those in use, and how many there may be."""

    _factory: Any
    _backend: Any
    _close_stream: Any
    _has_unread_tls: Any

    def __init__(self, config: TransportConfig, slots: Any) -> None:
        self._config, self._slots = config, slots
        self._idle: dict[Any, deque[_Connection]] = {}
        self._in_use: set[_Connection] = set()
        # A connection of an earlier generation is not kept: close_idle was called since.
        self._generation = 0
        self._process = os.getpid()

    def _connect(self, request: httpcore.Request) -> _Connection:
        """Take the connection that was used last, or make a new one."""
        origin, reused = _key(request.url.origin), True
        idle = self._idle.get(origin, ())
        while True:
            try:
                connection = idle.pop()  # type: ignore[union-attr]  # an empty tuple has none
            except (AttributeError, IndexError):
                connection, reused = self._new_connection(request.url.origin), False
                break
            if not connection.http.has_expired():
                break
            self._close(connection)
        progress = request.extensions.get("progress")
        progress = progress or RequestProgress(request.method.decode("ascii"))
        progress.monitored, progress.connection_reused = True, reused
        progress.proxy = connection.proxy
        connection.monitor.progress = progress
        self._in_use.add(connection)
        return connection

    def _new_connection(self, origin: Any) -> _Connection:
        proxy, monitor = self._config.proxy_for(origin), self._backend()
        factory = self._factory(
            ssl_context=self._config.tls if origin.scheme == b"https" else None,
            proxy=proxy and proxy.httpcore,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=monitor,
        )
        http, name = factory.create_connection(origin), proxy and proxy.name
        return _Connection(http, monitor, _key(origin), name, self._generation)

    def release(self, connection: _Connection) -> None:
        """Keep a connection for another request if it can be reused; else close it."""
        if not self._is_reusable(connection):
            self.discard(connection)
            return
        self._in_use.discard(connection)
        idle, now = self._idle.setdefault(connection.origin, deque()), monotonic()
        connection.expires = now + KEEPALIVE_SECONDS
        idle.append(connection)
        with suppress(IndexError):  # another thread may take it first
            while idle[0].expires < now:
                self._close(idle.popleft())
        self._slots.release()

    def _is_reusable(self, connection: _Connection) -> bool:
        """Return whether the response was complete, and nothing was received after it."""
        return (
            connection.generation == self._generation
            and connection.http.is_idle()
            and not _has_unread_data(connection.http)
            and not self._has_unread_tls(connection.monitor.stream)
        )

    def discard(self, connection: _Connection | None) -> None:
        """Close a connection that was in use."""
        try:
            if connection is not None:
                self._in_use.discard(connection)
                self._close(connection)
        finally:
            self._slots.release()

    def _discard_failed(self, connection: _Connection | None, error: BaseException) -> None:
        """Close a connection whose request failed, and the idle ones if it was found closed.

        What closed it, a server that restarts, has closed the others too: the repeat needs a fresh
        one.
        """
        self.discard(connection)
        if connection is None or not isinstance(
            error, httpcore.NetworkError | httpcore.ProtocolError
        ):
            return
        progress = connection.monitor.progress
        if progress.connection_reused and not progress.bytes_received:
            idle = self._idle.get(connection.origin, deque())
            with suppress(IndexError):  # another thread may take the last one
                while idle:
                    self._close(idle.pop())

    def close_idle(self) -> None:
        """Close the idle connections; those in use are closed when their responses are.

        A forked child closes nothing: the connections are its parent's.
        """
        self._generation += 1
        idle = [connection for stack in self._idle.values() for connection in stack]
        self._idle.clear()
        if self._process == os.getpid():
            for connection in idle:
                self._close(connection)

    def _close(self, connection: _Connection) -> None:
        if connection.monitor.stream is not None:
            self._close_stream(connection.monitor.stream)


class ConnectionPool(_Pool):
    """The connections of one sync client, for threads; takes the place of httpcore's pool."""

    _factory, _backend = httpcore.ConnectionPool, MonitoredBackend

    def __init__(self, config: TransportConfig) -> None:
        super().__init__(config, threading.BoundedSemaphore(config.max_connections))

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request on an idle connection, opening one if needed."""
        if not self._slots.acquire(timeout=_pool_timeout(request)):
            raise httpcore.PoolTimeout("No connection became free in time.")
        connection = None
        try:
            connection = self._connect(request)
            response = connection.http.handle_request(request)
        except BaseException as error:
            self._discard_failed(connection, error)
            raise
        return _response(response, _Body(response.stream, connection, self))

    @staticmethod
    def _close_stream(stream: Any) -> None:
        stream.close()

    @staticmethod
    def _has_unread_tls(stream: Any) -> bool:
        """Return whether TLS in memory, as through a proxy that speaks TLS, holds more."""
        ssl_object = stream.get_extra_info("ssl_object")
        if not isinstance(ssl_object, ssl.SSLObject):
            return False
        try:
            ssl_object.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True

    close = _Pool.close_idle


class AsyncConnectionPool(_Pool):
    """The connections of one async client in one event loop; see ``ConnectionPool``."""

    _factory, _backend = httpcore.AsyncConnectionPool, AsyncMonitoredBackend

    def __init__(self, config: TransportConfig) -> None:
        super().__init__(config, asyncio.Semaphore(config.max_connections))

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request on an idle connection, opening one if needed."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(_pool_timeout(request)):
                    await self._slots.acquire()
            except TimeoutError:
                raise httpcore.PoolTimeout("No connection became free in time.") from None
        else:
            await self._slots.acquire()
        connection = None
        try:
            connection = self._connect(request)
            response = await connection.http.handle_async_request(request)
        except BaseException as error:
            self._discard_failed(connection, error)
            raise
        return _response(response, _AsyncBody(response.stream, connection, self))

    @staticmethod
    def _close_stream(stream: Any) -> None:
        # Nothing is awaited, since generators that are closed must not.
        with suppress(Exception):  # whatever it says: it is not used again
            _run_until_blocked(stream.aclose())

    @staticmethod
    def _has_unread_tls(stream: Any) -> bool:
        """Return whether asyncio has received more than was decrypted.

        It decrypts in memory, one record at a time; the socket does not show the other records.
        """
        if not isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject):
            return False
        unread: list[bytes] = []

        async def read() -> None:
            with suppress(Exception):  # a connection that fails is not reused either
                unread.append(await stream.read(1))

        return _run_until_blocked(read()) or bool(unread)

    async def aclose(self) -> None:
        """Close all connections, those in use included: the event loop is about to end."""
        self.close_idle()
        if self._process == os.getpid():
            for connection in self._in_use:
                self._close(connection)
        # The loop closes the sockets in its next iteration.
        await asyncio.sleep(0)


class _Body:
    """The body of a response; its connection can be reused after it was closed."""

    def __init__(self, stream: Any, connection: _Connection, pool: ConnectionPool) -> None:
        self._stream, self._connection, self._pool = stream, connection, pool
        self._chunks: Any = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._chunks = iter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    def close(self) -> None:
        """Read the rest if it comes at once, then release the connection."""
        if not self._closed:
            try:
                self._drain()
            finally:
                self.abort()

    def abort(self) -> None:
        """Release the connection, which is closed unless the response was read to its end."""
        if self._closed:
            return
        self._closed = True
        try:
            self._stream.close()
        finally:
            self._pool.release(self._connection)

    def _drain(self) -> None:
        self._connection.monitor.progress.deadline = monotonic() + DRAIN_TIMEOUT
        size = 0
        with suppress(*_FAILURES):
            for chunk in self._chunks or ():
                size += len(chunk)
                if size > MAX_DRAIN_BYTES:
                    return


class _AsyncBody:
    """The body of a response; see ``_Body``."""

    def __init__(self, stream: Any, connection: _Connection, pool: AsyncConnectionPool) -> None:
        self._stream, self._connection, self._pool = stream, connection, pool
        self._chunks: Any = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._chunks = aiter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    async def aclose(self) -> None:
        """Read the rest if it comes at once, then release the connection."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._chunks is not None:
                await self._drain()
            await self._stream.aclose()
        finally:
            self._pool.release(self._connection)

    def abort(self) -> None:
        """Close the connection at once, without awaiting anything."""
        if not self._closed:
            self._closed = True
            self._pool.discard(self._connection)

    async def _drain(self) -> None:
        self._connection.monitor.progress.deadline = monotonic() + DRAIN_TIMEOUT
        size = 0
        with suppress(*_FAILURES):
            async for chunk in self._chunks:
                size += len(chunk)
                if size > MAX_DRAIN_BYTES:
                    break
            # Left to the garbage collector, it would be closed by a task of its own.
            await self._chunks.aclose()


class PooledTransport(httpx.HTTPTransport):
    """httpx's transport over a ``ConnectionPool``."""

    def __init__(self, config: TransportConfig) -> None:
        # All that httpx's own constructor does is to make a pool.
        self._pool: Any = ConnectionPool(config)


class AsyncPooledTransport(httpx.AsyncHTTPTransport):
    """httpx's async transport over an ``AsyncConnectionPool``, for one event loop."""

    def __init__(self, config: TransportConfig) -> None:
        self._pool: Any = AsyncConnectionPool(config)
        self._keeper: Any = None

    async def close_with(self, owner: Any) -> None:
        """Have all connections closed when the running event loop ends, or the owner is collected.

        A loop that ends (as ``asyncio.run``'s does) closes the async generators begun on it.
        """
        finalizer = weakref.finalize(owner, _close_soon, asyncio.get_running_loop(), self)
        # At the end of the interpreter no loop runs.
        finalizer.atexit = False
        self._keeper = _keep(self._pool, finalizer)
        await anext(self._keeper)

    def close_all(self) -> None:
        """Close all connections at once, those in use included."""
        _run_until_blocked(self._keeper.aclose())

    async def close_idle(self) -> None:
        """Close the idle connections; those in use are closed when their responses are."""
        self._pool.close_idle()
        # The loop closes the sockets in its next iteration.
        await asyncio.sleep(0)


async def _keep(pool: AsyncConnectionPool, finalizer: Any) -> AsyncIterator[None]:
    try:
        yield
    finally:
        finalizer.detach()
        await pool.aclose()


def _close_soon(loop: asyncio.AbstractEventLoop, transport: AsyncPooledTransport) -> None:
    # The garbage collector may run in another thread.
    with suppress(RuntimeError):  # the loop was closed
        loop.call_soon_threadsafe(transport.close_all)


def _key(origin: Any) -> tuple[Any, ...]:
    return origin.scheme, origin.host, origin.port


def _pool_timeout(request: httpcore.Request) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("pool")
    return timeout


def _response(response: httpcore.Response, body: Any) -> httpcore.Response:
    extensions = {**response.extensions, "abort": body.abort}
    return httpcore.Response(
        response.status, headers=response.headers, content=body, extensions=extensions
    )


def _has_unread_data(http: Any) -> bool:
    """Return whether bytes were received after the end of the response.

    h11 keeps them, and would take them for the next response. httpcore does not say so; the names
    of its attributes are guarded by a test on its oldest and newest versions.
    """
    while not hasattr(http, "_h11_state"):
        http = http._connection  # noqa: SLF001 - a connection through a proxy holds another one
    data, closed = http._h11_state.trailing_data  # noqa: SLF001 - as the docstring says
    return bool(data) or closed


def _run_until_blocked(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine until it ends, or waits for something; return whether it ended."""
    try:
        while coroutine.send(None) is None:  # yielded to the event loop, waiting for nothing
            pass
    except StopIteration:
        return True
    coroutine.close()
    return False
