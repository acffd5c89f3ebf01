"""Start and stop the emulator: a uvicorn server on loopback, in its own thread."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Unpack

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from xai_lowcode.emulator.app import CONNECTION, EmulatorApp
from xai_lowcode.emulator.faults import ResetUnread
from xai_lowcode.emulator.state import Emulator, Options

KEEP_ALIVE_SECONDS = 5
TICK_SECONDS = 1.0  # uvicorn renews the Date header at every tick
START_TIMEOUT = 30.0
THREAD_NAME = "xai-lowcode-emulator"
"""Prefix of the names of its threads."""
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with the one that the user chose
# SO_LINGER with a timeout of zero: closing discards unsent bytes and sends a TCP reset.
LINGER_ZERO = struct.pack("ii", 1, 0)


@contextmanager
def running(
    port: int = 0, host: str = "127.0.0.1", **options: Unpack[Options]
) -> Iterator[Emulator]:
    """Run the emulator in a context manager.

    Example:
        >>> from xai_lowcode.emulator import running
        >>> with running(envelope="data", deferred_polls=0) as emulator:
        ...     emulator.base_url.startswith("http://127.0.0.1:")
        True

    Args:
        port: The port; 0 selects a free one.
        host: The address to listen on; `0.0.0.0` accepts connections from other machines.
        **options: The initial options. Each is also an attribute of the `Emulator`.

            * `envelope`: the envelope of a success, `result`, `data` or none (`bare`).
            * `url_forms`: which URL format of a route with parameters is served: `new`, `old`,
              `both`, `old_new_drops`, where the new format crashes the gateway, or `both_drop`,
              where both do.
            * `restart_seconds`: how long a crashed gateway takes to restart. It closes every
              connection and refuses new ones until then. 0 closes only the one that crashed it.
            * `front`: whether a proxy in front of the gateway responds with 502 while the gateway
              is down, in place of closed and refused connections.
            * `parameter_names`: a mapping of parameter names to other names in the old format.
            * `streaming`: how streams are sent, `live`, `buffered`, `wrapped` (each chunk in the
              envelope) or as a JSON `string`.
            * `latency`: seconds to wait before every response.
            * `compression`: whether large responses are compressed if the client accepts gzip.
            * `deferred_polls`: how many polls of a deferred completion are pending.
            * `deferred_pending`: the response to a pending poll: `empty_json` (an empty string in
              the envelope), `empty` (no body), `null`, `never` (no response) or `status_202`.
            * `downloads`: file contents `as_gateway`, which corrupts binary data, or `intact`.
            * `colon_routes`: whether routes such as `files:initialize` match the `exact` path, or
              as a path parameter of the first such route (`first_wins`).
            * `server_tool_items`: the fields of web searches and code: as xAI's OpenAPI document
              has them (`documented`), or as responses of `2025` had them.
            * `models`: names of further models. Others than xAI's are refused, as xAI does.
            * `embeddings`: whether the embeddings endpoint exists.
            * `openapi`: whether the OpenAPI document in the new format exists.
            * `api_token`: the valid token, which begins with `at_`; a random one by default.
            * `replies`: texts of the first chat responses, in order; see `Emulator.reply`.

    Yields:
        The running emulator.

    Raises:
        TypeError: An option is unknown.
        ValueError: An option has a value that is not allowed.
        OSError: The port is in use.
    """
    emulator = Emulator(**options)
    with socket.create_server((host, port)) as listener:
        address: tuple[str, int] = listener.getsockname()
        reachable = "127.0.0.1" if address[0] == EVERY_ADDRESS else address[0]
        emulator.origin = f"http://{reachable}:{address[1]}"
        server = LoopbackServer(emulator, address)
        emulator.close_listener = server.close_listener
        emulator.end_process = server.end_process
        server.start(listener)
        try:
            yield emulator
        finally:
            server.stop()


class LoopbackServer(uvicorn.Server):
    """A uvicorn server in a thread, which stops at once instead of at the next tick."""

    def __init__(self, emulator: Emulator, address: tuple[str, int]) -> None:
        self._closing = asyncio.Event()
        self._emulator = emulator
        self._address = address
        config = uvicorn.Config(
            EmulatorApp(emulator, self._closing),
            http=partial(EmulatorProtocol, emulator, self._closing),  # type: ignore[arg-type]  # it is called
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
        self._restart_task: asyncio.Task[None] | None = None

    def start(self, listener: socket.socket) -> None:
        """Start the thread and wait until connections are accepted."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.serve(sockets=[listener])),
            name=THREAD_NAME,
            daemon=True,
        )
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT):
            raise RuntimeError("the emulator did not start")

    def stop(self) -> None:
        """Close all connections and wait for the thread to end."""
        self.should_exit = True
        if self._loop is not None:
            # The event loop may be closed already.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._closing.set)
        if self._thread is not None:
            self._thread.join(START_TIMEOUT)

    def close_listener(self, seconds: float) -> None:
        """Close the listening socket and open it again later. Thread-safe."""
        if self._loop is None or threading.current_thread() is self._thread:
            self._begin_restart(seconds)
            return
        closed = threading.Event()
        self._loop.call_soon_threadsafe(self._begin_restart, seconds, closed.set)
        closed.wait(START_TIMEOUT)

    def end_process(self) -> None:
        """Close every connection at once, as the end of the process does, and restart later."""
        self._abort_connections()
        self._begin_restart(self._emulator.restart_seconds, self._abort_connections)

    def _begin_restart(self, seconds: float, on_closed: Callable[[], None] = lambda: None) -> None:
        if self._restart_task is None or self._restart_task.done():
            self._stop_listening()
            self._restart_task = asyncio.create_task(self._restart(seconds, on_closed))
        else:
            on_closed()

    async def _restart(self, seconds: float, on_closed: Callable[[], None]) -> None:
        await self._close_servers()
        on_closed()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
            return
        await super().startup(sockets=[socket.create_server(self._address)])

    def _stop_listening(self) -> None:
        for server in self.servers:
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener)
                # On Linux this refuses connections at once, elsewhere closing the server does.
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)

    async def _close_servers(self) -> None:
        """Close the servers, which do not listen any more.

        asyncio forgets connections that it accepted just before a server is closed, and leaves
        their sockets open. So wait until the accepted ones are transports, which can be aborted.
        """
        for _ in range(3):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()

    def _abort_connections(self) -> None:
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if connection.cycle is not None:
                connection.cycle.disconnected = True
            connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening and notify `start`."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix=THREAD_NAME))
        await super().startup(sockets=sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        """Sleep until the server is stopped; wake up only to renew the Date header."""
        while not self.should_exit:
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, close the connections and wait for the running requests."""
        del sockets
        if self._restart_task is not None:
            await self._restart_task
        self._stop_listening()
        await self._close_servers()
        self._abort_connections()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()


class EmulatorProtocol(H11Protocol):
    """A connection that is counted, can be reset, and reports that the client left early."""

    def __init__(self, emulator: Emulator, closing: asyncio.Event, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._emulator = emulator
        self._closing = closing
        # uvicorn's access log would contain the token, which is in every URL.
        self.access_log = False
        self._app: Any = self.app
        self.app = self._run_app

    async def _run_app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Run the application with a scope that has the `ConnectionControl`."""
        await self._app({**scope, "extensions": {CONNECTION: self}}, receive, send)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the parent
        """Count the connection."""
        super().connection_made(transport)
        self._emulator.connections += 1
        # Head and body are two writes; with Nagle's algorithm the second waits 40 ms.
        self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Reset the connection if that fault is next, between two requests."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self._emulator.next_fault(ResetUnread):
            self.reset()
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report it unless the response is complete, or the emulator closed the connection."""
        is_open = self.cycle is not None and not self.cycle.response_complete
        if is_open and not self.cycle.disconnected and not self._closing.is_set():
            self.on_client_left()
        super().connection_lost(exc)

    def on_client_left(self) -> None:
        """Do nothing before the first request; each response replaces this method."""

    def close(self) -> None:
        """Close the connection after the bytes that have been sent."""
        self.cycle.disconnected = True
        self.transport.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        # The client may have closed the connection.
        with suppress(OSError):
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.abort()

    def is_closed(self) -> bool:
        """Return True if the client has disconnected."""
        return self.transport.is_closing() or self.cycle.disconnected

    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")
