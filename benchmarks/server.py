"""A fast server for the benchmarks, for a process of its own: prints its port, then serves.

Addresses are ``/<scenario>/xai/v1/…``, wrapped as the gateway wraps, and ``/<scenario>/v1/…``, bare
for clients that cannot read the envelope. It looks at no more of a request than it must.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from canned import SCENARIOS, chunks, plain


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the other side."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each whole request."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end]).lower()
            length = _length(head)
            if len(self.received) < end + 4 + length:
                return
            target = bytes(self.received[: self.received.find(b"\r\n")]).split(b" ")[1]
            body = bytes(self.received[end + 4 : end + 4 + length])
            del self.received[: end + 4 + length]
            self.answer(target.decode().partition("?")[0], body)

    def answer(self, path: str, body: bytes) -> None:
        """Says what the address asks for."""
        name, _, rest = path.lstrip("/").partition("/")
        scenario, endpoint = SCENARIOS[name], rest.partition("v1/")[2]
        if b'"stream":true' in body or b'"stream": true' in body:
            say = self.stream(name, endpoint)
        else:
            say = self.whole(plain(name, endpoint), wrapped=rest.startswith("xai/"))
        if scenario.delay:
            asyncio.get_running_loop().call_later(scenario.delay, lambda: _start(say))
        else:
            _start(say)

    async def whole(self, content: bytes, *, wrapped: bool) -> None:
        """Sends one body."""
        if wrapped:
            content = b'{"result":' + content + b',"provider":"xai"}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(content) + content)

    async def stream(self, name: str, endpoint: str) -> None:
        """Sends a stream, in one burst or paced."""
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        events = chunks(name, endpoint)
        if pace := SCENARIOS[name].pace:
            for event in events:
                if self.transport.is_closing():
                    return
                self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
                await asyncio.sleep(pace)
        else:
            self.transport.write(b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in events))
        self.transport.write(b"0\r\n\r\n")


_running: set[asyncio.Task[None]] = set()


def _start(say: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(say)
    _running.add(task)
    task.add_done_callback(_running.discard)


def _length(head: bytes) -> int:
    place = head.find(b"content-length:")
    return int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0


async def main() -> None:
    """Serves until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
