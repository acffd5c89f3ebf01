"""Faults of a connection, directly and through proxies: outcomes and numbers of requests."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from tests.proxies.certificates import Certificates
from tests.proxies.raw_proxy import RawProxy
from tests.transport import wire
from tests.transport.raw_server import Connection, RawServer, Request
from tests.transport.tables import check_all
from xai_lowcode.errors import XAILowCodeError


class Cell(NamedTuple):
    """The place of a fault, whether its connection is reused, and what the call does."""

    place: str
    reused: bool
    retries: int
    outcome: str
    count: int


TOKEN = "at_r" + "0" * 32
HOST = "gateway.example"
# The outcome of the call with the fault, and its number of requests, with max_retries=0 and =2. A
# reused connection that is closed before the response costs no attempt.
TABLE = """
place                   fresh, 0  fresh, 2  reused, 0  reused, 2
before the head         error 1   ok 2      ok 2       ok 2
before the head, later  error 1   ok 2      error 1    ok 2
inside the head         error 1   error 1   error 1    error 1
a malformed head        error 1   error 1   error 1    error 1
between head and body   error 1   error 1   error 1    error 1
inside the body         error 1   error 1   error 1    error 1
after the body          ok 1      ok 1      ok 1       ok 1
"""
COLUMNS = [(reused, retries) for reused, retries in itertools.product((False, True), (0, 2))]
ROWS = [line.rsplit(maxsplit=8) for line in TABLE.strip().splitlines()[1:]]
CELLS = {
    f"{place}, {'reused' if reused else 'fresh'}, {retries}": Cell(
        place, reused, retries, outcome, int(count)
    )
    for place, *cells in ROWS
    for (reused, retries), outcome, count in zip(COLUMNS, cells[::2], cells[1::2], strict=True)
}
FOREIGN_RESPONSE = wire.message(wire.chat("foreign"))


def _cut(size: Callable[[bytes, int], int]) -> Callable[[Connection, Request], None]:
    def send(connection: Connection, request: Request) -> None:
        message = wire.echo_message(request)
        connection.send(message[: size(message, message.index(b"\r\n\r\n") + 4)])
        connection.close()

    return send


def _close_later(connection: Connection, _request: Request) -> None:
    connection.pause(0.15)
    connection.close()


def _malformed(connection: Connection, _request: Request) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n{}")
    connection.close()


def _append_response(connection: Connection, request: Request) -> None:
    connection.send(wire.echo_message(request) + FOREIGN_RESPONSE)


FAULTS: dict[str, Callable[[Connection, Request], None]] = {
    "before the head": _cut(lambda _message, _head: 0),
    "before the head, later": _close_later,
    "inside the head": _cut(lambda _message, head: head // 2),
    "a malformed head": _malformed,
    "between head and body": _cut(lambda _message, head: head),
    "inside the body": _cut(lambda message, head: (head + len(message)) // 2),
    "after the body": _append_response,
}


class FailsOnce:
    """A handler that fails once, at the prompt ``fault``."""

    def __init__(self, fault: Callable[[Connection, Request], None]) -> None:
        self._faults = [fault]

    def __call__(self, connection: Connection, request: Request) -> None:
        if request.prompt == "fault" and self._faults:
            self._faults.pop()(connection, request)
        else:
            connection.respond(request)


@contextmanager
def route(name: str, certificates: Certificates) -> Iterator[tuple[RawServer, dict[str, Any]]]:
    """Run a server; yield it and the client's options."""
    tls = certificates.server(HOST) if name == "tunnel" else None
    with RawServer(tls=tls) as server:
        if name == "direct":
            yield server, {"base_url": server.base_url}
            return
        port = 443 if name == "tunnel" else 80
        with RawProxy({f"{HOST}:{port}": ("127.0.0.1", server.port)}) as proxy:
            scheme = "https" if name == "tunnel" else "http"
            yield (
                server,
                {
                    "base_url": f"{scheme}://{HOST}/xai",
                    "allow_insecure_http": True,
                    "proxy": proxy.url,
                    "verify": certificates.client_context,
                },
            )


@pytest.mark.parametrize("name", ["direct", "tunnel", "forward"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_fault_has_one_outcome_on_every_route(
    certificates: Certificates, name: str, is_async: bool
) -> None:
    """Outcome and number of requests are those in the table; other calls get their responses."""
    with route(name, certificates) as (server, options):
        options["api"] = "chat_completions"

        def check(cell: Cell) -> Iterator[str]:
            prompts = ["before", "fault", "after"] if cell.reused else ["fault", "after"]
            server.handler = FailsOnce(FAULTS[cell.place])
            server.requests.clear()
            llm = ChatXAILowCode(api_token=TOKEN, max_retries=cell.retries, **options)
            outcomes = _outcomes(llm, prompts, is_async=is_async)
            llm.close()
            if outcomes != {**dict.fromkeys(prompts, "ok"), "fault": cell.outcome}:
                yield f"the outcomes are {outcomes}"
            if server.counts() != {**dict.fromkeys(prompts, 1), "fault": cell.count}:
                yield f"the requests are {server.counts()}"

        check_all(CELLS, check, workers=1)


def _outcomes(llm: ChatXAILowCode, prompts: list[str], *, is_async: bool) -> dict[str, str]:
    """Return the outcome of each prompt, of one call after the other."""

    async def ask_all() -> dict[str, str]:
        return {prompt: await _outcome(prompt, llm.ainvoke(prompt)) for prompt in prompts}

    async def ask_in_a_thread(prompt: str) -> str:
        return await _outcome(prompt, asyncio.to_thread(llm.invoke, prompt))

    if is_async:
        return asyncio.run(ask_all())
    return {prompt: asyncio.run(ask_in_a_thread(prompt)) for prompt in prompts}


async def _outcome(prompt: str, message: Awaitable[Any]) -> str:
    try:
        assert (await message).text == wire.ECHO + prompt
    except XAILowCodeError:
        return "error"
    return "ok"
