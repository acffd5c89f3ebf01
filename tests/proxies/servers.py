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
    """The first line and the headers of an HTTP request, as they were read."""

    line: str
    headers: tuple[tuple[str, str], ...] = ()
    malformed: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Splits the bytes up to the blank line; keeps lines that are not headers apart."""
        line, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        matches = [(text, _HEADER.fullmatch(text)) for text in rest]
        return cls(
            line,
            tuple((match[1].lower(), match[2]) for _, match in matches if match),
            tuple(text for text, match in matches if not match),
        )

    @property
    def method(self) -> str:
        """The first word of the line."""
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        """What is between the method and the version."""
        return self.line.partition(" ")[2].rpartition(" ")[0]

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for known, value in self.headers if known == name]

    def render(self, target: str, without: tuple[str, ...]) -> bytes:
        """The bytes of the head with another target, and without some headers."""
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers if name not in without]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RequestReader:
    """Finds the heads of the requests in the bytes of a connection.

    Args:
        on_head: Is called with each head, and returns the bytes that are passed on instead.
    """

    def __init__(self, on_head: Callable[[Head], bytes]) -> None:
        self._on_head = on_head
        self._buffer = b""
        self._body = 0

    def feed(self, data: bytes) -> bytes:
        """Takes bytes as they come, and returns the bytes to pass on."""
        passed = []
        self._buffer += data
        while self._buffer:
            if self._body:
                part, self._buffer = self._buffer[: self._body], self._buffer[self._body :]
                self._body -= len(part)
                passed.append(part)
                continue
            text, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                break
            head, self._buffer = Head.parse(text), rest
            if head.all("transfer-encoding"):
                raise ValueError("a request body without a length: these servers cannot read it")
            self._body = int("".join(head.all("content-length")) or 0)
            passed.append(self._on_head(head))
        return b"".join(passed)


class Connection:
    """One accepted or opened connection; waiting for bytes ends when the server is stopped."""

    def __init__(self, sock: socket.socket, stopped: socket.socket) -> None:
        sock.settimeout(TIMEOUT)
        # Head and body are two writes; with Nagle's algorithm the second waits 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._stopped = stopped
        self._buffer = b""

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Continues encrypted."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends all of the data."""
        self.socket.sendall(data)

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        wait_for(self, stopped=self._stopped)
        return self.receive()

    def read_exactly(self, length: int) -> bytes:
        """The next bytes, of which there must be as many."""
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
        """The bytes up to and with the next blank line; fewer if there is none.

        That is when the connection ends before, or when something else than HTTP is spoken.
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
        """The bytes that are there, without waiting for the stop; none at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return self.socket.recv(1 << 16)

    @property
    def unread(self) -> bytes:
        """What came with the last head, and was not read yet."""
        return self._buffer

    @property
    def is_ready(self) -> bool:
        """Whether bytes were received that are not read yet."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        return bool(self._buffer or pending)


def wait_for(*connections: Connection, stopped: socket.socket) -> list[Connection]:
    """Waits until one of the connections can be read."""
    ready = [each for each in connections if each.is_ready]
    if not ready:
        sockets = {each.socket: each for each in connections}
        found, _, _ = select.select([*sockets, stopped], [], [])
        if stopped in found:
            raise StoppedError
        ready = [sockets[each] for each in found]
    return ready


class Server:
    """A server on a loopback port, with one thread for each connection.

    Attributes:
        connections: How many connections were accepted.
        odd: What was not as the specification says, in words; tests assert that it is empty.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.odd: list[str] = []
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
        """Host and port."""
        return "127.0.0.1", self.port

    @property
    def open_connections(self) -> int:
        """How many connections are open, once those that are being closed are."""
        until = time.monotonic() + 2
        while self._open and time.monotonic() < until:
            time.sleep(0.005)
        return len(self._open)

    def close_connections(self) -> None:
        """Ends all open connections, as servers do with those that have been idle."""
        for each in list(self._open):
            with suppress(OSError):
                # Not by the TLS layer, which another thread uses.
                socket.socket.shutdown(each.socket, socket.SHUT_RDWR)
        assert self.open_connections == 0

    def handle(self, connection: Connection) -> None:
        """Serves one connection, which is closed afterwards."""
        raise NotImplementedError

    def connect(self, address: Address) -> Connection:
        """Opens a connection to somewhere else."""
        return Connection(socket.create_connection(address, TIMEOUT), self._stopped)

    def relay(
        self,
        client: Connection,
        upstream: Connection,
        outbound: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        """Passes bytes on both ways until one side ends.

        Args:
            client: The side that sends requests.
            upstream: The other side.
            outbound: Is given the client's bytes, and returns those to pass on.
        """
        while True:
            for source in wait_for(client, upstream, stopped=self._stopped):
                data = source.receive()
                if not data:
                    return
                if source is upstream:
                    client.send(data)
                elif passed := outbound(data):
                    upstream.send(passed)

    def wait(self, connection: Connection) -> None:
        """Waits until the client closes the connection."""
        while connection.read():
            pass

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            found, _, _ = select.select([self._listener, self._stopped], [], [])
            if self._stopped in found:
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
        except Exception as error:  # noqa: BLE001 - reported by the test, which reads `odd`
            self.odd.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
            self._open.discard(connection)


def odd_headers(head: Head, allowed: dict[str, str | None]) -> Iterator[str]:
    """What is wrong with the headers of a request, in words.

    Args:
        head: The request.
        allowed: The headers that it may have, with the value that is right; None for any.
    """
    yield from (f"malformed header: {line!r}" for line in head.malformed)
    for name in {name for name, _ in head.headers}:
        values = head.all(name)
        if len(values) > 1:
            yield f"header {name} is sent {len(values)} times"
        if name not in allowed:
            yield f"header {name}: {values[0]!r} is not the proxy's business"
        elif allowed[name] not in {None, values[0]}:
            yield f"header {name} is {values[0]!r} instead of {allowed[name]!r}"
