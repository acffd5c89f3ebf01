"""Law: a response cannot take more memory than ``max_response_bytes`` allows.

The size is that after decompression, for whole responses and for streams; a content coding that was
not offered is rejected unread. The size of processes is measured in another process.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, TypeVar

import pytest

from tests.transport import wire
from tests.transport.clients import IMAGES, WAYS, Outcome, Session
from tests.transport.raw_server import TIMEOUT, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient
from tests.transport.tables import check_all

MB = 1 << 20
LIMIT = 1 * MB
DEFAULT_LIMIT = 256 * MB
BOMB_SIZE = 64 * MB
"""The size of decompressed bombs; compressed they have 64 KB."""
DEFAULT_BOMB_SIZE = 1024 * MB
"""The same for the default limit; compressed it has a megabyte."""
PEAK = 16 * MB
"""The allowed growth of a process with a limit of one megabyte."""

T = TypeVar("T")

_LANGCHAIN = ["LangChain invoke", "LangChain ainvoke", "LangChain stream", "LangChain astream"]
_OTHERS = ["LlamaIndex chat", "LlamaIndex astream_chat", *IMAGES, "Gateway retrieve_model"]


def _bomb(prefix: bytes, size: int, *, wbits: int) -> bytes:
    """Return the prefix and then blanks, up to the size, compressed.

    Blocks after a full flush do not depend on earlier data: one of a megabyte is repeated.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    start = packer.compress(prefix) + packer.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = raw.compress(b" " * MB) + raw.flush(zlib.Z_FULL_FLUSH)
    # The end is that of an empty block; a client that reads up to it has exceeded the limit.
    return start + block * (size // MB) + b"\x03\x00" + bytes(8 if wbits == 31 else 0)


def _deflate(data: bytes, *, raw: bool) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15 if raw else 15)
    return packer.compress(data) + packer.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", partial(gzip.compress, mtime=0)),
    "deflate, zlib": ("deflate", partial(_deflate, raw=False)),
    "deflate, raw": ("deflate", partial(_deflate, raw=True)),
}


def _body(request: Request) -> tuple[str, bytes]:
    content_type, parts = wire.echo(request)
    return content_type, b"".join(parts)


def _encoded(request: Request, coding: str, encode: Callable[[bytes], bytes]) -> bytes:
    content_type, body = _body(request)
    return wire.message(
        encode(body), content_type=content_type, lines=[f"Content-Encoding: {coding}"]
    )


@pytest.mark.parametrize("way", [*_LANGCHAIN, *_OTHERS])
def test_offered_compressions_are_read(way: str) -> None:
    """gzip, and both forms of deflate, are read on a connection that is reused."""

    def handler(connection: Connection, request: Request) -> None:
        connection.send(_encoded(request, *ENCODERS[names[request.prompt]]))

    names = {f"q-{number}": name for number, name in enumerate(ENCODERS)}
    with RawServer(handler) as server, Session(way, server.base_url, max_retries=0) as session:
        for prompt, name in names.items():
            outcome = session.call(prompt)
            assert outcome.text == prompt, f"{name}: {outcome}"
        assert server.connections == 1


NOT_OFFERED = {
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "deflate, gzip": lambda body: gzip.compress(zlib.compress(body)),
    "br": lambda body: body,
    "zstd": lambda body: b"\x28\xb5\x2f\xfd" + body,
    "compress": lambda body: b"\x1f\x9d" + body,
    "something": lambda body: body,
}
"""Content codings that were not offered, and bodies for them."""


def _offered(request: Request) -> set[str]:
    return {
        part.partition(";")[0].strip()
        for part in request.headers.get("accept-encoding", "").split(",")
    }


