"""A fast HTTP server that sends the responses of the scenarios.

``/<scenario>/xai/v1/…`` wraps responses in the gateway's envelope, ``/<scenario>/v1/…`` does not.
Of a request, only the path, the length and ``stream`` are read. As a program, it prints its port.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from benchmarks.responses import SCENARIOS, build_body, build_events


class Connection(asyncio.Protocol):
    """A persistent connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end]).lower()
            length = _parse_content_length(head)
            if len(self.received) < end + 4 + length:
                return
            target = bytes(self.received[: self.received.find(b"\r\n")]).split(b" ")[1]
            body = bytes(self.received[end + 4 : end + 4 + length])
            del self.received[: end + 4 + length]
            self.respond(target.decode().partition("?")[0], body)

    def respond(self, path: str, body: bytes) -> None:
        """Start sending the response to a request, after the delay of its scenario."""
        name, _, rest = path.lstrip("/").partition("/")
        scenario, endpoint = SCENARIOS[name], rest.partition("v1/")[2]
        if b'"stream":true' in body or b'"stream": true' in body:
            response = self.send_stream(name, endpoint)
        else:
            response = self.send_body(name, endpoint, enveloped=rest.startswith("xai/"))
        if scenario.delay:
            asyncio.get_running_loop().call_later(scenario.delay, lambda: _start(response))
        else:
            _start(response)

    async def send_body(self, name: str, endpoint: str, *, enveloped: bool) -> None:
        """Send a response with a JSON body."""
        body = build_body(name, endpoint)
        if enveloped:
            body = b'{"result":' + body + b',"provider":"xai"}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)

    async def send_stream(self, name: str, endpoint: str) -> None:
        """Send a stream, at once or with the interval of its scenario."""
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        events = build_events(name, endpoint)
        if interval := SCENARIOS[name].interval:
            for event in events:
                if self.transport.is_closing():
                    return
                self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
                await asyncio.sleep(interval)
        else:
            self.transport.write(b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in events))
        self.transport.write(b"0\r\n\r\n")


_tasks: set[asyncio.Task[None]] = set()


def _start(response: Coroutine[Any, Any, None]) -> None:
    # The event loop has only weak references to tasks.
    task = asyncio.get_running_loop().create_task(response)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _parse_content_length(head: bytes) -> int:
    start = head.find(b"content-length:")
    return int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


async def main() -> None:
    """Serve until the process is terminated."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
