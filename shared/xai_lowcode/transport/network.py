"""Network backends for httpcore that record the progress of each request.

Whether a failed request is retried depends on whether any of it was written, and whether any byte
of a response was received. httpcore's exceptions do not contain that. Sockets, name resolution and
TLS are httpcore's own.
"""

import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpcore

from xai_lowcode.transport.request_progress import RequestProgress

_SYNC_BACKEND = httpcore.SyncBackend()
_ASYNC_BACKEND = httpcore.AnyIOBackend()

# asyncio receives up to 256 KiB at a time, and anyio buffers what a smaller read leaves. It must
# not buffer bytes after the end of a response: pool._has_unread_data would not detect them.
_ASYNC_READ_SIZE = 256 * 1024

_NO_REQUEST = RequestProgress("")


class _Monitor:
    """Records the progress of the request that uses a connection.

    Attributes:
        progress: The progress of the current request.
        stream: httpcore's network stream, with TLS if used; None before it is connected.
    """

    def __init__(self) -> None:
        self.progress = _NO_REQUEST
        self.stream: Any = None
        self._head: bytes | None = None

    def merge_writes(self, buffer: bytes) -> bytes:
        """Return what to write now: the head of a request is written together with its body.

        httpcore writes them separately, which takes another system call and packet. Its last write
        of each request is empty, so that a head without a body is written as well.
        """
        progress = self.progress
        if self._head is not None:
            buffer, self._head = self._head + buffer, None
            progress.sent, progress.bytes_received = True, 0
        elif not progress.sent and buffer.startswith(progress.method):
            # Earlier writes went to a proxy.
            self._head = buffer
            return b""
        return buffer


class MonitoredBackend(_Monitor, httpcore.NetworkBackend):
    """The network backend of one sync connection."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a TCP connection, within the deadline of the request."""
        timeout = self.progress.cap(timeout)
        stream = _SYNC_BACKEND.connect_tcp(host, port, timeout, local_address, socket_options)
        return _MonitoredStream(stream, self)


class _MonitoredStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, monitor: _Monitor) -> None:
        self._stream = monitor.stream = stream
        self._monitor = monitor

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        progress = self._monitor.progress
        data = self._stream.read(max_bytes, progress.cap(timeout))
        progress.bytes_received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer := self._monitor.merge_writes(buffer):
            progress = self._monitor.progress
            self._stream.write(buffer, progress.cap(timeout))
            progress.last_write = monotonic()

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = self._monitor.progress.cap(timeout)
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _MonitoredStream(encrypted, self._monitor)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class AsyncMonitoredBackend(_Monitor, httpcore.AsyncNetworkBackend):
    """The network backend of one async connection."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a TCP connection, within the deadline of the request."""
        timeout = self.progress.cap(timeout)
        stream = await _ASYNC_BACKEND.connect_tcp(
            host, port, timeout, local_address, socket_options
        )
        return _AsyncMonitoredStream(stream, self)


class _AsyncMonitoredStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, monitor: _Monitor) -> None:
        self._stream = monitor.stream = stream
        self._monitor = monitor

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        progress = self._monitor.progress
        data = await self._stream.read(max(max_bytes, _ASYNC_READ_SIZE), progress.cap(timeout))
        progress.bytes_received += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        if buffer := self._monitor.merge_writes(buffer):
            progress = self._monitor.progress
            await self._stream.write(buffer, progress.cap(timeout))
            progress.last_write = monotonic()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        timeout = self._monitor.progress.cap(timeout)
        encrypted = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _AsyncMonitoredStream(encrypted, self._monitor)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