def _check_all_in_one_session(
    way: str,
    cases: Mapping[str, T],
    build: Callable[[Request, T], bytes],
    check: Callable[[T, Outcome, RawServer], Iterator[str]],
    **options: Any,
) -> None:
    """Check cases one after the other, with one server and one client: a call for each.

    Without ``max_retries=0``, only a GET may be sent more than once.
    """
    once = WAYS[way].kind != "get" or options.get("max_retries") == 0
    with RawServer() as server, Session(way, server.base_url, **options) as session:

        def check_case(case: T) -> Iterator[str]:
            server.handler = lambda connection, request: connection.send(build(request, case))
            server.requests.clear()
            yield from check(case, session.call("case"), server)
            if once and len(server.requests) != 1:
                yield f"{len(server.requests)} requests for one call"

        check_all(cases, check_case, workers=1)


@pytest.mark.parametrize("way", [*_LANGCHAIN, *_OTHERS])
def test_other_compressions_are_rejected(way: str) -> None:
    """A content coding that was not offered, or two at once, is an error of the package."""

    def build(request: Request, coding: str) -> bytes:
        return _encoded(request, coding, NOT_OFFERED[coding])

    def check(coding: str, outcome: Outcome, server: RawServer) -> Iterator[str]:
        if coding not in _offered(server.requests[0]) and not outcome.is_invalid_response:
            yield f"the outcome is {outcome}"

    _check_all_in_one_session(way, {coding: coding for coding in NOT_OFFERED}, build, check)


