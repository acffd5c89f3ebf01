"""Servers and host names that no emulated gateway has: unreachable, untrusted, too slow."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

Handler = Callable[[socket.socket, threading.Event], None]


@contextmanager
def refused_connections() -> Iterator[str]:
    """Yield a base URL whose port refuses connections."""
    with socket.socket() as bound:
        # Bound, so that no other process gets the port; without listening, so that it refuses.
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/xai"


@contextmanager
def unknown_host() -> Iterator[str]:
    """Yield a base URL whose host name does not exist."""

    def resolve(host: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r}: Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        # The real resolver may use the network, and take long.
        patch.setattr(socket, "getaddrinfo", resolve)
        yield "https://gateway.invalid/xai"


@contextmanager
def unresolved_host() -> Iterator[str]:
    """Yield a base URL whose host name is not resolved before the block ends."""
    stopped = threading.Event()

    def resolve(*_args: Any, flags: int = 0, **_kwargs: Any) -> Any:
        if not flags & socket.AI_NUMERICHOST:
            stopped.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        try:
            yield "https://gateway.invalid/xai"
        finally:
            stopped.set()


@contextmanager
def untrusted_certificate() -> Iterator[str]:
    """Yield a base URL whose certificate is signed by an unknown authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def accept_tls(connection: socket.socket, _stopped: threading.Event) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with serving(accept_tls) as address:
        yield f"https://{address}/xai"


@contextmanager
def endless_headers() -> Iterator[str]:
    """Yield a base URL at which headers are sent slowly, without an end."""

    def send_headers(connection: socket.socket, stopped: threading.Event) -> None:
        connection.recv(1 << 16)
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stopped.wait(0.2):
                connection.sendall(b"X-More: to come\r\n")

    with serving(send_headers) as address:
        yield f"http://{address}/xai"


@contextmanager
def serving(handle: Handler) -> Iterator[str]:
    """Run a server that calls ``handle`` for each connection; yield its host and port."""
    stopped, threads = threading.Event(), []

    def serve(connection: socket.socket) -> None:
        with connection:
            handle(connection, stopped)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stopped.set()
            # Closing alone would not wake the accepting thread.
            server.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
