"""The raw server, tested with plain sockets."""

import contextlib
import http.client
import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.transport import wire
from tests.transport.raw_server import TIMEOUT, Connection, RawServer, Request, control

_GET = b"GET /xai/v1/models/%b HTTP/1.1\r\nHost: x\r\n\r\n"


def _connect(server: RawServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_correct_responses_can_be_parsed(framing: wire.Framing) -> None:
    """The standard library's client reads each kind of echo, on one connection."""
    with RawServer(lambda c, r: c.respond(r, framing=framing)) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        client.request("GET", "/xai/v1/models/a")
        assert b'"id":"a"' in client.getresponse().read()
        for stream in (False, True):
            messages = [{"role": "user", "content": "hello there"}]
            client.request(
                "POST",
                "/xai/v1/chat/completions",
                wire.dump({"messages": messages, "stream": stream}),
            )
            body = client.getresponse().read()
            assert (b"data: [DONE]\n\n" in body) == stream
            assert (b'"content":"echo hello there"' in body) != stream
        client.request("POST", "/xai/v1/images/generations", wire.dump({"prompt": "fox"}))
        assert b"https://images.invalid/fox.png" in client.getresponse().read()
        client.close()
        assert server.wait_until_closed()
        assert server.connections == 1
        assert server.counts() == {"a": 1, "hello there": 2, "fox": 1}
        assert [request.position for request in server.requests] == [1, 2, 3, 4]


def test_segments_and_ends() -> None:
    """Bytes are delivered as they are sent; a close is an end of file, a reset an error."""

    def handler(connection: Connection, request: Request) -> None:
        connection.send(b"one")
        connection.wait("two")
        connection.send_in_one_segment(b"two", b"three")
        getattr(connection, request.prompt)()

    for end in ("close", "reset"):
        with RawServer(handler) as server, _connect(server) as client:
            client.sendall(_GET % end.encode())
            assert client.recv(100) == b"one"
            server.event("two").set()
            assert client.recv(100) == b"twothree"
            if end == "close":
                assert client.recv(100) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(100)


def test_the_server_detects_closed_connections() -> None:
    """The server knows which connections are open, and when a client closes."""
    was_open = threading.Event()

    def handler(connection: Connection, _request: Request) -> None:
        assert not connection.wait_closed(0.001)
        was_open.set()
        assert connection.wait_closed()

    with RawServer(handler) as server:
        with _connect(server) as client:
            client.sendall(_GET % b"a")
            assert was_open.wait(TIMEOUT)
            assert server.open_connections == {1}
            assert not server.wait_until_closed(1, seconds=0.001)
        assert server.wait_until_closed(1)


def test_tls_records(tls: ssl.SSLContext, certificates: Path) -> None:
    """Over TLS each write is a record, also if two share a segment."""

    def handler(connection: Connection, request: Request) -> None:
        connection.send_in_one_segment(b"one", b"two")
        connection.close(notify=request.prompt == "notify")

    client_context = ssl.create_default_context(cafile=str(certificates))
    for prompt in (b"notify", b"nothing"):
        with (
            RawServer(handler, tls=tls) as server,
            _connect(server) as plain,
            client_context.wrap_socket(
                plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            ) as client,
        ):
            client.sendall(_GET % prompt)
            assert [client.recv(100), client.recv(100)] == [b"one", b"two"]
            ragged = pytest.raises(ssl.SSLEOFError)
            with contextlib.nullcontext() if prompt == b"notify" else ragged:
                assert client.recv(100) == b""


def test_an_exception_of_a_handler_fails_the_test() -> None:
    """An exception in a handler is raised at the server's end, unless the test fails already."""

    def handler(_connection: Connection, request: Request) -> None:
        raise LookupError(request.prompt)

    def run() -> None:
        with RawServer(handler) as server, _connect(server) as client:
            client.sendall(_GET % b"a")
            assert client.recv(100) == b""

    with pytest.raises(LookupError, match="a"):
        run()


def test_events_from_other_processes() -> None:
    """A control request sets or awaits an event of the server, and is not recorded."""
    with RawServer() as server:
        control(server.port, "set", "go")
        control(server.port, "wait", "go")
        assert server.event("go").is_set()
        assert not server.requests
