"""Faults of a connection, directly and through proxies: outcomes and numbers of requests."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from tests.proxies.certificates import Certificates
from tests.proxies.raw_proxy import RawProxy
from tests.transport import wire
from tests.transport.raw_server import Connection, RawServer, Request
from xai_lowcode.errors import XAILowCodeError

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
CELLS = [
    pytest.param(place, reused, retries, outcome, int(count), id=f"{place}-{reused}-{retries}")
    for place, *cells in ROWS
    for (reused, retries), outcome, count in zip(COLUMNS, cells[::2], cells[1::2], strict=True)
]
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


@contextmanager
def route(
    name: str, fault: Callable[[Connection, Request], None], certificates: Certificates
) -> Iterator[tuple[RawServer, dict[str, Any]]]:
    """Run a server that fails once, at the prompt ``fault``; yield it and the client's options."""
    failed = []

    def handle(connection: Connection, request: Request) -> None:
        if request.prompt == "fault" and not failed:
            failed.append(request)
            fault(connection, request)
        else:
            connection.respond(request)

    tls = certificates.server(HOST) if name == "tunnel" else None
    with RawServer(handle, tls=tls) as server:
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
@pytest.mark.parametrize(("place", "reused", "retries", "outcome", "count"), CELLS)
def test_a_fault_has_one_outcome_on_every_route(
    certificates: Certificates,
    name: str,
    is_async: bool,
    place: str,
    reused: bool,
    retries: int,
    outcome: str,
    count: int,
) -> None:
    """Outcome and number of requests are those in the table; other calls get their responses."""
    prompts = ["before", "fault", "after"] if reused else ["fault", "after"]
    with route(name, FAULTS[place], certificates) as (server, options):
        options |= {"api": "chat_completions", "max_retries": retries}
        llm = ChatXAILowCode(api_token=TOKEN, **options)

        async def ask_all() -> list[str]:
            return [await _outcome(prompt, llm.ainvoke(prompt)) for prompt in prompts]

        async def ask_in_a_thread(prompt: str) -> str:
            return await _outcome(prompt, asyncio.to_thread(llm.invoke, prompt))

        outcomes = (
            asyncio.run(ask_all())
            if is_async
            else [asyncio.run(ask_in_a_thread(prompt)) for prompt in prompts]
        )
        llm.close()
        assert dict(zip(prompts, outcomes, strict=True)) == {
            **dict.fromkeys(prompts, "ok"),
            "fault": outcome,
        }
        assert {prompt: server.count(prompt) for prompt in prompts} == {
            **dict.fromkeys(prompts, 1),
            "fault": count,
        }


async def _outcome(prompt: str, message: Awaitable[Any]) -> str:
    try:
        assert (await message).text == wire.ECHO + prompt
    except XAILowCodeError:
        return "error"
    return "ok"
