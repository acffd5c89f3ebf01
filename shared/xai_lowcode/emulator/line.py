"""The line to one client: what is put on it, how long it rests, and how it is cut."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Headers = dict[str, str]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Line:
    """The answering half of one HTTP exchange."""

    def __init__(self, send: Send, hang_up: Callable[[], None], closing: asyncio.Event) -> None:
        self._send = send
        self._hang_up = hang_up
        self._closing = closing

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

    def cut(self) -> None:
        """Closes the connection after what has been sent; whatever is sent later is lost."""
        self._hang_up()
