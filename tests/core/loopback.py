"""A scripted HTTP/1.1 server on a loopback port: the world, as seen by the core package.

It shares no code with the package: requests are kept as the bytes that came, answers are the bytes
that the test wrote down. What it cannot be told to do, no gateway does.
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
    """A request as it came over the wire."""

    head: bytes
    body: bytes
    connection: int

    @property
    def method(self) -> str:
        """Its first word."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """Its second word: path and query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        """Its headers, lower-case names."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def json(self) -> Any:
        """Its body, decoded by the standard library."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer: its pieces are sent one by one, each flushed.

    Attributes:
        content: The body, or its pieces.
        status: HTTP status.
        content_type: Content type; None for none.
        headers: Further header lines.
        cut: Close the connection after the pieces, before the announced end.
        stall: Say nothing more after the pieces, until the client goes.
        pause: Seconds between the pieces.
    """

    content: bytes | Sequence[bytes] = b"{}"
    status: int = 200
    content_type: str | None = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    stall: bool = False
    pause: float = 0

    @property
    def pieces(self) -> list[bytes]:
        """The body in pieces."""
        return [self.content] if isinstance(self.content, bytes) else list(self.content)


class Drop:
    """Closes the connection without a byte."""


class Stall:
    """Never answers."""


Move = Reply | Drop | Stall
Player = Callable[[Request], Move]


def json_reply(document: Any, status: int = 200, **facts: Any) -> Reply:
    """An answer of JSON."""
    return Reply(json.dumps(document, ensure_ascii=False).encode(), status, **facts)


def sse_reply(content: bytes | Sequence[bytes], **facts: Any) -> Reply:
    """An answer of server-sent events."""
    return Reply(content, content_type="text/event-stream; charset=utf-8", **facts)


@dataclass
class Loopback:
    """The server; ``play`` decides on each request, ``requests`` keeps what came."""

    play: Player = field(default=lambda _request: Reply())
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
        """What a client is told."""
        return f"http://127.0.0.1:{self._port}/xai"

    @property
    def open_connections(self) -> int:
        """How many connections the client side has not closed yet, after a moment of grace."""
        return asyncio.run_coroutine_threadsafe(self._count_open(), self._loop).result()

    @property
    def connections_made(self) -> int:
        """How many connections were made in all."""
        return self._made

    def script(self, moves: Iterable[Move]) -> None:
        """Plays the moves one after the other, then a Drop for ever."""
        left = iter(moves)
        self.requests.clear()
        self.play = lambda _request: next(left, Drop())

    async def _count_open(self) -> int:
        for _ in range(50):
            if not self._open:
                break
            await asyncio.sleep(0.01)
        return len(self._open)

    def _serve(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main(started))

    async def _main(self, started: threading.Event) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._ended.wait()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._made += 1
        number = self._made
        try:
            while await self._answer_one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        request = Request(head, b"", number)
        length = int(request.headers.get("content-length", 0))
        request = Request(head, await reader.readexactly(length), number)
        self.requests.append(request)
        match self.play(request):
            case Drop():
                return False
            case Stall():
                await reader.read()
                return False
            case Reply() as reply:
                return await _send(reply, reader, writer)


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    size = sum(map(len, reply.pieces)) + (1_000 if reply.cut or reply.stall else 0)
    lines = [f"HTTP/1.1 {reply.status} Said", f"Content-Length: {size}"]
    if reply.content_type is not None:
        lines.append(f"Content-Type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for piece in reply.pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(reply.pause)
    if reply.stall:
        await reader.read()
    return not (reply.cut or reply.stall)
