"""Connection pools with a stack of idle connections for each origin.

httpcore's pool iterates over all connections for each request, which takes quadratic time for many
concurrent requests. These pools reuse the connection that was used last. Connections, proxies and
TLS are httpcore's; the transports are httpx's, so that instrumentation of httpx works.
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

# The terminal event of a stream comes before the last bytes of the response. Waiting for them is
# faster than opening a new connection.
DRAIN_TIMEOUT = 0.02
MAX_DRAIN_BYTES = 1 << 16

_POOL_TIMEOUT_MESSAGE = "Timed out waiting for a free connection."

_NETWORK_ERRORS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class _Connection:
    """An httpcore connection, direct or through a proxy.

    Attributes:
        http: The httpcore connection.
        monitor: Its network backend.
        origin: Scheme, host and port of the server.
        proxy: Host and port of the proxy; None for none.
        generation: The generation of the pool when it was opened.
        expires: Monotonic time after which it is not reused.
    """

    __slots__ = ("expires", "generation", "http", "monitor", "origin", "proxy")

    def __init__(self, http: Any, monitor: Any, origin: Any, proxy: Any, generation: int) -> None:
        self.http, self.monitor, self.origin = http, monitor, origin
        self.proxy, self.generation, self.expires = proxy, generation, 0.0


class _Pool:
    """Base class of the pools: the idle connections, and those in use."""

    _factory: Any
    _backend: Any
    _close_stream: Any
    _has_unread_tls: Any

    def __init__(self, config: TransportConfig, slots: Any) -> None:
        self._config, self._slots = config, slots
        self._idle: dict[Any, deque[_Connection]] = {}
        self._in_use: set[_Connection] = set()
        # close_idle starts a new generation. Connections of earlier ones are closed after use.
        self._generation = 0
        self._process = os.getpid()

    def _connect(self, request: httpcore.Request) -> _Connection:
        """Return the idle connection that was used last, or a new one."""
        origin, reused = _origin_key(request.url.origin), True
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
        return _Connection(http, monitor, _origin_key(origin), name, self._generation)

    def release(self, connection: _Connection) -> None:
        """Return a connection to the pool, or close it if it cannot be reused."""
        if not self._is_reusable(connection):
            self.discard(connection)
            return
        self._in_use.discard(connection)
        idle, now = self._idle.setdefault(connection.origin, deque()), monotonic()
        connection.expires = now + KEEPALIVE_SECONDS
        idle.append(connection)
        with suppress(IndexError):  # another thread took it
            while idle[0].expires < now:
                self._close(idle.popleft())
        self._slots.release()

    def _is_reusable(self, connection: _Connection) -> bool:
        """Return whether the response was read to its end, and no bytes followed it."""
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
        """Close a connection whose request failed, and the idle ones if it was stale.

        A server that restarts has closed the idle ones as well, and the retry needs a new one.
        """
        self.discard(connection)
        if connection is None or not isinstance(
            error, httpcore.NetworkError | httpcore.ProtocolError
        ):
            return
        progress = connection.monitor.progress
        if progress.connection_reused and not progress.bytes_received:
            idle = self._idle.get(connection.origin, deque())
            with suppress(IndexError):  # another thread took the last one
                while idle:
                    self._close(idle.pop())

    def close_idle(self) -> None:
        """Close the idle connections. Those in use are closed with their responses.

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
    """Thread-safe connection pool of a sync client, with the interface of httpcore's pool."""

    _factory, _backend = httpcore.ConnectionPool, MonitoredBackend

    def __init__(self, config: TransportConfig) -> None:
        super().__init__(config, threading.BoundedSemaphore(config.max_connections))

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request on an idle connection, opening one if needed."""
        if not self._slots.acquire(timeout=_pool_timeout(request)):
            raise httpcore.PoolTimeout(_POOL_TIMEOUT_MESSAGE)
        connection = None
        try:
            connection = self._connect(request)
            response = connection.http.handle_request(request)
        except BaseException as error:
            self._discard_failed(connection, error)
            raise
        return _with_body(response, _ResponseBody(response.stream, connection, self))

    @staticmethod
    def _close_stream(stream: Any) -> None:
        stream.close()

    @staticmethod
    def _has_unread_tls(stream: Any) -> bool:
        """Return whether TLS over TLS, as through an https proxy, has buffered data."""
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
    """Connection pool of an async client in one event loop; see ``ConnectionPool``."""

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
                raise httpcore.PoolTimeout(_POOL_TIMEOUT_MESSAGE) from None
        else:
            await self._slots.acquire()
        connection = None
        try:
            connection = self._connect(request)
            response = await connection.http.handle_async_request(request)
        except BaseException as error:
            self._discard_failed(connection, error)
            raise
        return _with_body(response, _AsyncResponseBody(response.stream, connection, self))

    @staticmethod
    def _close_stream(stream: Any) -> None:
        # Without await: async generators must not await while they are closed.
        with suppress(Exception):  # the stream is not used again
            _run_until_blocked(stream.aclose())

    @staticmethod
    def _has_unread_tls(stream: Any) -> bool:
        """Return whether asyncio has received TLS records that are not decrypted yet.

        asyncio decrypts one record at a time, and buffers the others.
        """
        if not isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject):
            return False
        unread: list[bytes] = []

        async def read() -> None:
            with suppress(Exception):  # a connection that fails is not reused
                unread.append(await stream.read(1))

        return _run_until_blocked(read()) or bool(unread)

    async def aclose(self) -> None:
        """Close all connections, including those in use, before the event loop ends."""
        self.close_idle()
        if self._process == os.getpid():
            for connection in self._in_use:
                self._close(connection)
        # The event loop closes the sockets in its next iteration.
        await asyncio.sleep(0)


class _ResponseBody:
    """The body of a response. Closing it releases the connection."""

    def __init__(self, stream: Any, connection: _Connection, pool: ConnectionPool) -> None:
        self._stream, self._connection, self._pool = stream, connection, pool
        self._chunks: Any = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._chunks = iter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    def close(self) -> None:
        """Read the rest if it arrives at once, then release the connection."""
        if not self._closed:
            try:
                self._drain()
            finally:
                self.abort()

    def abort(self) -> None:
        """Release the connection. It is closed unless the response was read to its end."""
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
        with suppress(*_NETWORK_ERRORS):
            for chunk in self._chunks or ():
                size += len(chunk)
                if size > MAX_DRAIN_BYTES:
                    return


class _AsyncResponseBody:
    """The body of a response; see ``_ResponseBody``."""

    def __init__(self, stream: Any, connection: _Connection, pool: AsyncConnectionPool) -> None:
        self._stream, self._connection, self._pool = stream, connection, pool
        self._chunks: Any = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._chunks = aiter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    async def aclose(self) -> None:
        """Read the rest if it arrives at once, then release the connection."""
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
        with suppress(*_NETWORK_ERRORS):
            async for chunk in self._chunks:
                size += len(chunk)
                if size > MAX_DRAIN_BYTES:
                    break
            # Otherwise the event loop would close it in a task when it is garbage collected.
            await self._chunks.aclose()


class PooledTransport(httpx.HTTPTransport):
    """httpx's transport over a ``ConnectionPool``."""

    def __init__(self, config: TransportConfig) -> None:
        # httpx's constructor only creates a pool.
        self._pool: Any = ConnectionPool(config)


