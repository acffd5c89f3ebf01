"""The sending side of one HTTP exchange: send, wait, and close the connection."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from xai_lowcode.emulator.state import RecordedRequest, ResponseOutcome

JSON_TYPE = "application/json; charset=utf-8"
logger = logging.getLogger("xai_lowcode.emulator")
NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
TOKEN = re.compile(r"(?<![A-Za-z0-9])at_\w+")
MAX_LOGGED = 200
Headers = dict[str, str]
Send = Callable[[dict[str, Any]], Awaitable[None]]
DISCONNECT_CHECK_SECONDS = 0.05


class ConnectionControl(Protocol):
    """Operations on a connection that ASGI does not have.

    Attributes:
        on_client_left: Called if the client closes the connection before the response is complete.
    """

    on_client_left: Callable[[], None]

    def close(self) -> None:
        """Close the connection after the bytes that have been sent."""

    def reset(self) -> None:
        """Close the connection with a TCP reset."""

    def is_closed(self) -> bool:
        """Return True if the client has disconnected."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response that is sent without an envelope."""

    status: int
    headers: Headers
    body: bytes = b""


class ResponseChannel:
    """Sends one response.

    Args:
        send: ASGI's function.
        connection: The connection.
        closing: Set when the emulator stops.
        method: The method of the request, for the log.
        path: Its path, for the log; the query has the token.

    Attributes:
        is_started: Whether status and headers were sent.
        outcome: The status, and whether the client left.
        recorded: The request; None if it is not recorded.
    """

    def __init__(
        self,
        send: Send,
        connection: ConnectionControl,
        closing: asyncio.Event,
        method: str,
        path: str,
    ) -> None:
        self._method, self._path = method, path
        self._is_ended = False
        self._send = send
        self._connection = connection
        self._closing = closing
        self.outcome = ResponseOutcome()
        self.is_started = False
        self.recorded: RecordedRequest | None = None
        connection.on_client_left = self._record_client_left

    @property
    def is_closed(self) -> bool:
        """Whether the client has disconnected or the emulator is stopping."""
        return self._closing.is_set() or self._connection.is_closed()

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self.is_started = True
        self.outcome.status = status
        pairs = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    def end(self) -> None:
        """Log the request, once."""
        is_first, self._is_ended = not self._is_ended, True
        if not is_first or not logger.isEnabledFor(logging.INFO):
            return
        body = self.recorded.body if self.recorded else None
        fields = body if isinstance(body, dict) else {}
        logger.info(
            "%s %s model=%s streamed=%s status=%s client_left=%s",
            self._method,
            _printable(self._path),
            _printable(str(fields.get("model") or "-")),
            "yes" if fields.get("stream") is True else "no",
            self.outcome.status or "-",
            "yes" if self.outcome.client_left else "no",
        )

    def _record_client_left(self) -> None:
        if not self._is_ended:
            self.outcome.client_left = True
            self.end()

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


def _printable(text: str) -> str:
    return TOKEN.sub("at_…", NOT_PRINTABLE.sub("?", text[:MAX_LOGGED]))
