"""Law: a connection is reused only if no bytes follow the response.

Each call sends one request and gets its own echo, whatever a server or proxy appends to a response,
in any segment or TLS record, at any time before the next call begins.
"""

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

import pytest

from tests.transport import wire
from tests.transport.clients import (
    ECHOING,
    LANGCHAIN,
    WAYS,
    LoopRuns,
    Outcome,
    Session,
    langchain,
    llama_index,
)
from tests.transport.raw_server import TIMEOUT, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient
from tests.transport.tables import check_all
from xai_lowcode.transport.pool import _Connection

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
    """A response, and the bytes that follow it.

    Attributes:
        build: Creates the response of a request.
        trailing: The bytes that follow.
        delivery: When they follow.
        intact: Whether the response itself is correct.
        closes: Whether the server closes the connection afterwards.
    """

    build: Callable[[Request], bytes]
    trailing: bytes
    delivery: Delivery
    intact: bool = True
    closes: bool = False


def _empty_response(status: str, _request: Request) -> bytes:
    """Return a response whose status excludes a body."""
    return wire.head("Content-Type: application/json", status=status)


def _truncated(by: int, request: Request) -> bytes:
    """Return a response without the last bytes of its body, which Content-Length does not count."""
    content_type, parts = wire.echo(request)
    body = b"".join(parts)
    declared = len(body) - by
    return wire.message(body, content_type=content_type, declared=declared)[: -by or None]


def _sized(size: int, part: Literal["message", "body"], request: Request, framing: Any) -> bytes:
    """Return a response of an exact size, of the message or of the body."""
    content_type, parts = wire.echo(request)

    def build_padded(padding: int) -> bytes:
        if request.is_stream:
            padded = [*parts[:-1], b":" + b" " * padding + b"\n\n", parts[-1]]
        else:
            padded = [*parts, b" " * padding]
        return wire.message(*padded, content_type=content_type, framing=framing)

    def size_of(message: bytes) -> int:
        return len(message) if part == "message" else len(message.partition(b"\r\n\r\n")[2])

    max_padding = size - size_of(build_padded(0))
    for padding in range(max_padding, max_padding - 30, -1):
        if size_of(message := build_padded(padding)) == size:
            return message
    raise LookupError(f"no response has exactly {size} bytes")


def _deliveries(*, tls: bool, late: bool = True) -> list[Delivery]:
    deliveries: list[Delivery] = ["same segment", "next segment"]
    if tls:
        deliveries.append("same segment, own record")
    return [*deliveries, "5 ms later", "50 ms later"] if late else deliveries


