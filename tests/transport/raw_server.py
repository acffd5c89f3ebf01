"""A raw-socket HTTP/1.1 server that can misbehave at every byte, and counts requests.

It has one thread for each connection, blocking sockets and no HTTP library. A handler gets a
connection and a request, and sends any bytes in any segments and TLS records. The server shares no
code with the package, and so none of its errors.
"""

import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from tests.transport import wire

TIMEOUT = 10.0
"""Seconds after which a test fails that waits for something immediate."""

_HEAD_END = b"\r\n\r\n"
_READ_SIZE = 1 << 16
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *\r\n", re.IGNORECASE)
_CONTROL = "/control/"


@dataclass(frozen=True)
class Request:
    """A request as it was received.

    Attributes:
        head: Request line and headers, as bytes.
        body: The body.
        connection: Number of the connection, from 1.
        position: Number of the request on its connection, from 1.
    """

    head: bytes
    body: bytes
    connection: int
    position: int

    @property
    def method(self) -> str:
        """Return GET or POST."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def path(self) -> str:
        """Return the request target without its query, which has the token."""
        return self.head.split(b" ", 2)[1].decode().partition("?")[0]

    @cached_property
    def headers(self) -> dict[str, str]:
        """Return the headers, with names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @cached_property
    def json(self) -> dict[str, Any]:
        """Return the decoded body; empty without one."""
        return json.loads(self.body) if self.body else {}

    @property
    def is_stream(self) -> bool:
        """Return True if a stream is requested."""
        return bool(self.json.get("stream"))

    @property
    def is_image(self) -> bool:
        """Return True if an image is requested."""
        return self.path.endswith("/images/generations")

    @cached_property
    def prompt(self) -> str:
        """Return what makes the request unique: its prompt, or the last segment of its path."""
        if self.method == "GET":
            return self.path.rpartition("/")[2]
        if self.is_image:
            return str(self.json["prompt"])
        content = self.json["messages"][-1]["content"]
        return content if isinstance(content, str) else content[0]["text"]


