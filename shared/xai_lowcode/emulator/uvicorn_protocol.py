"""One connection: it counts itself, and can be ended in ways that ASGI has no word for."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from xai_lowcode.emulator.faults import ResetUnread
from xai_lowcode.emulator.state import Emulator

WIRE = "xai_lowcode.wire"
# Closing with this set throws away what is unsent, and tells the other side so.
ABRUPTLY = struct.pack("ii", 1, 0)


def connection_class(gateway: Emulator) -> type[asyncio.Protocol]:
    """Makes the class of the connections to one emulator."""

    class Connection(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the parent
            super().connection_made(transport)
            gateway.connections += 1
            # Head and body are two writes; with Nagle's algorithm the second waits 40 ms.
            self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # uvicorn's access log would print the token, which is part of every address.
            self.access_log = False
            self.app = _with_wire(self.app, self)

        def data_received(self, data: bytes) -> None:
            between = self.cycle is None or self.cycle.response_complete
            if between and gateway.next_fault(ResetUnread):
                self.reset()
            else:
                super().data_received(data)

        def hang_up(self) -> None:
            self.cycle.disconnected = True
            self.transport.close()

        def reset(self) -> None:
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
            if self.cycle is not None:
                self.cycle.disconnected = True
            self.transport.abort()

        def is_gone(self) -> bool:
            return self.transport.is_closing() or self.cycle.disconnected

        def _socket(self) -> Any:
            return self.transport.get_extra_info("socket")

    return Connection


def _with_wire(app: Any, wire: Any) -> Any:
    """Hands the application what it cannot do through ASGI."""

    async def connected(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, "extensions": {WIRE: wire}}, receive, send)

    return connected