class AsyncPooledTransport(httpx.AsyncHTTPTransport):
    """httpx's async transport over an ``AsyncConnectionPool``, for one event loop."""

    def __init__(self, config: TransportConfig) -> None:
        self._pool: Any = AsyncConnectionPool(config)
        self._closer: Any = None

    async def close_with(self, owner: Any) -> None:
        """Close all connections when the event loop ends, or the owner is garbage collected.

        ``asyncio.run`` closes the async generators of its event loop; ``_closer`` is one of them.
        """
        finalizer = weakref.finalize(owner, _schedule_close, asyncio.get_running_loop(), self)
        # No event loop runs at interpreter exit.
        finalizer.atexit = False
        self._closer = _close_when_closed(self._pool, finalizer)
        await anext(self._closer)

    def close_all(self) -> None:
        """Close all connections, including those in use, without awaiting anything."""
        _run_until_blocked(self._closer.aclose())

    async def close_idle(self) -> None:
        """Close the idle connections. Those in use are closed with their responses."""
        self._pool.close_idle()
        # The event loop closes the sockets in its next iteration.
        await asyncio.sleep(0)


async def _close_when_closed(pool: AsyncConnectionPool, finalizer: Any) -> AsyncIterator[None]:
    try:
        yield
    finally:
        finalizer.detach()
        await pool.aclose()


def _schedule_close(loop: asyncio.AbstractEventLoop, transport: AsyncPooledTransport) -> None:
    # The garbage collector may run in another thread.
    with suppress(RuntimeError):  # the event loop is closed
        loop.call_soon_threadsafe(transport.close_all)


def _origin_key(origin: Any) -> tuple[Any, ...]:
    return origin.scheme, origin.host, origin.port


def _pool_timeout(request: httpcore.Request) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("pool")
    return timeout


def _with_body(response: httpcore.Response, body: Any) -> httpcore.Response:
    extensions = {**response.extensions, "abort": body.abort}
    return httpcore.Response(
        response.status, headers=response.headers, content=body, extensions=extensions
    )


def _has_unread_data(http: Any) -> bool:
    """Return whether bytes were received after the end of the response.

    h11 buffers them, and would parse them as the next response. httpcore has no public attribute
    for that; tests/distribution/test_foreign_internals.py checks the private ones.
    """
    while not hasattr(http, "_h11_state"):
        http = http._connection  # noqa: SLF001 - a connection through a proxy wraps another one
    data, closed = http._h11_state.trailing_data  # noqa: SLF001 - see the docstring
    return bool(data) or closed


def _run_until_blocked(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine until it ends or awaits a future; return whether it ended."""
    try:
        while coroutine.send(None) is None:  # a bare yield to the event loop
            pass
    except StopIteration:
        return True
    coroutine.close()
    return False
