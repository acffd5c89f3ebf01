"""Network backends for httpcore: a request leaves in one packet, and asyncio without a detour.

httpcore writes the head of a request and its body apart, which are two packets and two system
calls; its async backend stands on a layer that knows several event loops. Both cost more than all
the rest of a short call.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

import httpcore

from xai_lowcode.dialing import addresses_within, dial
from xai_lowcode.due import Due, SharedDue

# What is read ahead of the reader before the other side is told to wait.
_READ_AHEAD = 1 << 20


class OnePacket(httpcore.NetworkStream):
    """A stream that holds the head of a request back until its body is written."""

    def __init__(self, stream: httpcore.NetworkStream, due: SharedDue) -> None:
        self._stream, self._due = stream, due
        due.socket = stream.get_extra_info("socket")
        self._head: bytes | None = None
        self._reading = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Reads; a head that nothing followed goes out before."""
        if self._head is not None:
            self.write(b"", timeout)
        self._reading = True
        with self._due:
            return self._stream.read(max_bytes, self._due.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Writes; the first piece after a read goes with the second."""
        if self._reading:
            self._reading, self._head = False, buffer
            return
        if self._head is not None:
            buffer, self._head = self._head + buffer, None
        if buffer:
            with self._due:
                self._stream.write(buffer, self._due.cap(timeout))

    def close(self) -> None:
        """Closes the stream below."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Goes on encrypted."""
        timeout = self._due.cap(timeout)
        return OnePacket(self._stream.start_tls(ssl_context, server_hostname, timeout), self._due)

    def get_extra_info(self, info: str) -> Any:
        """What the stream below knows of itself."""
        return self._stream.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """The socket of one connection, which sends requests in one packet."""

    def __init__(self, due: SharedDue) -> None:
        self._inner, self._due = httpcore.SyncBackend(), due

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Opens a connection; where there is a deadline, it covers the name, and all addresses."""
        failure: Exception | None = None
        for place in self._places(host, port):
            timeout_left = self._due.cap(timeout)
            try:
                stream = self._inner.connect_tcp(
                    place, port, timeout_left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return OnePacket(stream, self._due)
        raise failure or httpcore.ConnectError("The host has no address.")

    def _places(self, host: str, port: int) -> list[str]:
        """Where to connect to: the host itself, or its addresses."""
        left = self._due.cap(None)
        if left is None:
            return [host]
        try:
            return [address[4][0] for address in addresses_within(host, port, left)]
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None


class _Wire(asyncio.Protocol):
    """Bytes of one connection, as asyncio brings them; among the open ones until it is lost."""

    def __init__(self, among: "set[_Wire]") -> None:
        self._among = among
        self.transport: Any = None
        self.unread: deque[bytes] = deque()
        self.ended = False
        self.lost: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._size = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._among.add(self)

    def data_received(self, data: bytes) -> None:
        self.unread.append(data)
        self._size += len(data)
        if self._size > _READ_AHEAD:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.lost = True, exc
        self._among.discard(self)
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def read(self) -> bytes:
        while not self.unread and not self.ended:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self.taken()

    def taken(self) -> bytes:
        """All that has come; nothing at the end."""
        if not self.unread:
            if self.lost is not None:
                raise httpcore.ReadError(str(self.lost)) from None
            return b""
        data = self.unread.popleft() if len(self.unread) == 1 else b"".join(self.unread)
        self.unread.clear()
        if self._size > _READ_AHEAD and not self.ended:
            self.transport.resume_reading()
        self._size = 0
        return data

    async def drain(self) -> None:
        if self._writable is not None:
            await self._writable


class AsyncioStream(httpcore.AsyncNetworkStream):
    """One connection on asyncio, which sends requests in one packet."""

    def __init__(self, wire: _Wire, among: set[_Wire], due: Due) -> None:
        self._wire, self._among, self._due = wire, among, due
        self._head: bytes | None = None
        self._reading = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - httpcore's signature
        """Reads what has come, at least a byte before the end."""
        if self._head is not None:
            await self.write(b"", timeout)
        self._reading = True
        if self._wire.unread:
            return self._wire.taken()
        try:
            async with asyncio.timeout(self._due.cap(timeout)):
                return await self._wire.read()
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Writes; the first piece after a read goes with the second."""
        if self._reading:
            self._reading, self._head = False, buffer
            return
        if self._head is not None:
            buffer, self._head = self._head + buffer, None
        if not buffer:
            return
        if self._wire.transport.is_closing():
            raise httpcore.WriteError("The connection is closed.")
        self._wire.transport.write(buffer)
        try:
            async with asyncio.timeout(self._due.cap(timeout)):
                await self._wire.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None

    def abort(self) -> None:
        """Closes at once; nobody waits for a peer that says no goodbye."""
        self._wire.transport.abort()

    async def aclose(self) -> None:
        """Closes at once."""
        self.abort()
        # The loop closes the socket in its next round.
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Goes on encrypted."""
        loop, wire = asyncio.get_running_loop(), _Wire(self._among)
        try:
            async with asyncio.timeout(self._due.cap(timeout)):
                encrypted = await loop.start_tls(
                    self._wire.transport, wire, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        finally:
            # From now on asyncio's own protocol reads from it, or has closed it.
            self._among.discard(self._wire)
        wire.connection_made(encrypted)
        return AsyncioStream(wire, self._among, self._due)

    def get_extra_info(self, info: str) -> Any:
        """Whether bytes wait or the other side has gone; else what the transport knows."""
        if info == "is_readable":
            return bool(self._wire.unread) or self._wire.ended
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._wire.transport.get_extra_info(names.get(info, info))


async def abort(wires: Iterable[_Wire]) -> None:
    """Closes connections, even if this is cancelled, as closing a loop may do."""
    for wire in list(wires):
        wire.transport.abort()
    await asyncio.sleep(0)


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """One connection of the running asyncio loop, among the open ones while it lasts."""

    def __init__(self, among: set[_Wire], due: Due) -> None:
        self._among, self._due = among, due

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,  # noqa: ARG002 - as above
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Opens a connection, to the address that answers first."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._due.cap(timeout)):
                dialed = await dial(host, port)
                _, wire = await loop.create_connection(partial(_Wire, self._among), sock=dialed)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        return AsyncioStream(wire, self._among, self._due)
