"""Broken responses: their bytes, and how the connection ends."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.transport import wire
from tests.transport.raw_server import Connection, Request

_OK = b"HTTP/1.1 200 OK\r\n"
_LONG_HEADER = b"X-Long: " + b"a" * 200_000 + b"\r\n"


@dataclass(frozen=True)
class Broken:
    """A handler that sends a broken response.

    Attributes:
        build: Creates the bytes that it sends.
        end: Ends the connection; None to wait until the client closes it.
    """

    build: Callable[[Request], bytes]
    end: Callable[[Connection], None] | None = Connection.close

    def __call__(self, connection: Connection, request: Request) -> None:
        data = self.build(request)
        if data:
            connection.send(data)
        if self.end is None:
            connection.wait_closed()
            connection.close()
        else:
            self.end(connection)


def _fixed(data: bytes) -> Callable[[Request], bytes]:
    return lambda _request: data


def _with_head(*lines: str) -> Callable[[Request], bytes]:
    """Return a function that creates the correct body after a head with these lines."""

    def build(request: Request) -> bytes:
        content_type, parts = wire.echo(request)
        return wire.head(f"Content-Type: {content_type}", *lines) + b"".join(parts)

    return build


def _head_only(request: Request) -> bytes:
    head, end, _ = wire.echo_message(request).partition(b"\r\n\r\n")
    return head + end


def _bad_chunk(request: Request) -> bytes:
    content_type, parts = wire.echo(request)
    head = wire.head(f"Content-Type: {content_type}", "Transfer-Encoding: chunked")
    return head + b"nonsense\r\n" + b"".join(parts)


def _compressed_chunks(request: Request) -> bytes:
    content_type, parts = wire.echo(request)
    head = wire.head(f"Content-Type: {content_type}", "Transfer-Encoding: gzip, chunked")
    return head + wire.chunked(parts)


SILENT = {
    "closed": Broken(_fixed(b"")),
    "reset": Broken(_fixed(b""), Connection.reset),
}
"""The connection ends before the first byte of a response."""

# Defects of a head are detected in the head: the server waits for the client to close.
MALFORMED = {
    "a malformed header line": Broken(_fixed(_OK + b"bad header\r\n\r\n{}"), None),
    "a malformed status line": Broken(_fixed(b"HTTP/1.1 OK 200\r\n\r\n"), None),
    "no HTTP at all": Broken(_fixed(b"220 mail.example.com ESMTP\r\n\r\n"), None),
    "a head of 200 KB": Broken(
        _fixed(_OK + b"Content-Length: 2\r\n" + _LONG_HEADER + b"\r\n{}"), None
    ),
    "a Content-Length that is no number": Broken(_with_head("Content-Length: x"), None),
    "a negative Content-Length": Broken(_with_head("Content-Length: -1"), None),
    "two Content-Lengths": Broken(_with_head("Content-Length: 10", "Content-Length: 20"), None),
    "Transfer-Encoding: gzip, chunked": Broken(_compressed_chunks, None),
    "Transfer-Encoding: gzip": Broken(_with_head("Transfer-Encoding: gzip"), None),
    "a chunk without a size": Broken(_bad_chunk, None),
}
INCOMPLETE = {
    "one byte, closed": Broken(_fixed(b"H")),
    "half a head, closed": Broken(_fixed(_OK + b"Content-Le")),
    "half a head, reset": Broken(_fixed(_OK + b"Content-Le"), Connection.reset),
    "102 Processing, closed": Broken(_fixed(b"HTTP/1.1 102 Processing\r\n\r\n")),
    "100 Continue, closed": Broken(_fixed(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "a malformed header line, closed": Broken(_fixed(_OK + b"bad header\r\n\r\n{}")),
    "a whole head, closed": Broken(_head_only),
    "a whole head, reset": Broken(_head_only, Connection.reset),
}
BEGUN = {**MALFORMED, **INCOMPLETE}
"""At least one byte of a response is sent."""