@pytest.mark.parametrize("way", [*_LANGCHAIN, *_OTHERS])
def test_broken_compression_is_an_error(way: str) -> None:
    """Data that is not valid for its Content-Encoding, or is incomplete: one request, an error."""

    def build(request: Request, broken: Callable[[bytes], bytes]) -> bytes:
        return _encoded(request, "gzip", broken)

    def check(_broken: object, outcome: Outcome, _server: RawServer) -> Iterator[str]:
        if not (outcome.is_invalid_response or outcome.is_connection_error):
            yield f"the outcome is {outcome}"

    cases: dict[str, Callable[[bytes], bytes]] = {
        "plain bytes": lambda body: body,
        "half of it": lambda body: gzip.compress(body)[: len(gzip.compress(body)) // 2],
        "a byte changed": lambda body: gzip.compress(body)[:-8] + b"\0" * 8,
    }
    _check_all_in_one_session(way, cases, build, check)


@dataclass(frozen=True)
class Size:
    """A response of a size, and how it is sent.

    Attributes:
        size: The number of bytes of the body, decompressed.
        coding: The name of a compression, or None.
        framing: How the end of the body is marked.
    """

    size: int
    coding: str | None
    framing: wire.Framing


def _sized(request: Request, size: Size) -> bytes:
    """Return a correct response with a body of exactly this size."""
    content_type, body = _body(request)
    missing = size.size - len(body)
    if request.is_stream:
        comment = b":" + b"x" * (missing - 3) + b"\n\n"
        body = body.removesuffix(wire.DONE) + comment + wire.DONE
    else:
        body += b" " * missing
    assert len(body) == size.size
    lines: list[str] = []
    if size.coding is not None:
        coding, encode = ENCODERS[size.coding]
        body, lines = encode(body), [f"Content-Encoding: {coding}"]
    parts = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    return wire.message(*parts, content_type=content_type, framing=size.framing, lines=lines)


def _names_the_limit(outcome: Outcome) -> bool:
    return outcome.is_invalid_response and "max_response_bytes" in outcome.error


@pytest.mark.parametrize("way", [*_LANGCHAIN, *_OTHERS])
def test_the_limit_is_exact(way: str) -> None:
    """A response of exactly the limit is read, one byte more is not, compressed or not."""
    limit = 100_000

    def check(size: Size, outcome: Outcome, _server: RawServer) -> Iterator[str]:
        if size.size <= limit and outcome.text != "case":
            yield f"the outcome is {outcome}, though it is within the limit"
        if size.size > limit and not _names_the_limit(outcome):
            yield f"the outcome is {outcome}, which does not name max_response_bytes"

    framings: tuple[wire.Framing, ...] = ("length", "chunked")
    cases = {
        f"{size} bytes, {coding}, {framing}": Size(size, coding, framing)
        for size, coding, framing in product(
            (99_999, limit, 100_001, 200_000), (None, *ENCODERS), framings
        )
    }
    _check_all_in_one_session(way, cases, _sized, check, max_retries=0, max_response_bytes=limit)


def _bomb_response(
    request: Request, coding: str, status: str = "200 OK", size: int = BOMB_SIZE
) -> bytes:
    content_type, body = _body(request)
    wbits = {"gzip": 31, "deflate, zlib": 15, "deflate, raw": -15, "gzip, gzip": 31}[coding]
    bomb = _bomb(body, size, wbits=wbits)
    if coding == "gzip, gzip":
        bomb = gzip.compress(bomb)
    line = f"Content-Encoding: {coding if coding == 'gzip, gzip' else ENCODERS[coding][0]}"
    return wire.message(bomb, content_type=content_type, status=status, lines=[line])


def _errors(
    outcome: Outcome, *, max_growth: int, server: RawServer, names_limit: bool = True
) -> Iterator[str]:
    if names_limit and not _names_the_limit(outcome):
        yield f"the outcome is {outcome}, which does not name max_response_bytes"
    elif not outcome.failed:
        yield f"the outcome is {outcome}"
    if outcome.peak is None or outcome.peak > max_growth:
        yield f"took {(outcome.peak or 0) / MB:.0f} MB"
    if len(server.requests) != 1:
        yield f"{len(server.requests)} requests for one call"


def _check_bomb(remote: RemoteClient, case: tuple[str, str, str]) -> Iterator[str]:
    way, coding, status = case

    def handler(connection: Connection, request: Request) -> None:
        connection.send(_bomb_response(request, coding, status))

    options: dict[str, Any] = {"max_retries": 0, "max_response_bytes": LIMIT}
    with (
        RawServer(handler) as server,
        remote.session(way, server.base_url, **options) as session,
    ):
        outcome = session.call("bomb")
        # The body of an error response need not be read to its end.
        names_limit = status == "200 OK" and coding != "gzip, gzip"
        yield from _errors(outcome, max_growth=PEAK, server=server, names_limit=names_limit)


def test_a_small_limit_holds_against_bombs(remote: RemoteClient) -> None:
    """Each method rejects, at the limit, a small response that decompresses to a large one."""
    bombs = [
        *product([*_LANGCHAIN, *_OTHERS], ["gzip"], ["200 OK"]),
        *product(["LangChain invoke", "LangChain astream"], [*ENCODERS, "gzip, gzip"], ["200 OK"]),
        *product(["LangChain invoke", "LangChain ainvoke"], ["gzip"], ["500 Internal Error"]),
    ]
    # One at a time: the peak is that of the process.
    check_all({", ".join(case): case for case in bombs}, partial(_check_bomb, remote), workers=1)


@pytest.mark.parametrize("way", ["LangChain invoke", "LangChain ainvoke"])
def test_the_default_limit_holds_against_a_bomb(way: str, remote: RemoteClient) -> None:
    """The default limit is 256 MB, which a process has; a process takes at most 2.5 times that."""

    def handler(connection: Connection, request: Request) -> None:
        connection.send(_bomb_response(request, "gzip", size=DEFAULT_BOMB_SIZE))

    with (
        RawServer(handler) as server,
        remote.session(way, server.base_url, max_retries=0) as session,
    ):
        outcome = session.call("bomb")
        errors = list(_errors(outcome, max_growth=5 * DEFAULT_LIMIT // 2, server=server))
    assert not errors, errors


@dataclass(frozen=True)
class Endless:
    """A body without an end.

    Attributes:
        content_type: Its content type.
        start: Its first bytes.
        unit: The bytes that are repeated.
        lines: Header lines for its framing.
        chunked: Whether each unit is a chunk.
    """

    content_type: str
    start: bytes
    unit: bytes
    lines: tuple[str, ...] = ()
    chunked: bool = False

    def __call__(self, connection: Connection, _request: Request) -> None:
        lines = (*self.lines, "Transfer-Encoding: chunked") if self.chunked else self.lines
        connection.send(wire.head(f"Content-Type: {self.content_type}", *lines))
        connection.send(self._framed(self.start))
        times = max(1, 65_536 // len(self.unit))
        units = self._framed(self.unit * times)
        # Until the client closes, or up to a size that a client without a limit can read.
        for _ in range(8 * LIMIT // len(units)):
            connection.send(units)
        connection.close()

    def _framed(self, data: bytes) -> bytes:
        return wire.chunked([data], end=False) if self.chunked else data


_EVENT = wire.chunk({"content": "and so on, " * 200})
ENDLESS = {
    "identity, a terabyte announced": Endless(
        wire.JSON, b'{"data":', b" ", (f"Content-Length: {1 << 40}",)
    ),
    "identity, chunked": Endless(wire.JSON, b'{"data":', b" ", chunked=True),
    "identity, until closed": Endless(wire.JSON, b'{"data":', b" "),
    "an HTML page": Endless("text/html", b"<html>", b"<p>", chunked=True),
    "events": Endless(wire.EVENTS, _EVENT, _EVENT, chunked=True),
    "events, until closed": Endless(wire.EVENTS, _EVENT, _EVENT),
    "heartbeats": Endless(wire.EVENTS, _EVENT, b": keep-alive\n\n", chunked=True),
    "empty lines": Endless(wire.EVENTS, _EVENT, b"\n", chunked=True),
    "one event without an end": Endless(wire.EVENTS, b"data: ", b"x", chunked=True),
    "one event of many lines": Endless(wire.EVENTS, _EVENT, b"data: x\n", chunked=True),
}
_JSON_BODIES = [name for name, body in ENDLESS.items() if body.content_type == wire.JSON]


def _check_endless(remote: RemoteClient, case: tuple[str, str]) -> Iterator[str]:
    way, name = case
    options: dict[str, Any] = {"max_retries": 0, "max_response_bytes": LIMIT}
    with (
        RawServer(ENDLESS[name]) as server,
        remote.session(way, server.base_url, **options) as session,
    ):
        outcome = session.call("endless")
        # Not all pages are read to their end.
        names_limit = ENDLESS[name].content_type != "text/html"
        yield from _errors(outcome, max_growth=PEAK, server=server, names_limit=names_limit)
        if outcome.timed_out:
            yield "ended by a timeout"
        if not server.wait_until_closed(seconds=TIMEOUT):
            yield "the connection stays open"


def test_a_small_limit_holds_against_endless_responses(remote: RemoteClient) -> None:
    """An endless response or stream ends at the limit, and its connection is closed."""
    cases = [
        *product(_LANGCHAIN, ENDLESS),
        *product(_OTHERS, _JSON_BODIES[:1]),
        *product(["LlamaIndex stream_chat", "LlamaIndex astream_chat"], ["events", "heartbeats"]),
    ]
    check_all(
        {f"{way}, {name}": (way, name) for way, name in cases},
        partial(_check_endless, remote),
        workers=1,
    )


def test_a_limit_is_an_option_of_every_component() -> None:
    """Models, image generators and settings accept ``max_response_bytes``, a positive integer."""
    for way in (*_LANGCHAIN[:1], *_OTHERS):
        with RawServer() as server, Session(way, server.base_url, max_response_bytes=MB) as session:
            assert session.call("small").text == "small"
        for invalid in (0, -1):
            with pytest.raises(Exception, match=re.compile("max_response_bytes")):
                Session(way, "http://127.0.0.1:9/xai", max_response_bytes=invalid)
