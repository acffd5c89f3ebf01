"""Starting and stopping: a real uvicorn server on loopback, in a thread of its own.

Two things that ASGI has no word for live here as well: counting connections, and hanging up.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from xai_lowcode.emulator.gateway import HANG_UP, Gateway
from xai_lowcode.emulator.switchboard import Emulator, Envelope, Streaming, UrlForms

KEEP_ALIVE_SECONDS = 5
DATE_STALE_SECONDS = 1.0
START_SECONDS = 10.0


@contextmanager
def running(
    envelope: Envelope = "result",
    url_forms: UrlForms = "new",
    streaming: Streaming = "live",
    latency: float = 0.0,
    port: int = 0,
) -> Iterator[Emulator]:
    """Runs the emulator while the block lasts.

    Example:
        >>> from xai_lowcode.emulator import running
        >>> with running() as gateway:
        ...     gateway.base_url.startswith("http://127.0.0.1:")
        True

    Args:
        envelope: What is wrapped around a success: `result`, `data` or nothing (`bare`).
        url_forms: Which form of an address with a parameter is served.
        streaming: Whether streams come `live`, `buffered`, `wrapped` or as a `string` in JSON.
        latency: Seconds to wait before every answer.
        port: The port on 127.0.0.1; 0 lets the system choose.
    """
    gateway = Emulator(envelope=envelope, url_forms=url_forms, streaming=streaming, latency=latency)
    with socket.create_server(("127.0.0.1", port)) as listener:
        gateway.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = LoopbackServer(gateway)
        server.start(listener)
        try:
            yield gateway
        finally:
            server.stop()


class LoopbackServer(uvicorn.Server):
    """A uvicorn server that stops at once instead of at the next tick of its clock."""

    def __init__(self, gateway: Emulator) -> None:
        self._closing = asyncio.Event()
        config = uvicorn.Config(
            Gateway(gateway, self._closing),
            http=_counting_protocol(gateway),
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, listener: socket.socket) -> None:
        """Starts the thread and waits until connections are accepted."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.serve(sockets=[listener])),
            name="xai-lowcode-emulator",
            daemon=True,
        )
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("the emulator did not start")

    def stop(self) -> None:
        """Hangs up on everybody and waits for the thread to end."""
        self.should_exit = True
        if self._loop is not None:
            # The loop may have ended by itself, and then there is nobody left to wake.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._closing.set)
        if self._thread is not None:
            self._thread.join(START_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so to the thread that waits."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        """Sleeps until the emulator is stopped, waking only to keep the date header true."""
        while not self.should_exit:
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), DATE_STALE_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the doors, then the lines, then waits for what was being answered."""
        del sockets
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()


def _counting_protocol(gateway: Emulator) -> type[asyncio.Protocol]:
    """Makes the connection class that counts itself and can be told to hang up."""

    class Connection(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the parent
            super().connection_made(transport)
            gateway.connections += 1
            # Head and body are two writes; with Nagle's algorithm the second waits 40 ms.
            wire = transport.get_extra_info("socket")
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # uvicorn's access log would print the token, which is part of every address.
            self.access_log = False
            self.app = _with_hang_up(self.app, self.hang_up)

        def hang_up(self) -> None:
            self.cycle.disconnected = True
            self.transport.close()

    return Connection


def _with_hang_up(app: Any, hang_up: Callable[[], None]) -> Any:
    """Hands the application the one thing it cannot do through ASGI."""

    async def connected(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, "extensions": {HANG_UP: hang_up}}, receive, send)

    return connected
