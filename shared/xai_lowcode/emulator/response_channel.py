"""The line to one client: what is put on it, how long it rests, and how it is cut."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Headers = dict[str, str]
Send = Callable[[dict[str, Any]], Awaitable[None]]
LOOK_UP_SECONDS = 0.05


class Wire(Protocol):
    """What can be done to a connection that ASGI has no word for."""

    def hang_up(self) -> None:
        """Closes the connection after what has been sent."""

    def reset(self) -> None:
        """Tears the connection down at once, so that the client sees a reset."""

    def is_gone(self) -> bool:
        """Tells whether nobody listens any more."""


class Line:
    """The answering half of one HTTP exchange."""

    def __init__(self, send: Send, wire: Wire, closing: asyncio.Event) -> None:
        self._send = send
        self._wire = wire
        self._closing = closing

    @property
    def is_over(self) -> bool:
        """Whether the client has left or the emulator is closing."""
        return self._closing.is_set() or self._wire.is_gone()

    async def begin(self, status: int, headers: Headers) -> None:
        """Sends the status and the headers."""
        pairs = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def piece(self, body: bytes) -> None:
        """Sends a piece of the body, on its own if the network plays along."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)

    async def end(self, body: bytes = b"") -> None:
        """Sends the last piece."""
        await self._send({"type": "http.response.body", "body": body})

    async def rest(self, seconds: float) -> None:
        """Waits, but not longer than the emulator lives."""
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
        self.cut()

    async def silence(self) -> None:
        """Says nothing for as long as the client listens."""
        while not self.is_over:
            await self.rest(LOOK_UP_SECONDS)
        self.cut()

    def cut(self) -> None:
        """Closes the connection after what has been sent; whatever is sent later is lost."""
        self._wire.hang_up()

    def reset(self) -> None:
        """Tears the connection down; what is still on its way may be lost."""
        self._wire.reset()
