"""The sending side of one HTTP exchange: send, wait, and close the connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Headers = dict[str, str]
Send = Callable[[dict[str, Any]], Awaitable[None]]
DISCONNECT_CHECK_SECONDS = 0.05


class ConnectionControl(Protocol):
    """Operations on a connection that ASGI does not have."""

    def close(self) -> None:
        """Close the connection after the bytes that have been sent."""

    def reset(self) -> None:
        """Close the connection with a TCP reset."""

    def is_closed(self) -> bool:
        """Return True if the client has disconnected."""


class ResponseChannel:
    """Sends one response."""

    def __init__(self, send: Send, connection: ConnectionControl, closing: asyncio.Event) -> None:
        self._send = send
        self._connection = connection
        self._closing = closing
        self.is_started = False

    @property
    def is_closed(self) -> bool:
        """Whether the client has disconnected or the emulator is stopping."""
        return self._closing.is_set() or self._connection.is_closed()

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self.is_started = True
        pairs = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, body: bytes) -> None:
        """Send a chunk of the body."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)

    async def finish(self, body: bytes = b"") -> None:
        """Send the last chunk of the body."""
        await self._send({"type": "http.response.body", "body": body})

    async def sleep(self, seconds: float) -> None:
        """Wait; close the connection if the emulator stops meanwhile."""
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
        self.close()

    async def hang(self) -> None:
        """Send nothing until the client disconnects."""
        while not self.is_closed:
            await self.sleep(DISCONNECT_CHECK_SECONDS)
        self.close()

    def close(self) -> None:
        """Close the connection after the bytes that have been sent; later ones are discarded."""
        self._connection.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset; unsent bytes may be lost."""
        self._connection.reset()
