"""Servers on loopback for what no emulated gateway does: hosts that are none, and raw bytes."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

Talk = Callable[[socket.socket, threading.Event], None]


@contextmanager
def refusing() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        # Bound, so that nobody else gets the port; without listening, so that it refuses.
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/xai"


@contextmanager
def unknown() -> Iterator[str]:
    """An address whose host has no entry anywhere, as the system's resolver says."""

    def resolve(host: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r}: Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        # The real one may ask the network, and take its time.
        patch.setattr(socket, "getaddrinfo", resolve)
        yield "https://gateway.invalid/xai"


@contextmanager
def unresolved() -> Iterator[str]:
    """An address whose host is asked for, and nobody says anything until this is left."""
    over = threading.Event()

    def resolve(*_args: Any, flags: int = 0, **_kwargs: Any) -> Any:
        if not flags & socket.AI_NUMERICHOST:
            over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        try:
            yield "https://gateway.invalid/xai"
        finally:
            over.set()


@contextmanager
def untrusted() -> Iterator[str]:
    """A host whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def greet(line: socket.socket, _over: threading.Event) -> None:
        with suppress(OSError):
            context.wrap_socket(line, server_side=True).close()

    with talking(greet) as place:
        yield f"https://{place}/xai"


@contextmanager
def dripping_head() -> Iterator[str]:
    """A gateway whose answer begins, header after header, and comes to no body."""

    def drip(line: socket.socket, over: threading.Event) -> None:
        line.recv(1 << 16)
        with suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.2):
                line.sendall(b"X-More: to come\r\n")

    with talking(drip) as place:
        yield f"http://{place}/xai"


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """Run a server that calls ``talk`` for each connection; yields its host and port."""
    over, threads = threading.Event(), []

    def serve(line: socket.socket) -> None:
        with line:
            talk(line, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(line,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            # Closing alone would not wake the one who accepts.
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
