"""Starting and stopping: a real uvicorn server on loopback, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Unpack

import uvicorn

from xai_lowcode.emulator.app import Gateway
from xai_lowcode.emulator.state import Emulator, Switches
from xai_lowcode.emulator.uvicorn_protocol import connection_class

KEEP_ALIVE_SECONDS = 5
DATE_STALE_SECONDS = 1.0
START_SECONDS = 10.0


@contextmanager
def running(port: int = 0, **switches: Unpack[Switches]) -> Iterator[Emulator]:
    """Runs the emulator while the block lasts.

    Example:
        >>> from xai_lowcode.emulator import running
        >>> with running(envelope="data", deferred_polls=0) as gateway:
        ...     gateway.base_url.startswith("http://127.0.0.1:")
        True

    Args:
        port: The port on 127.0.0.1; 0 lets the system choose.
        **switches: How the gateway behaves at the start; all can be set later as attributes.

            * `envelope`: what is wrapped around a success, `result`, `data` or nothing (`bare`).
            * `url_forms`: which form of an address with a parameter is served: `new`, `old`,
              `both`, or `old_new_drops`, where the new form drops the connection.
            * `parameter_names`: other names of the parameters in the old form.
            * `streaming`: whether streams come `live`, `buffered`, `wrapped` or as a `string`.
            * `latency`: seconds to wait before every answer.
            * `compression`: whether long answers are packed for those who can unpack them.
            * `deferred_polls`: how often a deferred answer is pending before it is there.
            * `deferred_pending`: what such a poll gets: `empty_json` (an empty text in the
              envelope), `empty` (no body), `null`, `never` (no answer at all) or `status_202`.
            * `downloads`: whether contents of files come `as_gateway`, which garbles bytes, or
              `intact`.
            * `colon_routes`: whether addresses such as `files:initialize` are `exact`, or the
              `first_wins` as in a server that takes the colon for a parameter.
            * `embeddings`: whether there is an endpoint for embeddings.
            * `openapi`: whether there is a definition in the new format.
    """
    gateway = Emulator(**switches)
    with socket.create_server(("127.0.0.1", port)) as listener:
        address: tuple[str, int] = listener.getsockname()
        gateway.origin = f"http://{address[0]}:{address[1]}"
        server = LoopbackServer(gateway, address)
        gateway.close_for = server.close_for
        server.start(listener)
        try:
            yield gateway
        finally:
            server.stop()


class LoopbackServer(uvicorn.Server):
    """A uvicorn server that stops at once instead of at the next tick of its clock."""

    def __init__(self, gateway: Emulator, address: tuple[str, int]) -> None:
        self._closing = asyncio.Event()
        self._address = address
        config = uvicorn.Config(
            Gateway(gateway, self._closing),
            http=connection_class(gateway),
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
        self._reopening: asyncio.Task[None] | None = None

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

    def close_for(self, seconds: float) -> None:
        """Closes the doors now, from whichever thread, and opens them again later."""
        if self._loop is None or threading.current_thread() is self._thread:
            self._close_doors(seconds)
            return
        closed = threading.Event()
        self._loop.call_soon_threadsafe(self._close_doors, seconds)
        self._loop.call_soon_threadsafe(closed.set)
        closed.wait(START_SECONDS)

    def _close_doors(self, seconds: float) -> None:
        for server in self.servers:
            server.close()
        self._reopening = asyncio.create_task(self._reopen(seconds))

    async def _reopen(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
            return
        await super().startup(sockets=[socket.create_server(self._address)])

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
        if self._reopening is not None:
            await self._reopening
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()
