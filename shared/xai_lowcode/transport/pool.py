"""Connection pools with a stack of idle connections for each origin.

httpcore's pool iterates over all connections for each request, which takes quadratic time for many
concurrent requests. These pools reuse the connection that was used last. Connections, proxies, TLS,
sockets and name resolution are httpcore's; the transports are httpx's, so that instrumentation of
httpx works.

Whether a failed request is retried depends on whether any of it was written, and whether any byte
of a response was received. httpcore's exceptions do not contain that, so that each connection is a
network backend of httpcore that records it.
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
from xai_lowcode.transport.request_builder import RequestProgress

# The terminal event of a stream comes before the last bytes of the response. Waiting for them is
# faster than opening a new connection.
DRAIN_TIMEOUT = 0.02
MAX_DRAIN_BYTES = 1 << 16

# asyncio receives up to 256 KiB at a time, and anyio buffers what a smaller read leaves. It must
# not buffer bytes after the end of a response: _has_unread_data would not detect them.
_ASYNC_READ_SIZE = 256 * 1024

# Size of the reads of a sync response after its first 64 KiB, httpcore's size: each read passes
# through h11, httpcore and the clients.
_LARGE_READ_SIZE = 256 * 1024

_POOL_TIMEOUT_MESSAGE = "Timed out waiting for a free connection."
_FORKED_MESSAGE = "the connection belongs to the parent process"
_UNEXPECTED_DATA_MESSAGE = "data or the end of the connection came before the request"

_NETWORK_ERRORS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_SYNC_BACKEND: Any = httpcore.SyncBackend()
_ASYNC_BACKEND: Any = httpcore.AnyIOBackend()


class _Connection:
    """A connection of httpcore, direct or through a proxy, and its network backend.

    Attributes:
        http: The httpcore connection.
        origin: Scheme, host and port of the server.
        proxy: Host and port of the proxy; None for none.
        generation: The generation of the pool when it was opened.
        expires: Monotonic time after which it is not reused.
        progress: The progress of the request that uses it.
        stream: httpcore's network stream, with TLS if used; None before it is connected.
    """

    _factory: Any

    def __init__(self, origin: Any, config: TransportConfig, generation: int) -> None:
        proxy = config.proxy_for(origin)
        factory = self._factory(
            ssl_context=config.tls if origin.scheme == b"https" else None,
            proxy=proxy and proxy.httpcore,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=self,
        )
        self.http = factory.create_connection(origin)
        self.origin, self.proxy = _origin_key(origin), proxy and proxy.name
        self.generation, self.expires = generation, 0.0
        self.progress = RequestProgress(b"")
        self.stream: Any = None
        self._head: bytes | None = None
        self._process = os.getpid()

    def check_process(self) -> None:
        """Raise an error in a forked child: it would take what its parent waits for."""
        if os.getpid() != self._process:
            raise httpcore.ReadError(_FORKED_MESSAGE)

    def check_unread_data(self) -> None:
        """Raise an error if a reused connection has received anything, before a request is sent.

        It would be read as the response. Another thread may have run since the connection was
        chosen, when nothing was received.
        """
        progress = self.progress
        if (
            progress.connection_reused
            and not progress.last_write
            and self.stream.get_extra_info("is_readable")
        ):
            progress.last_write = monotonic()
            # Not a WriteError: httpcore would read a response.
            raise httpcore.ReadError(_UNEXPECTED_DATA_MESSAGE)

    def merge_writes(self, buffer: bytes) -> bytes:
        """Return what to write now: the head of a request is written together with its body.

        httpcore writes them separately, which takes another system call and packet. Its last write
        of each request is empty, so that a head without a body is written as well.
        """
        if self._head is not None:
            buffer, self._head = self._head + buffer, None
            self.progress.sent = True
        elif not self.progress.sent and buffer.startswith(self.progress.start):
            # Earlier writes went to a proxy.
            self._head = buffer
            return b""
        return buffer

    def is_reusable(self) -> bool:
        """Return whether the response was read to its end, and no bytes followed it."""
        return (
            self.http.is_idle()
            and not _has_unread_data(self.http)
            and not (
                # TLS through an https proxy, and all TLS of asyncio.
                isinstance(self.stream.get_extra_info("ssl_object"), ssl.SSLObject)
                and self._has_unread_tls()
            )
        )

    def _has_unread_tls(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        """Close the sockets, without awaiting anything."""
        raise NotImplementedError


class SyncConnection(_Connection, httpcore.NetworkBackend):
    """A connection of a sync client."""

    _factory = httpcore.ConnectionPool

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *more: Any, **options: Any
    ) -> Any:
        """Open a TCP connection, within the deadline of the request."""
        timeout = self.progress.cap(timeout)
        return _SyncStream(_SYNC_BACKEND.connect_tcp(host, port, timeout, *more, **options), self)

    def close(self) -> None:
        """Close the sockets."""
        if self.stream is not None:
            self.stream.close()

    def _has_unread_tls(self) -> bool:
        try:
            self.stream.get_extra_info("ssl_object").read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True


class AsyncConnection(_Connection, httpcore.AsyncNetworkBackend):
    """A connection of an async client."""

    _factory = httpcore.AsyncConnectionPool

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        *more: Any,
        **options: Any,
    ) -> Any:
        """Open a TCP connection, within the deadline of the request."""
        timeout = self.progress.cap(timeout)
        stream = await _ASYNC_BACKEND.connect_tcp(host, port, timeout, *more, **options)
        return _AsyncStream(stream, self)

    def close(self) -> None:
        """Close the sockets. Async generators must not await while they are closed."""
        if self.stream is not None:
            with suppress(Exception):  # the stream is not used again
                _run_until_blocked(self.stream.aclose())

    def _has_unread_tls(self) -> bool:
        """Return whether asyncio has received TLS records that are not decrypted yet.

        asyncio decrypts one record at a time, and buffers the others.
        """
        unread: list[bytes] = []

        async def read() -> None:
            with suppress(Exception):  # a connection that fails is not reused
                unread.append(await self.stream.read(1))

        return _run_until_blocked(read()) or bool(unread)


class _Stream:
    """httpcore's network stream of a connection, with the deadline of the request."""

    def __init__(self, stream: Any, connection: _Connection) -> None:
        self._stream = connection.stream = stream
        self._connection = connection

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _SyncStream(_Stream, httpcore.NetworkStream):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.check_process()
        progress = self._connection.progress
        if progress.bytes_received >= max_bytes:
            max_bytes = _LARGE_READ_SIZE
        return progress.received(self._stream.read(max_bytes, progress.cap(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer := self._connection.merge_writes(buffer):
            progress = self._connection.progress
            self._connection.check_unread_data()
            self._stream.write(buffer, progress.cap(timeout))
            progress.last_write = monotonic()

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = self._connection.progress.cap(timeout)
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _SyncStream(encrypted, self._connection)


class _AsyncStream(_Stream, httpcore.AsyncNetworkStream):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        self._connection.check_process()
        progress, size = self._connection.progress, max(max_bytes, _ASYNC_READ_SIZE)
        return progress.received(await self._stream.read(size, progress.cap(timeout)))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        if buffer := self._connection.merge_writes(buffer):
            progress = self._connection.progress
            self._connection.check_unread_data()
            await self._stream.write(buffer, progress.cap(timeout))
            progress.last_write = monotonic()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        timeout = self._connection.progress.cap(timeout)
        encrypted = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _AsyncStream(encrypted, self._connection)


class _Pool:
    """Base class of the pools: the idle connections, and those in use."""

    _connection_class: type[_Connection]

    def __init__(self, config: TransportConfig, slots: Any) -> None:
        self._config, self._slots = config, slots
        self._idle: dict[Any, deque[_Connection]] = {}
        self._in_use: set[_Connection] = set()
        # close_idle starts a new generation. Connections of earlier ones are closed after use.
        self._generation = 0
        self._process = os.getpid()

    def _connect(self, request: httpcore.Request) -> Any:
        """Return the idle connection that was used last, or a new one."""
        origin = request.url.origin
        idle = self._idle.get(_origin_key(origin)) or deque()
        progress: RequestProgress = request.extensions["progress"]
        progress.connection_reused = True
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                connection = self._connection_class(origin, self._config, self._generation)
                progress.connection_reused = False
                break
            if not connection.http.has_expired():
                break
            connection.close()
        progress.proxy, connection.progress = connection.proxy, progress
        self._in_use.add(connection)
        return connection

    def release(self, connection: _Connection) -> None:
        """Return a connection to the pool, or close it if it cannot be reused."""
        if connection.generation != self._generation or not connection.is_reusable():
            self.discard(connection)
            return
        self._in_use.discard(connection)
        idle, now = self._idle.setdefault(connection.origin, deque()), monotonic()
        connection.expires = now + KEEPALIVE_SECONDS
        idle.append(connection)
        with suppress(IndexError):  # another thread took it
            while idle[0].expires < now:
                idle.popleft().close()
        self._slots.release()

    def discard(self, connection: _Connection | None, error: BaseException | None = None) -> None:
        """Close a connection that was in use.

        If it was stale, the idle ones are closed as well: a server that restarts has closed them,
        and the retry needs a new one.

        Args:
            connection: The connection; None if it was not opened.
            error: What went wrong before the head of the response was received; None for nothing.
        """
        try:
            if connection is not None:
                self._in_use.discard(connection)
                connection.close()
                if (
                    isinstance(error, httpcore.NetworkError | httpcore.ProtocolError)
                    and connection.progress.connection_reused
                    and not connection.progress.bytes_received
                ):
                    _close_all(self._idle.get(connection.origin, deque()))
        finally:
            self._slots.release()

    def close_idle(self) -> None:
        """Close the idle connections. Those in use are closed with their responses.

        A forked child closes nothing: the connections are its parent's.
        """
        self._generation += 1
        if self._process != os.getpid():
            self._idle.clear()
        for connections in list(self._idle.values()):
            _close_all(connections)


class ConnectionPool(_Pool):
    """Thread-safe connection pool of a sync client, with the interface of httpcore's pool."""

    _connection_class = SyncConnection

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
            _join_chunks(connection.http)
        except BaseException as error:
            self.discard(connection, error)
            raise
        return _with_body(response, _SyncBody(response.stream, connection, self))

    close = _Pool.close_idle


class AsyncConnectionPool(_Pool):
    """Connection pool of an async client in one event loop; see ``ConnectionPool``."""

    _connection_class = AsyncConnection

    def __init__(self, config: TransportConfig) -> None:
        super().__init__(config, asyncio.Semaphore(config.max_connections))

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request on an idle connection, opening one if needed."""
        try:
            async with asyncio.timeout(_pool_timeout(request) if self._slots.locked() else None):
                await self._slots.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout(_POOL_TIMEOUT_MESSAGE) from None
        connection = None
        try:
            connection = self._connect(request)
            response = await connection.http.handle_async_request(request)
            _join_chunks(connection.http)
        except BaseException as error:
            self.discard(connection, error)
            raise
        return _with_body(response, _AsyncBody(response.stream, connection, self))

    def close_all(self) -> None:
        """Close all connections, including those in use, before the event loop ends."""
        self.close_idle()
        if self._process == os.getpid():
            for connection in self._in_use:
                connection.close()

    async def aclose(self) -> None:
        """Close all connections; see ``close_all``."""
        self.close_all()
        # The event loop closes the sockets in its next iteration.
        await asyncio.sleep(0)


class _Body:
    """The body of a response. Closing it releases the connection."""

    def __init__(self, stream: Any, connection: _Connection, pool: _Pool) -> None:
        self._stream, self._connection, self._pool = stream, connection, pool
        self._chunks: Any = None
        self._closed = False
        self._drained_bytes = 0

    def abort(self) -> None:
        """Close the connection at once, without awaiting anything."""
        if not self._closed:
            self._closed = True
            self._pool.discard(self._connection)

    def _limit_drain(self) -> bool:
        """Read the rest only if it arrives at once; return whether there is any to read."""
        self._closed = True
        self._connection.progress.deadline = monotonic() + DRAIN_TIMEOUT
        return self._chunks is not None

    def _is_too_large(self, chunk: bytes) -> bool:
        self._drained_bytes += len(chunk)
        return self._drained_bytes > MAX_DRAIN_BYTES


class _SyncBody(_Body):
    def __iter__(self) -> Iterator[bytes]:
        self._chunks = iter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    def close(self) -> None:
        """Read the rest if it arrives at once, then release the connection."""
        if self._closed:
            return
        try:
            with suppress(*_NETWORK_ERRORS):
                for chunk in self._chunks if self._limit_drain() else ():
                    if self._is_too_large(chunk):
                        break
            self._stream.close()
        finally:
            self._pool.release(self._connection)


class _AsyncBody(_Body):
    def __aiter__(self) -> AsyncIterator[bytes]:
        self._chunks = aiter(self._stream)
        return self._chunks  # type: ignore[no-any-return]  # httpcore's stream is Any here

    async def aclose(self) -> None:
        """Read the rest if it arrives at once, then release the connection."""
        if self._closed:
            return
        try:
            with suppress(*_NETWORK_ERRORS):
                if self._limit_drain():
                    async for chunk in self._chunks:
                        if self._is_too_large(chunk):
                            break
                    # Otherwise the event loop would close it in a task when it is collected.
                    await self._chunks.aclose()
            await self._stream.aclose()
        finally:
            self._pool.release(self._connection)


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
        # Without awaiting: nest_asyncio leaves async generators to the garbage collector, and what
        # still awaits there is reported on standard error.
        finalizer.detach()
        pool.close_all()


def _schedule_close(loop: asyncio.AbstractEventLoop, transport: AsyncPooledTransport) -> None:
    # The garbage collector may run in another thread.
    with suppress(RuntimeError):  # the event loop is closed
        loop.call_soon_threadsafe(transport.close_all)


def _close_all(connections: deque[_Connection]) -> None:
    with suppress(IndexError):  # also if another thread took the last one
        while True:
            connections.pop().close()


def _origin_key(origin: Any) -> tuple[Any, ...]:
    return origin.scheme, origin.host, origin.port


def _pool_timeout(request: httpcore.Request) -> float | None:
    timeout: float | None = request.extensions["timeout"]["pool"]
    return timeout


def _with_body(response: httpcore.Response, body: Any) -> httpcore.Response:
    extensions = {**response.extensions, "abort": body.abort}
    return httpcore.Response(
        response.status, headers=response.headers, content=body, extensions=extensions
    )


class _ChunkJoiner:
    """Reads all chunks of a body that were received together as one; a reader of h11.

    The events of a stream are chunks of their own. To pass one through h11, httpcore and the
    clients takes longer than to decode its content.
    """

    def __init__(self, reader: Any) -> None:
        self._read, self.read_eof = reader, reader.read_eof
        # What follows the chunks that were returned: the end of the body, or an error.
        self._next: Any = None

    def __call__(self, buffer: Any) -> Any:
        if isinstance(self._next, Exception):
            raise self._next
        first = self._next or self._read(buffer)
        self._next = None
        if not hasattr(first, "data"):
            return first
        chunks = []
        event = first
        try:
            while hasattr(event, "data"):
                chunks.append(event.data)
                event = self._read(buffer)
        except Exception as error:  # noqa: BLE001 - raised after the chunks before it are used
            event = error
        self._next = event
        return first if len(chunks) == 1 else type(first)(b"".join(chunks))


def _join_chunks(http: Any) -> None:
    state = _h11_state(http)
    reader = getattr(state, "_reader", None)
    if type(reader).__name__ == "ChunkedReader":
        state._reader = _ChunkJoiner(reader)  # noqa: SLF001 - see _h11_state


def _has_unread_data(http: Any) -> bool:
    """Return whether bytes were received after the end of the response.

    h11 buffers them, and would parse them as the next response.
    """
    data, closed = _h11_state(http).trailing_data
    return bool(data) or closed


def _h11_state(http: Any) -> Any:
    """Return the h11 connection of a connection of httpcore.

    httpcore has no public attribute for it; tests/distribution/test_foreign_internals.py checks
    the private ones.
    """
    while not hasattr(http, "_h11_state"):
        http = http._connection  # noqa: SLF001 - a connection through a proxy wraps another one
    return http._h11_state  # noqa: SLF001 - see the docstring


def _run_until_blocked(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine until it ends or awaits a future; return whether it ended."""
    try:
        while coroutine.send(None) is None:  # a bare yield to the event loop
            pass
    except StopIteration:
        return True
    coroutine.close()
    return False