class Connection:
    """An accepted connection, with the methods that a handler uses.

    Every write is one call of ``send`` on the socket: one segment, as far as it fits into one, and
    over TLS one record for each 16 KB.
    """

    def __init__(self, accepted: socket.socket, number: int, server: "RawServer") -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self.served = 0
        self.closed = False
        self.poisoned = False
        self._socket = accepted
        self._server = server
        self._received = b""

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Make the TLS handshake."""
        self._socket = context.wrap_socket(self._socket, server_side=True)

    def read_request(self) -> Request | None:
        """Read a request; return None if the client has closed the connection."""
        while _HEAD_END not in self._received:
            if not self._receive():
                return None
        head, _, self._received = self._received.partition(_HEAD_END)
        head += _HEAD_END
        length = _CONTENT_LENGTH.search(head)
        size = int(length[1]) if length else 0
        while len(self._received) < size:
            if not self._receive():
                return None
        body, self._received = self._received[:size], self._received[size:]
        self.served += 1
        return Request(head, body, self.number, self.served)

    def _receive(self) -> bool:
        received = self._socket.recv(_READ_SIZE)
        self._received += received
        return bool(received)

    def send(self, data: bytes) -> None:
        """Send the bytes."""
        self._socket.sendall(data)

    def send_in_one_segment(self, *parts: bytes) -> None:
        """Send the parts in one segment; over TLS each is its own record."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for part in parts:
            self._socket.sendall(part)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def respond(self, request: Request, **options: Any) -> None:
        """Send the correct response, the echo of the prompt."""
        self.send(wire.echo_message(request, **options))

    def wait_readable(self, seconds: float = TIMEOUT) -> bool:
        """Wait until the client has sent data or has closed, without reading."""
        return bool(self._received or select.select([self._socket], [], [], seconds)[0])

    def wait_closed(self, seconds: float = TIMEOUT) -> bool:
        """Wait until the client closes the connection; return False at the timeout."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._server.stopping.is_set():
            if not select.select([self._socket], [], [], min(left, 0.5))[0]:
                continue
            try:
                if not self._receive():
                    return True
            except ssl.SSLWantReadError:
                continue
            except OSError:
                return True
        return False

    def wait(self, name: str, seconds: float = TIMEOUT) -> bool:
        """Wait for an event of the server."""
        return self._server.event(name).wait(seconds)

    def set(self, name: str) -> None:
        """Set an event of the server."""
        self._server.event(name).set()

    def pause(self, seconds: float) -> None:
        """Wait for some time, or until the server stops."""
        self._server.stopping.wait(seconds)

    def close(self, *, notify: bool = False) -> None:
        """Close the connection; ``notify`` sends TLS' close_notify before."""
        self.closed = True
        if notify and isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError):
                self._socket.settimeout(0)
                self._socket.unwrap()
        self._socket.close()

    def reset(self) -> None:
        """Reset the connection."""
        self.closed = True
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def interrupt(self) -> None:
        """End what the connection's thread is doing, from another thread."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


Handler = Callable[[Connection, Request], None]


def respond(connection: Connection, request: Request) -> None:
    """Send the correct response."""
    connection.respond(request)


class RawServer:
    """The server, as a context manager.

    Args:
        handler: Called with each request; the connection is read again when it returns, unless it
            closed it.
        tls: Context for TLS; None for plain sockets.
        on_connect: Called with each new connection before anything is read.

    Attributes:
        requests: The received requests, in order.
        errors: Exceptions of handlers; the server raises the first one at its end.
    """

    def __init__(
        self,
        handler: Handler = respond,
        *,
        tls: ssl.SSLContext | None = None,
        on_connect: Callable[[Connection], None] | None = None,
    ) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.stopping = threading.Event()
        self._tls = tls
        self._on_connect = on_connect
        self._events: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._open: dict[int, Connection] = {}
        self._threads: set[threading.Thread] = set()
        self._accepted = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        self.stopping.set()
        for event in list(self._events.values()):
            event.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(TIMEOUT)
        self._listener.close()
        with self._changed:
            connections, threads = list(self._open.values()), list(self._threads)
        for connection in connections:
            connection.interrupt()
        for thread in threads:
            thread.join(TIMEOUT)
        if self.errors and kind is None:
            raise self.errors[0]

    @property
    def base_url(self) -> str:
        """Return the base URL for clients."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}/xai"

    @property
    def connections(self) -> int:
        """Return the number of accepted connections."""
        return self._accepted

    @property
    def open_connections(self) -> set[int]:
        """Return the numbers of the connections that neither side has closed."""
        with self._changed:
            return set(self._open)

    def count(self, prompt: str) -> int:
        """Return the number of received requests with this prompt."""
        return sum(request.prompt == prompt for request in list(self.requests))

    def counts(self) -> Counter[str]:
        """Return the number of received requests, by prompt."""
        return Counter(request.prompt for request in list(self.requests))

    def connections_of(self, prompt: str) -> list[int]:
        """Return the numbers of the connections on which the prompt was received."""
        return [request.connection for request in list(self.requests) if request.prompt == prompt]

    def event(self, name: str) -> threading.Event:
        """Return an event that handlers and clients can wait for."""
        with self._changed:
            event = self._events.setdefault(name, threading.Event())
            if self.stopping.is_set():
                event.set()
            return event

    def wait_until_closed(self, *numbers: int, seconds: float = TIMEOUT) -> bool:
        """Wait until the connections are closed, or all of them if there are no numbers."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._open.keys() & set(numbers) if numbers else self._open), seconds
            )

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._accepted += 1
                connection = Connection(accepted, self._accepted, self)
                self._open[connection.number] = connection
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            self._serve_requests(connection)
        except (OSError, ValueError) as error:
            # The client has closed, or the test's end has closed the socket during a handler.
            if isinstance(error, ValueError) and not self.stopping.is_set():
                self.errors.append(error)
        except Exception as error:  # noqa: BLE001 - raised again at the server's end
            self.errors.append(error)
        finally:
            if not connection.closed:
                connection.close()
            with self._changed:
                self._open.pop(connection.number, None)
                self._threads.discard(threading.current_thread())
                self._changed.notify_all()

    def _serve_requests(self, connection: Connection) -> None:
        if self._on_connect is not None:
            self._on_connect(connection)
        if self._tls is not None and not connection.closed:
            connection.start_tls(self._tls)
        while not connection.closed and not self.stopping.is_set():
            request = connection.read_request()
            if request is None:
                return
            if request.path.startswith(_CONTROL):
                self._control(connection, request)
                continue
            self.requests.append(request)
            self.handler(connection, request)

    def _control(self, connection: Connection, request: Request) -> None:
        action, name = request.path.removeprefix(_CONTROL).split("/")
        event = self.event(name)
        if action == "set":
            event.set()
        done = event.wait(TIMEOUT)
        connection.send(wire.message(b"" if done else b"late", status="200 OK" if done else "504"))


def control(port: int, action: str, name: str) -> None:
    """Wait for an event of a server in another process, or set it.

    Raises:
        TimeoutError: The event was not set in time.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=2 * TIMEOUT) as connection:
        connection.sendall(f"GET {_CONTROL}{action}/{name} HTTP/1.1\r\n\r\n".encode())
        if b" 200 " not in connection.recv(_READ_SIZE):
            raise TimeoutError(f"{name} was not set")
