"""Law: a connection is used again only if nothing follows the response.

Each call gets its own echo from exactly one request, whatever a server or proxy appends to a
response, in whatever segment or TLS record, and whenever it arrives before the next call begins.
"""

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, Literal

import pytest

from tests.transport import wire
from tests.transport.clients import (
    ECHOING,
    LANGCHAIN,
    WAYS,
    Caller,
    LoopRuns,
    Session,
)
from tests.transport.raw_server import PATIENCE, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient
from tests.transport.tables import examine

Delivery = Literal[
    "same segment", "same segment, own record", "next segment", "5 ms later", "50 ms later"
]
_DELAYS: dict[str, float] = {"5 ms later": 0.005, "50 ms later": 0.05}

FOREIGN = wire.message(wire.chat(f"{wire.ECHO}foreign"))
TIMEOUT_RESPONSE = wire.message(
    b"timeout", status="408 Request Timeout", content_type="text/plain", lines=["Connection: close"]
)
TRAILING = {
    "a second response": FOREIGN,
    "half a response": FOREIGN[: len(FOREIGN) // 2],
    "half a head": FOREIGN[:20],
    "garbage": b"garbage after the response\r\n\r\n",
    "one CRLF": b"\r\n",
    "one byte": b"\n",
    "a second last chunk": b"0\r\n\r\n",
    "a 408 with Connection: close": TIMEOUT_RESPONSE,
    "70 KB": b"x" * 70_000,
}


@dataclass(frozen=True)
class Case:
    """A response, and what follows it.

    Attributes:
        build: Makes the response of a request.
        trailing: What follows.
        delivery: When it follows.
        intact: Whether the response by itself is a correct one.
        closes: Whether the server closes the connection after that.
    """

    build: Callable[[Request], bytes]
    trailing: bytes
    delivery: Delivery
    intact: bool = True
    closes: bool = False


def _empty_of(status: str, _request: Request) -> bytes:
    """A response that has no body by its status."""
    return wire.head("Content-Type: application/json", status=status)


def _cut(by: int, request: Request) -> bytes:
    """A response whose Content-Length leaves out the last bytes of its body; without these."""
    content_type, parts = wire.echo(request)
    body = b"".join(parts)
    declared = len(body) - by
    return wire.message(body, content_type=content_type, declared=declared)[: -by or None]


def _sized(size: int, part: Literal["message", "body"], request: Request, framing: Any) -> bytes:
    """A response that, or whose body, is exactly so many bytes long."""
    content_type, parts = wire.echo(request)

    def made(padding: int) -> bytes:
        if request.is_stream:
            padded = [*parts[:-1], b":" + b" " * padding + b"\n\n", parts[-1]]
        else:
            padded = [*parts, b" " * padding]
        return wire.message(*padded, content_type=content_type, framing=framing)

    def measured(message: bytes) -> int:
        return len(message) if part == "message" else len(message.partition(b"\r\n\r\n")[2])

    most = size - measured(made(0))
    for padding in range(most, most - 30, -1):
        if measured(message := made(padding)) == size:
            return message
    raise LookupError(f"no response has exactly {size} bytes")


def _deliveries(*, tls: bool, late: bool = True) -> list[Delivery]:
    found: list[Delivery] = ["same segment", "next segment"]
    if tls:
        found.append("same segment, own record")
    return [*found, "5 ms later", "50 ms later"] if late else found


def _table(*, tls: bool = False, late: bool = True, sizes: Sequence[int] = ()) -> dict[str, Case]:
    """All cases by name.

    Args:
        tls: With the deliveries that only TLS knows.
        late: With bytes that arrive when the connection has become idle.
        sizes: Boundaries of reading.
    """
    cases: dict[str, Case] = {}
    deliveries = _deliveries(tls=tls, late=late)
    framings: tuple[wire.Framing, ...] = ("length", "chunked")
    for (name, trailing), framing, delivery in product(TRAILING.items(), framings, deliveries):
        build = partial(wire.echo_message, framing=framing)
        closes = trailing is TIMEOUT_RESPONSE
        cases[f"{name}, {framing}, {delivery}"] = Case(build, trailing, delivery, closes=closes)
    for status, delivery in product(("204 No Content", "304 Not Modified"), deliveries):
        cases[f"a body after {status}, {delivery}"] = Case(
            partial(_empty_of, status), wire.chat(f"{wire.ECHO}foreign"), delivery, intact=False
        )
    for by, delivery in product((1, 2, 3), deliveries):
        cases[f"Content-Length {by} too short for line ends, {delivery}"] = Case(
            wire.echo_message, b"\n" * by, delivery
        )
        cases[f"Content-Length {by} too short, {delivery}"] = Case(
            partial(_cut, by), b"\n\n}"[-by:], delivery, intact=False
        )
    near = [size + offset for size in sizes for offset in (-1, 0, 1)]
    for size, framing, delivery in product(near, framings, _deliveries(tls=tls, late=False)):
        for part in ("message", "body"):
            cases[f"a {part} of {size} bytes, {framing}, {delivery}"] = Case(
                partial(_sized, size, part, framing=framing), FOREIGN, delivery
            )
    return cases


@dataclass
class Poison:
    """The handler of a case: each response is followed by what does not belong to it."""

    case: Case
    delivered: threading.Semaphore = field(default_factory=partial(threading.Semaphore, 0))

    def __call__(self, connection: Connection, request: Request) -> None:
        message = self.case.build(request)
        try:
            self._deliver(connection, message, self.case.trailing)
            if self.case.closes:
                connection.close(notify=True)
        finally:
            self.delivered.release()

    def _deliver(self, connection: Connection, message: bytes, trailing: bytes) -> None:
        match self.case.delivery:
            case "same segment":
                connection.send(message + trailing)
            case "same segment, own record":
                connection.send_in_one_segment(message, trailing)
            case "next segment":
                connection.send(message)
                connection.send(trailing)
            case _:
                connection.send(message)
                connection.pause(_DELAYS[self.case.delivery])
                connection.send(trailing)


def _check(
    open_session: Callable[..., Any], tls: ssl.SSLContext | None, case: Case
) -> Iterator[str]:
    poison = Poison(case)
    with RawServer(poison, tls=tls) as server, open_session(server.base_url) as session:
        for number in range(2):
            yield from _check_call(session, server, poison, f"q-{number}")
        again = [request.prompt for request in server.requests if request.position > 1]
        if again:
            yield f"{again} came on a connection with trailing bytes"


def _check_call(session: Caller, server: RawServer, poison: Poison, prompt: str) -> Iterator[str]:
    outcome = session.call(prompt)
    if not poison.delivered.acquire(timeout=PATIENCE):
        yield f"{prompt} was not sent: {outcome}"
    elif not (outcome.text == prompt or (outcome.failed and not poison.case.intact)):
        yield f"{prompt} got {outcome}"
    if outcome.timed_out:
        yield f"{prompt} ended by a timeout"
    if server.count(prompt) != 1:
        yield f"{prompt} was sent {server.count(prompt)} times"


_BOUNDARIES = (1 << 16, 1 << 18)


def _runs(names: Sequence[str]) -> list[tuple[str, LoopRuns]]:
    """Each way; async ones with a loop that stands still between calls, and with one that runs."""
    loops: tuple[LoopRuns, LoopRuns] = ("during calls", "always")
    return [(name, loop) for name in names for loop in loops[: 1 + WAYS[name].is_async]]


@pytest.mark.parametrize(("way", "loop"), _runs(LANGCHAIN))
def test_trailing_bytes_spoil_no_later_call(way: str, loop: LoopRuns) -> None:
    """Whatever follows a response, whenever: the next call gets its own response, asked once."""
    sessions = partial(Session, way, loop=loop, max_retries=0)
    examine(_table(sizes=_BOUNDARIES), partial(_check, sessions, None))


@pytest.mark.parametrize("way", [name for name in ECHOING if name not in LANGCHAIN])
def test_trailing_bytes_spoil_no_later_call_elsewhere(way: str) -> None:
    """LlamaIndex, image generators and endpoints have the same connections."""
    sessions = partial(Session, way, max_retries=0)
    examine(_table(late=False), partial(_check, sessions, None))


@pytest.mark.parametrize(("way", "loop"), _runs(LANGCHAIN))
def test_trailing_bytes_spoil_no_later_call_over_tls(
    way: str, loop: LoopRuns, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """Over TLS too, in the record of the response's end and in records of their own.

    Whole responses are read as streams are: bytes that come late, and sizes of records, are tested
    with streams.
    """
    sessions = partial(remote.session, way, loop=loop, max_retries=0)
    is_stream = WAYS[way].kind == "stream"
    cases = _table(tls=True, late=is_stream, sizes=(1 << 14,) if is_stream else ())
    examine(cases, partial(_check, sessions, tls), workers=16)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("way", WAYS)
def test_a_connection_is_used_again_after_a_clean_response(way: str, framing: Any) -> None:
    """Calls one after the other need one connection, so that the law does not hold by itself."""

    def handler(connection: Connection, request: Request) -> None:
        connection.respond(request, framing=framing)

    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for number in range(4):
            outcome = session.call(f"q-{number}")
            assert outcome.text in {f"q-{number}", "models"}, str(outcome)
        assert server.connections == 1


@pytest.mark.parametrize("way", LANGCHAIN)
def test_a_tls_connection_is_used_again_after_a_clean_response(
    way: str, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """The same over TLS, where the server's session tickets follow the handshake."""
    with RawServer(tls=tls) as server, remote.session(way, server.base_url) as session:
        for number in range(4):
            assert session.call(f"q-{number}").text == f"q-{number}"
        assert server.connections == 1


def _dribbled(connection: Connection, message: bytes) -> None:
    for position in range(len(message)):
        connection.send(message[position : position + 1])


def _with_extras(request: Request) -> bytes:
    """A response with all that chunked coding allows: extensions, trailers, interim responses."""
    content_type, parts = wire.echo(request)
    head = wire.head(f"content-type:{content_type}", "transfer-encoding: Chunked", status="200 ")
    chunks = b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in parts)
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    return interim + head + chunks + b"000;x\r\nX-Trailer: a\r\n\r\n"


@pytest.mark.parametrize("way", LANGCHAIN)
def test_unusual_responses_are_read_and_their_connection_used_again(way: str) -> None:
    """One byte at a time, interim responses, chunk extensions and trailers are all correct."""

    def handler(connection: Connection, request: Request) -> None:
        match request.prompt:
            case "dribbled":
                _dribbled(connection, wire.echo_message(request))
            case "dribbled-chunks":
                _dribbled(connection, wire.echo_message(request, framing="chunked"))
            case _:
                connection.send(_with_extras(request))

    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for prompt in ("dribbled", "dribbled-chunks", "extras", "again"):
            assert session.call(prompt).text == prompt
        assert set(server.counts().values()) == {1}
        assert server.connections == 1


@pytest.mark.parametrize("way", ECHOING)
def test_a_connection_that_is_said_to_close_is_not_used_again(way: str) -> None:
    """``Connection: close``, HTTP/1.0 and a body that ends with the connection."""

    def handler(connection: Connection, request: Request) -> None:
        content_type, parts = wire.echo(request)
        if request.prompt == "until-closed":
            connection.send(wire.head(f"Content-Type: {content_type}") + b"".join(parts))
            connection.close()
        elif request.prompt == "http-1-0":
            connection.send(wire.echo_message(request).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        else:
            connection.respond(request, lines=["Connection: close"])

    prompts = ["until-closed", "http-1-0", "close", "again"]
    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for prompt in prompts:
            assert session.call(prompt).text == prompt
        assert [request.prompt for request in server.requests] == prompts
        assert server.connections == len(prompts)
        assert server.wait_until_closed()


@pytest.mark.parametrize(("way", "loop"), _runs(["LangChain stream", "LangChain astream"]))
def test_a_stream_whose_last_chunk_follows_with_trailing_bytes(way: str, loop: LoopRuns) -> None:
    """What comes after [DONE], in a segment of its own: the body's end, and a foreign response."""

    def handler(connection: Connection, request: Request) -> None:
        _, parts = wire.echo(request)
        head = wire.head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        connection.send(head + wire.chunked(parts, end=False))
        try:
            connection.pause(pauses[request.prompt])
            connection.send(b"0\r\n\r\n" + FOREIGN)
        finally:
            sent.release()

    pauses = {f"q-{number}": number * 0.01 for number in range(6)}
    sent = threading.Semaphore(0)
    with (
        RawServer(handler) as server,
        Session(way, server.base_url, loop=loop, max_retries=0) as session,
    ):
        for prompt in pauses:
            assert session.call(prompt).text == prompt
            assert sent.acquire(timeout=PATIENCE)
        assert set(server.counts().values()) == {1}
        assert [request.position for request in server.requests] == [1] * len(pauses)
