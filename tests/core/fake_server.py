"""A scripted HTTP/1.1 server on a loopback port.

It shares no code with the package: it keeps the bytes of each request, and sends the bytes that a
test defines.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

TOKEN = "at_canary7f3a9d1be5c24860"


@dataclass(frozen=True)
class Request:
    """A request as it was received."""

    head: bytes
    body: bytes
    connection: int

    @property
    def method(self) -> str:
        """The method."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """The request target: path and query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def json(self) -> Any:
        """The body, decoded by the standard library."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A response, whose chunks are sent one by one.

    Attributes:
        content: The body, or its chunks.
        status: HTTP status.
        content_type: Content type; None for none.
        headers: Further header lines.
        cut: Close the connection after the chunks, before the end of the Content-Length.
        stall: Send nothing more after the chunks, until the client closes the connection.
        pause: Seconds between the chunks.
    """

    content: bytes | Sequence[bytes] = b"{}"
    status: int = 200
    content_type: str | None = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    stall: bool = False
    pause: float = 0

    @property
    def chunks(self) -> list[bytes]:
        """The body in chunks."""
        return [self.content] if isinstance(self.content, bytes) else list(self.content)


class Drop:
    """Close the connection without a response."""


class Stall:
    """Never respond."""


Action = Reply | Drop | Stall
Responder = Callable[[Request], Action]


def json_reply(document: Any, status: int = 200, **facts: Any) -> Reply:
    """Return a JSON response."""
    return Reply(json.dumps(document, ensure_ascii=False).encode(), status, **facts)


def sse_reply(content: bytes | Sequence[bytes], **facts: Any) -> Reply:
    """Return a response of server-sent events."""
    return Reply(content, content_type="text/event-stream; charset=utf-8", **facts)


@dataclass
class FakeServer:
    """The server: ``respond`` returns the action for a request, ``requests`` keeps all requests."""

    respond: Responder = field(default=lambda _request: Reply())
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._made = 0
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._port}/xai"

    @property
    def open_connections(self) -> int:
        """Number of connections that the client leaves open; waits until there are none."""
        return asyncio.run_coroutine_threadsafe(self._count_open(), self._loop).result()

    @property
    def current_connections(self) -> int:
        """Number of connections that are open now."""
        return len(self._open)

    @property
    def connections_made(self) -> int:
        """Number of connections accepted."""
        return self._made

    def script(self, actions: Iterable[Action]) -> None:
        """Take the actions one after the other, then drop every connection."""
        remaining = iter(actions)
        self.requests.clear()
        self.respond = lambda _request: next(remaining, Drop())

    async def _count_open(self) -> int:
        # Only a connection that is left open takes so long.
        for _ in range(5_000):
            if not self._open:
                break
            await asyncio.sleep(0.001)
        return len(self._open)

    def _serve(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main(started))

    async def _main(self, started: threading.Event) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._serve_connection, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._ended.wait()
        # Connections that are being accepted would be left open: accept no more, and await these.
        for socket in server.sockets:
            self._loop.remove_reader(socket)
        for _ in range(10):
            await asyncio.sleep(0)
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        self._made += 1
        number = self._made
        try:
            while await self._respond_once(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _respond_once(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        request = Request(head, b"", number)
        length = int(request.headers.get("content-length", 0))
        request = Request(head, await reader.readexactly(length), number)
        self.requests.append(request)
        match self.respond(request):
            case Drop():
                return False
            case Stall():
                await reader.read()
                return False
            case Reply() as reply:
                return await _send(reply, reader, writer)


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    size = sum(map(len, reply.chunks)) + (1_000 if reply.cut or reply.stall else 0)
    lines = [f"HTTP/1.1 {reply.status} Status", f"Content-Length: {size}"]
    if reply.content_type is not None:
        lines.append(f"Content-Type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for chunk in reply.chunks:
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(reply.pause)
    if reply.stall:
        await reader.read()
    return not (reply.cut or reply.stall)
