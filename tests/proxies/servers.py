"""A TCP server with one thread for each connection: the base of the proxies and of the TLS gateway.

All servers here are made of sockets and threads, and share no code with the package or with httpx.
"""

import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

TIMEOUT = 10.0
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")

Address = tuple[str, int]


class StoppedError(Exception):
    """The server is being stopped."""


@dataclass(frozen=True)
class Head:
    """The request line and the headers of an HTTP request, as they were received."""

    line: str
    headers: tuple[tuple[str, str], ...] = ()
    malformed: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the bytes up to the blank line; lines that are not headers are ``malformed``."""
        line, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        matches = [(text, _HEADER.fullmatch(text)) for text in rest]
        return cls(
            line,
            tuple((match[1].lower(), match[2]) for _, match in matches if match),
            tuple(text for text, match in matches if not match),
        )

    @property
    def method(self) -> str:
        """Return the method."""
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        """Return the request target."""
        return self.line.partition(" ")[2].rpartition(" ")[0]

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for header, value in self.headers if header == name]

    def render(self, target: str, without: tuple[str, ...]) -> bytes:
        """Return the bytes of the head with another target, and without some headers."""
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers if name not in without]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RequestReader:
    """Parses the heads of requests in the bytes of a connection.

    Args:
        on_head: Called with each head; returns the bytes that are sent instead.
    """

    def __init__(self, on_head: Callable[[Head], bytes]) -> None:
        self._on_head = on_head
        self._buffer = b""
        self._body = 0

    def feed(self, data: bytes) -> bytes:
        """Add received bytes, and return the bytes to send."""
        forwarded = []
        self._buffer += data
        while self._buffer:
            if self._body:
                part, self._buffer = self._buffer[: self._body], self._buffer[self._body :]
                self._body -= len(part)
                forwarded.append(part)
                continue
            text, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                break
            head, self._buffer = Head.parse(text), rest
            if head.all("transfer-encoding"):
                raise ValueError("a request body without a length: these servers cannot read it")
            self._body = int("".join(head.all("content-length")) or 0)
            forwarded.append(self._on_head(head))
        return b"".join(forwarded)


class Connection:
    """An accepted or opened connection; waiting for bytes ends when the server is stopped."""

    def __init__(self, sock: socket.socket, stopped: socket.socket) -> None:
        sock.settimeout(TIMEOUT)
        # Head and body are two writes; with Nagle's algorithm the second waits 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._stopped = stopped
        self._buffer = b""

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Start TLS as the server."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of the data."""
        self.socket.sendall(data)

    def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        wait_for(self, stopped=self._stopped)
        return self.receive()

    def read_exactly(self, length: int) -> bytes:
        """Return exactly this number of bytes."""
        while len(self._buffer) < length:
            data, rest = self._buffer, b""
            self._buffer = b""
            rest = self.read()
            self._buffer = data + rest
            if not rest:
                raise ConnectionError("The connection ended early.")
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data

    def read_head(self) -> bytes:
        """Return the bytes up to and including the next blank line.

        There are fewer if the connection ends before, or if the data is not HTTP.
        """
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.read()
            data += more
            if not (more and data[:1].isalpha()):
                return data
        head, end, self._buffer = data.partition(b"\r\n\r\n")
        return head + end

    def receive(self) -> bytes:
        """Return the received bytes without waiting; none at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return self.socket.recv(1 << 16)

    @property
    def unread(self) -> bytes:
        """Return the bytes after the last head that were not read."""
        return self._buffer

    @property
    def is_ready(self) -> bool:
        """Return True if bytes were received that were not read."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        return bool(self._buffer or pending)


def wait_for(*connections: Connection, stopped: socket.socket) -> list[Connection]:
    """Wait until one of the connections can be read."""
    ready = [each for each in connections if each.is_ready]
    if not ready:
        sockets = {each.socket: each for each in connections}
        readable, _, _ = select.select([*sockets, stopped], [], [])
        if stopped in readable:
            raise StoppedError
        ready = [sockets[each] for each in readable]
    return ready


class Server:
    """A server on a loopback port, with one thread for each connection.

    Attributes:
        connections: The number of accepted connections.
        violations: Violations of the protocol; tests assert that it is empty.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.violations: list[str] = []
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        # Becomes readable for all threads when the other end is closed.
        self._stopped, self._stop = socket.socketpair()
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.close()
        for thread in self._threads:
            thread.join(TIMEOUT)
        self._listener.close()
        self._stopped.close()

    @property
    def address(self) -> Address:
        """Return host and port."""
        return "127.0.0.1", self.port

    @property
    def open_connections(self) -> int:
        """Return the number of open connections, after waiting for those that are being closed."""
        deadline = time.monotonic() + 2
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)
        return len(self._open)

    def close_connections(self) -> None:
        """Close all open connections, as servers do with idle ones."""
        for each in list(self._open):
            with suppress(OSError):
                # Not with the TLS layer, which another thread uses.
                socket.socket.shutdown(each.socket, socket.SHUT_RDWR)
        assert self.open_connections == 0

    def handle(self, connection: Connection) -> None:
        """Serve one connection, which is closed afterwards."""
        raise NotImplementedError

    def connect(self, address: Address) -> Connection:
        """Connect to another server."""
        return Connection(socket.create_connection(address, TIMEOUT), self._stopped)

    def relay(
        self,
        client: Connection,
        upstream: Connection,
        outbound: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        """Forward bytes in both directions until one side ends.

        Args:
            client: The side that sends requests.
            upstream: The other side.
            outbound: Called with the client's bytes; returns those to send.
        """
        while True:
            for source in wait_for(client, upstream, stopped=self._stopped):
                data = source.receive()
                if not data:
                    return
                if source is upstream:
                    client.send(data)
                elif forwarded := outbound(data):
                    upstream.send(forwarded)

    def wait(self, connection: Connection) -> None:
        """Wait until the client closes the connection."""
        while connection.read():
            pass

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            readable, _, _ = select.select([self._listener, self._stopped], [], [])
            if self._stopped in readable:
                return
            sock, _ = self._listener.accept()
            self.connections += 1
            connection = Connection(sock, self._stopped)
            self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            self.handle(connection)
        except (StoppedError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - reported by the test, which reads `violations`
            self.violations.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
            self._open.discard(connection)


def header_violations(head: Head, allowed: dict[str, str | None]) -> Iterator[str]:
    """Yield what is wrong with the headers of a request.

    Args:
        head: The request.
        allowed: The allowed headers, with their expected value; None for any.
    """
    yield from (f"malformed header: {line!r}" for line in head.malformed)
    for name in {name for name, _ in head.headers}:
        values = head.all(name)
        if len(values) > 1:
            yield f"header {name} is sent {len(values)} times"
        if name not in allowed:
            yield f"header {name}: {values[0]!r} must not be sent to a proxy"
        elif allowed[name] not in {None, values[0]}:
            yield f"header {name} is {values[0]!r} instead of {allowed[name]!r}"