def _table(*, tls: bool = False, late: bool = True, sizes: Sequence[int] = ()) -> dict[str, Case]:
    """Return all cases by name.

    Args:
        tls: Whether to include the deliveries that only TLS has.
        late: Whether to include bytes that arrive when the connection is idle.
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
            partial(_empty_response, status),
            wire.chat(f"{wire.ECHO}foreign"),
            delivery,
            intact=False,
        )
    for by, delivery in product((1, 2, 3), deliveries):
        cases[f"Content-Length {by} too short for line ends, {delivery}"] = Case(
            wire.echo_message, b"\n" * by, delivery
        )
        cases[f"Content-Length {by} too short, {delivery}"] = Case(
            partial(_truncated, by), b"\n\n}"[-by:], delivery, intact=False
        )
    near_sizes = [size + offset for size in sizes for offset in (-1, 0, 1)]
    for size, framing, delivery in product(near_sizes, framings, _deliveries(tls=tls, late=False)):
        for part in ("message", "body"):
            cases[f"a {part} of {size} bytes, {framing}, {delivery}"] = Case(
                partial(_sized, size, part, framing=framing), FOREIGN, delivery
            )
    return cases


class TrailingBytes:
    """A handler that sends bytes after each response that do not belong to it.

    Args:
        cases: The cases by prompt; the response of another prompt is correct.
    """

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self._cases = cases
        self._delivered = {prompt: threading.Event() for prompt in cases}

    def __call__(self, connection: Connection, request: Request) -> None:
        case = self._cases.get(request.prompt)
        if case is None:
            connection.respond(request)
            return
        message = case.build(request)
        try:
            self._deliver(connection, message, case)
            if case.closes:
                connection.close(notify=True)
        finally:
            self._delivered[request.prompt].set()

    def wait(self, prompt: str) -> bool:
        """Wait until everything is sent after a response; return False at the timeout."""
        return prompt not in self._cases or self._delivered[prompt].wait(TIMEOUT)

    @staticmethod
    def _deliver(connection: Connection, message: bytes, case: Case) -> None:
        match case.delivery:
            case "same segment":
                connection.send(message + case.trailing)
            case "same segment, own record":
                connection.send_in_one_segment(message, case.trailing)
            case "next segment":
                connection.send(message)
                connection.send(case.trailing)
            case delivery:
                connection.send(message)
                connection.pause(_DELAYS[delivery])
                connection.send(case.trailing)


def _check_table(
    open_session: Callable[..., Any],
    tls: ssl.SSLContext | None,
    table: Mapping[str, Case],
    *,
    sessions: int = 8,
) -> None:
    """Check all cases: some sessions each make one call after the other, with a case each.

    Each call is the later call of the one before, and a correct response ends a session.
    """
    names = {f"q-{number:03}": name for number, name in enumerate(table)}
    handler = TrailingBytes({prompt: table[name] for prompt, name in names.items()})
    with RawServer(handler, tls=tls) as server:

        def check(prompts: Sequence[str]) -> Iterator[str]:
            with open_session(server.base_url) as session:
                before = "nothing"
                for prompt in prompts:
                    name = names.get(prompt, "a correct response")
                    intact = prompt not in names or table[name].intact
                    for error in _call_errors(session.call(prompt), handler, prompt, intact=intact):
                        yield f"{name}, after {before}: {error}"
                    before = name

        prompts = list(names)
        check_all(
            {
                f"session {number}": [*prompts[number::sessions], f"last-{number}"]
                for number in range(sessions)
            },
            check,
            workers=sessions,
        )
        requests = Counter(request.prompt for request in server.requests)
        assert {names.get(prompt, prompt): n for prompt, n in requests.items() if n != 1} == {}
        assert len(requests) == len(table) + sessions
        reused = [request for request in server.requests if request.position > 1]
        assert not reused, [
            f"{request.prompt} was sent on a connection with trailing bytes: "
            + ", ".join(
                names[earlier.prompt]
                for earlier in server.requests
                if earlier.connection == request.connection and earlier.prompt in names
            )
            for request in reused
        ]


def _call_errors(
    outcome: Outcome, handler: TrailingBytes, prompt: str, *, intact: bool
) -> Iterator[str]:
    if not handler.wait(prompt):
        yield f"was not sent: {outcome}"
    elif not (outcome.text == prompt or (outcome.failed and not intact)):
        yield f"got {outcome}"
    if outcome.timed_out:
        yield "ended by a timeout"


_BOUNDARIES = (1 << 16, 1 << 18)


def _runs(names: Sequence[str]) -> list[tuple[str, LoopRuns]]:
    """Return each method; async ones with a loop that runs during calls only, and always."""
    loops: tuple[LoopRuns, LoopRuns] = ("during calls", "always")
    return [(name, loop) for name in names for loop in loops[: 1 + WAYS[name].is_async]]


@pytest.mark.parametrize(("way", "loop"), _runs(LANGCHAIN))
def test_trailing_bytes_affect_no_later_call(way: str, loop: LoopRuns) -> None:
    """Whatever follows a response at any time, the next call sends one request and gets its own."""
    open_session = partial(Session, way, loop=loop, max_retries=0)
    _check_table(open_session, None, _table(sizes=_BOUNDARIES))


@pytest.mark.parametrize("way", [name for name in ECHOING if name not in LANGCHAIN])
def test_trailing_bytes_affect_no_later_call_of_other_components(way: str) -> None:
    """The same holds for LlamaIndex, image generators and endpoints."""
    open_session = partial(Session, way, max_retries=0)
    _check_table(open_session, None, _table(late=False), sessions=1)


@pytest.mark.parametrize(("way", "loop"), _runs(LANGCHAIN))
def test_trailing_bytes_affect_no_later_call_over_tls(
    way: str, loop: LoopRuns, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """The same holds over TLS, in the response's last record and in other records.

    Whole responses are read as streams are: late bytes and sizes of records are tested with
    streams.
    """
    open_session = partial(remote.session, way, loop=loop, max_retries=0)
    is_stream = WAYS[way].kind == "stream"
    cases = _table(tls=True, late=is_stream, sizes=(1 << 14,) if is_stream else ())
    _check_table(open_session, tls, cases)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("way", WAYS)
def test_a_connection_is_reused_after_a_correct_response(way: str, framing: Any) -> None:
    """Successive calls use one connection, so that the law does not hold by itself."""

    def handler(connection: Connection, request: Request) -> None:
        connection.respond(request, framing=framing)

    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for number in range(4):
            outcome = session.call(f"q-{number}")
            assert outcome.text in {f"q-{number}", "models"}, str(outcome)
        assert server.connections == 1


@pytest.mark.parametrize("way", LANGCHAIN)
def test_a_tls_connection_is_reused_after_a_correct_response(
    way: str, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """The same holds over TLS, where the server's session tickets follow the handshake."""
    with RawServer(tls=tls) as server, remote.session(way, server.base_url) as session:
        for number in range(4):
            assert session.call(f"q-{number}").text == f"q-{number}"
        assert server.connections == 1


