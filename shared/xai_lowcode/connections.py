"""The sync client's own connections: idle ones lie on a stack, so that taking one is no search.

httpcore's pool looks at every connection for every request, which for many calls at once is their
square. Connections themselves are httpcore's, and the transports are httpx's with another pool
inside, so that what instruments or records httpx sees every request.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from xai_lowcode import idle
from xai_lowcode.due import SharedDue
from xai_lowcode.sockets import Backend


class _Connection(httpcore.HTTPConnection):
    """httpcore's connection, with the moment by which it must be done."""

    def __init__(self, origin: httpcore.Origin, ssl_context: Any) -> None:
        self.due = SharedDue()
        super().__init__(
            origin,
            ssl_context=ssl_context,
            keepalive_expiry=idle.KEEPALIVE_SECONDS,
            network_backend=Backend(self.due),
        )


class Connections:
    """httpcore connections of one sync client; takes the place of its pool."""

    def __init__(self, ssl_context: Any, most: int = idle.MOST) -> None:
        self._context = ssl_context
        self._places = threading.BoundedSemaphore(most)
        self._idle: idle.Idle[_Connection] = idle.Idle()
        self._all: set[_Connection] = set()

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Sends a request on an idle connection, or on a new one."""
        timeout = request.extensions.get("timeout", {}).get("pool")
        if not self._places.acquire(timeout=timeout):
            raise httpcore.PoolTimeout("No connection became free in time.")
        connection = None
        try:
            connection = self._connection(request)
            connection.due.within(request.extensions.get("within"))
            response = connection.handle_request(request)
        except BaseException:
            self.release(request.url.origin, connection)
            raise
        body = _Body(response.stream, request.url.origin, connection, self)
        return httpcore.Response(
            response.status,
            headers=response.headers,
            content=body,
            extensions={**response.extensions, "abandon": body.abandon},
        )

    def _connection(self, request: httpcore.Request) -> _Connection:
        origin = request.url.origin
        while (connection := self._idle.take(origin)) is not None:
            if not connection.has_expired():
                idle.tell(request, fresh=False)
                return connection
            self._close(connection)
        idle.tell(request, fresh=True)
        connection = _Connection(origin, self._context)
        self._all.add(connection)
        return connection

    def release(self, origin: Any, connection: _Connection | None) -> None:
        """Takes a connection back, whatever has become of it."""
        try:
            if connection is None:
                return
            if connection.is_idle() and connection in self._all:
                for old in self._idle.put(origin, connection):
                    self._close(old)
            else:
                self._close(connection)
        finally:
            self._places.release()

    def _close(self, connection: _Connection) -> None:
        self._all.discard(connection)
        connection.close()

    def close(self) -> None:
        """Closes all connections; one that is waited for fails, and is then closed by who waits.

        When the interpreter ends, those in use are left to its end: a daemon thread that reads on
        would print an error on its way out.
        """
        self._idle.clear()
        ending = not threading.main_thread().is_alive()
        for connection in list(self._all):
            if ending and not connection.is_idle():
                continue
            self._all.discard(connection)
            if connection.due.end():
                connection.close()


class _Body:
    """The body of an answer; its connection is free when it is closed."""

    def __init__(self, stream: Any, origin: Any, connection: Any, pool: Any) -> None:
        self._stream, self._origin = stream, origin
        self._connection, self._pool = connection, pool
        self._pieces: Any = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._pieces = iter(self._stream)
        return self._pieces  # type: ignore[no-any-return]  # httpcore's stream is Any here

    def close(self) -> None:
        if self._closed:
            return
        try:
            self._read_rest()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Gives the connection back as it is: for another request only if nothing is left."""
        if self._closed:
            return
        self._closed = True
        try:
            self._stream.close()
        finally:
            self._pool.release(self._origin, self._connection)

    def _read_rest(self) -> None:
        """Reads the end of the answer if it is as good as there: else the connection is lost."""
        if self._pieces is None:
            return
        self._connection.due.within(idle.PATIENCE)
        rest = 0
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            for piece in self._pieces:
                rest += len(piece)
                if rest > idle.LONGEST_REST:
                    return


class _Transport(httpx.HTTPTransport):
    """httpx's transport with connections on a stack."""

    def __init__(self, ssl_context: Any, most: int) -> None:
        # All that httpx's own constructor does is to make a pool.
        self._pool: Any = Connections(ssl_context, most)


class DirectClient:
    """What a call needs of ``httpx.Client``, without what it does not: cookies, auth, redirects."""

    def __init__(self, ssl_context: Any, most: int = idle.MOST) -> None:
        self._transport = _Transport(ssl_context, most)

    build_request = staticmethod(idle.build_request)

    def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
        """Sends a request; the answer's body is still to be read, and the answer to be closed."""
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Closes all connections."""
        self._transport.close()