def _send_bytewise(connection: Connection, message: bytes) -> None:
    for position in range(len(message)):
        connection.send(message[position : position + 1])


def _with_all_extensions(request: Request) -> bytes:
    """Return a response with interim responses, chunk extensions and trailers."""
    content_type, parts = wire.echo(request)
    head = wire.head(f"content-type:{content_type}", "transfer-encoding: Chunked", status="200 ")
    chunks = b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in parts)
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    return interim + head + chunks + b"000;x\r\nX-Trailer: a\r\n\r\n"


@pytest.mark.parametrize("way", LANGCHAIN)
def test_unusual_responses_are_read_and_their_connection_is_reused(way: str) -> None:
    """A response may be sent byte by byte, or with interim responses, extensions and trailers."""

    def handler(connection: Connection, request: Request) -> None:
        match request.prompt:
            case "dribbled":
                _send_bytewise(connection, wire.echo_message(request))
            case "dribbled-chunks":
                _send_bytewise(connection, wire.echo_message(request, framing="chunked"))
            case _:
                connection.send(_with_all_extensions(request))

    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for prompt in ("dribbled", "dribbled-chunks", "extras", "again"):
            assert session.call(prompt).text == prompt
        assert set(server.counts().values()) == {1}
        assert server.connections == 1


@pytest.mark.parametrize("way", ECHOING)
def test_a_closing_connection_is_not_reused(way: str) -> None:
    """``Connection: close``, HTTP/1.0 or a body that ends with the connection prevents reuse."""

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
def test_a_last_chunk_with_trailing_bytes_after_a_stream(way: str, loop: LoopRuns) -> None:
    """The body's end and a foreign response follow [DONE] in another segment."""

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
            assert sent.acquire(timeout=TIMEOUT)
        assert set(server.counts().values()) == {1}
        assert [request.position for request in server.requests] == [1] * len(pauses)


@pytest.mark.parametrize("trailing", [FOREIGN, b""], ids=["a second response", "the end"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("create", [langchain, llama_index])
def test_bytes_that_come_after_a_connection_was_chosen(
    create: Callable[..., Any],
    is_async: bool,
    trailing: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bytes that come after a connection was chosen, and before the request, are no response.

    Another thread may run in between. The request is sent once, on a new connection, and that does
    not count as an attempt.
    """
    with RawServer() as server:

        def handler(connection: Connection, request: Request) -> None:
            connection.respond(request)
            if request.prompt == "first":
                server.event("chosen").wait(TIMEOUT)
                connection.send(trailing)
                if not trailing:
                    connection.close()

        def wait_for_data(connection: Any, buffer: bytes) -> bytes:
            if connection.progress.connection_reused:
                server.event("chosen").set()
                while not connection.stream.get_extra_info("is_readable"):
                    time.sleep(0.001)
            return merge_writes(connection, buffer)

        merge_writes = _Connection.merge_writes
        monkeypatch.setattr(_Connection, "merge_writes", wait_for_data)
        server.handler = handler
        model = create(server.base_url, max_retries=0)
        assert _call_each(model, ["first", "second"], is_async=is_async) == [
            f"{wire.ECHO}first",
            f"{wire.ECHO}second",
        ]
        assert server.counts() == {"first": 1, "second": 1}


def _call_each(model: Any, prompts: Sequence[str], *, is_async: bool) -> list[str]:
    """Make one call after the other, async ones in one event loop; return the texts."""
    complete, acomplete = (
        (model.invoke, model.ainvoke)
        if hasattr(model, "invoke")
        else (model.complete, model.acomplete)
    )

    async def run() -> list[str]:
        return [str((await acomplete(prompt)).text) for prompt in prompts]

    if is_async:
        return asyncio.run(run())
    return [str(complete(prompt).text) for prompt in prompts]
