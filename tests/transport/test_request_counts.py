"""Law: a request that the server may have processed is not sent again silently.

A POST costs money. After the first byte of its response, or after some time of processing, it is
sent exactly once, whatever else happens; a GET may be retried.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.transport import wire
from tests.transport.broken_responses import BEGUN, INCOMPLETE, SILENT, Broken
from tests.transport.clients import (
    CHAT,
    GETS,
    IMAGES,
    LANGCHAIN,
    POSTS,
    WAYS,
    Outcome,
    Session,
    langchain,
)
from tests.transport.raw_server import TIMEOUT, Connection, RawServer, Request
from tests.transport.remote_client import RemoteClient
from tests.transport.tables import check_all

PROCESSING_TIME = 0.2
"""Seconds that a server processes a request before its connection fails."""
MAX_RETRIES = 2
"""The documented default."""

OpenSession = Callable[..., Any]


def _wrong_error(outcome: Outcome) -> Iterator[str]:
    """Yield an error unless the call raised the package's error for an unusable response."""
    if not (outcome.is_connection_error or outcome.is_invalid_response):
        yield f"the outcome is {outcome}, not an APIConnectionError or InvalidResponseError"
    elif outcome.timed_out:
        yield "ended only by its timeout"


class BrokenResponses:
    """A handler that sends a broken response to each prompt that has one, and else a correct one.

    Args:
        broken: Broken responses by prompt.
        processing_time: Seconds that pass before, if the client does not close meanwhile.
    """

    def __init__(self, broken: Mapping[str, Broken], processing_time: float = 0.0) -> None:
        self._broken, self._processing_time = broken, processing_time

    def __call__(self, connection: Connection, request: Request) -> None:
        broken = self._broken.get(request.prompt)
        if broken is None:
            connection.respond(request)
        elif not self._processing_time or not connection.wait_closed(self._processing_time):
            broken(connection, request)


def _by_prompt(cases: Mapping[str, Broken]) -> dict[str, Broken]:
    """Return the cases by prompts that can be in URLs."""
    return {name.replace(" ", "-").replace(",", ""): case for name, case in cases.items()}


def _check_reused(
    open_session: OpenSession,
    tls: ssl.SSLContext | None,
    cases: Mapping[str, Broken],
    check: Callable[[RawServer, str, Outcome], Iterator[str]],
    *,
    processing_time: float = 0.0,
    sessions: int = 1,
) -> None:
    """Check cases with calls whose connections were kept alive, in some sessions at a time.

    A correct call precedes each of them, and one follows.
    """
    broken = _by_prompt(cases)
    prompts = list(broken)
    with RawServer(BrokenResponses(broken, processing_time), tls=tls) as server:

        def check_session(number: int) -> Iterator[str]:
            with open_session(server.base_url) as session:
                if session.call(f"first-{number}").text != f"first-{number}":
                    yield "the first call fails"
                for prompt in prompts[number::sessions]:
                    for error in check(server, prompt, session.call(prompt)):
                        yield f"{prompt}: {error}"
                    after = session.call(f"after-{prompt}")
                    if after.text != f"after-{prompt}":
                        yield f"{prompt}: the outcome of the next call is {after}"

        check_all(
            {f"session {number}": number for number in range(sessions)},
            check_session,
            workers=sessions,
        )


def _check_sent_once(server: RawServer, prompt: str, outcome: Outcome) -> Iterator[str]:
    yield from _wrong_error(outcome)
    sent = [request for request in server.requests if request.prompt == prompt]
    if len(sent) != 1:
        yield f"{len(sent)} requests for one call"
    if sent[0].position == 1:
        yield "the connection was not kept alive"


def _check_sent_again_at_most_once(
    server: RawServer, prompt: str, outcome: Outcome
) -> Iterator[str]:
    if not outcome.is_connection_error:
        yield f"the outcome is {outcome}, though no byte of a response came"
    positions = [request.position for request in server.requests if request.prompt == prompt]
    if positions[0] == 1:
        yield "the connection was not kept alive"
    if positions[1:] not in ([], [1]):
        yield f"was sent again as the requests {positions[1:]} of connections"


@pytest.mark.parametrize("way", POSTS)
def test_a_kept_alive_connection_that_fails_during_a_post(way: str) -> None:
    """If the connection fails after 0.2 s of processing, one POST was sent, and the call raises."""
    _check_reused(
        partial(Session, way, max_retries=0),
        None,
        {**SILENT, **BEGUN},
        _check_sent_once,
        processing_time=PROCESSING_TIME,
        sessions=len(SILENT) + len(BEGUN),
    )


@pytest.mark.parametrize("way", LANGCHAIN)
def test_a_kept_alive_tls_connection_that_fails_during_a_post(
    way: str, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """The same holds over TLS, whose connections end in more than one way."""
    cases = {
        **SILENT,
        **BEGUN,
        "closed with close_notify": Broken(
            lambda _request: b"", lambda connection: connection.close(notify=True)
        ),
    }
    _check_reused(
        partial(remote.session, way, max_retries=0),
        tls,
        cases,
        _check_sent_once,
        processing_time=PROCESSING_TIME,
        sessions=len(cases),
    )


@pytest.mark.parametrize("way", POSTS)
def test_a_kept_alive_connection_that_closes_at_once(way: str) -> None:
    """A POST is silently sent again once, on a new connection, if no byte of a response came."""
    _check_reused(
        partial(Session, way, max_retries=0), None, SILENT, _check_sent_again_at_most_once
    )


@pytest.mark.parametrize("way", POSTS)
def test_a_kept_alive_connection_whose_response_breaks_at_once(way: str) -> None:
    """After any byte of a response, a POST is not sent again."""
    _check_reused(partial(Session, way, max_retries=0), None, BEGUN, _check_sent_once)


IDLE = 4
"""Connections that are kept alive at the same time."""


class _StaleConnections:
    """A handler whose kept-alive connections all end when they are reused."""

    def __init__(self, end: Callable[[Connection], None]) -> None:
        self._end = end
        self._barrier = threading.Barrier(IDLE)

    def __call__(self, connection: Connection, request: Request) -> None:
        if request.prompt.startswith("warm-"):
            # Each of the calls needs its own connection.
            self._barrier.wait(TIMEOUT)
        if request.position == 1:
            connection.respond(request)
        else:
            self._end(connection)


def _check_stale_outcome(server: RawServer, outcome: str) -> None:
    sent = [request for request in server.requests if request.prompt == "stale"]
    assert server.connections in {IDLE, IDLE + 1}
    assert len(sent) <= 2
    assert [request.position for request in sent[1:]] in ([], [1]), (
        "the second request needs a new connection"
    )
    # The server responds on new connections.
    assert outcome == ("stale" if len(sent) == 2 else "APIConnectionError")


@pytest.mark.parametrize("end", [Connection.close, Connection.reset])
def test_many_kept_alive_connections_that_close_at_once(end: Callable[[Connection], None]) -> None:
    """After a restart all idle connections are closed: a POST is sent again once, on a new one."""
    with RawServer(_StaleConnections(end)) as server:
        model = langchain(server.base_url, max_retries=0)
        with ThreadPoolExecutor(IDLE) as pool:
            list(pool.map(model.invoke, [f"warm-{number}" for number in range(IDLE)]))
        assert server.connections == IDLE
        try:
            outcome = str(model.invoke("stale").text).removeprefix(wire.ECHO)
        except Exception as error:  # noqa: BLE001 - examined below
            outcome = _error_class(error)
        _check_stale_outcome(server, outcome)
        model.close()


@pytest.mark.parametrize("end", [Connection.close, Connection.reset])
async def test_many_kept_alive_async_connections_that_close_at_once(
    end: Callable[[Connection], None],
) -> None:
    """The same holds for the async client."""
    with RawServer(_StaleConnections(end)) as server:
        model = langchain(server.base_url, max_retries=0)
        await asyncio.gather(*[model.ainvoke(f"warm-{number}") for number in range(IDLE)])
        assert server.connections == IDLE
        try:
            outcome = str((await model.ainvoke("stale")).text).removeprefix(wire.ECHO)
        except Exception as error:  # noqa: BLE001 - examined below
            outcome = _error_class(error)
        _check_stale_outcome(server, outcome)
        await model.aclose()


def _error_class(error: Exception) -> str:
    names = [cls.__name__ for cls in type(error).__mro__]
    return "APIConnectionError" if "APIConnectionError" in names else names[0]


def _check_unread(
    open_session: OpenSession, end: Callable[[Connection], None], *, waits: bool
) -> Iterator[str]:
    def handler(connection: Connection, request: Request) -> None:
        connection.respond(request)
        if request.prompt == "first":
            if waits:
                connection.wait_readable()
            else:
                connection.wait("first is done")
            end(connection)
            connection.set("ended")

    with RawServer(handler) as server, open_session(server.base_url) as session:
        assert session.call("first").text == "first"
        server.event("first is done").set()
        if not waits:
            assert server.event("ended").wait(TIMEOUT)
        outcome = session.call("second")
        if server.count("second") > 1:
            yield f"{server.count('second')} requests for one call"
        if outcome.text != "second" and not (waits and outcome.is_connection_error):
            yield f"the outcome is {outcome}"


@pytest.mark.parametrize("way", [*CHAT, *IMAGES, "Gateway retrieve_model"])
def test_a_connection_that_closes_between_two_calls(way: str) -> None:
    """A server closes an idle connection before a request, or when the request arrives.

    In the first case the call succeeds; in the second its request may be sent again.
    """
    ends = {"closed": Connection.close, "reset": Connection.reset}
    sessions = partial(Session, way, max_retries=0)
    cases = {
        f"{name} {'as the request arrives' if waits else 'before the request'}": (end, waits)
        for name, end in ends.items()
        for waits in (False, True)
    }
    check_all(cases, lambda case: _check_unread(sessions, case[0], waits=case[1]))


def _check_fresh(
    open_session: OpenSession,
    allowed: range,
    tls: ssl.SSLContext | None,
    cases: Mapping[str, Broken],
) -> None:
    """Check cases with calls of one session, each of which needs a new connection."""
    with RawServer(tls=tls) as server, open_session(server.base_url) as session:

        def check(broken: Broken) -> Iterator[str]:
            server.handler = broken
            server.requests.clear()
            yield from _wrong_error(session.call("broken"))
            positions = [request.position for request in server.requests]
            if len(positions) not in allowed:
                yield f"{len(positions)} requests for one call, not {_format_range(allowed)}"
            if set(positions) != {1}:
                yield "a connection was used again"

        check_all(cases, check, workers=1)


def _format_range(numbers: range) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


ONCE = range(1, 2)
UP_TO_RETRIES = range(1, MAX_RETRIES + 2)


@pytest.mark.parametrize("way", POSTS)
def test_a_post_whose_response_has_begun_is_sent_once(way: str) -> None:
    """On a new connection, with the default retries, any byte of a response prevents a retry."""
    _check_fresh(partial(Session, way), ONCE, None, BEGUN)


@pytest.mark.parametrize("way", ["LangChain invoke", "LangChain astream"])
def test_a_post_whose_response_has_begun_is_sent_once_over_tls(
    way: str, remote: RemoteClient, tls: ssl.SSLContext
) -> None:
    """The same holds over TLS."""
    _check_fresh(partial(remote.session, way), ONCE, tls, BEGUN)


@pytest.mark.parametrize("way", GETS)
def test_a_get_is_retried_within_max_retries(way: str) -> None:
    """A GET is sent at least once, and retried no more than ``max_retries`` allows."""
    sessions = partial(Session, way)
    _check_fresh(sessions, UP_TO_RETRIES, None, {**SILENT, **BEGUN})
    _check_fresh(partial(sessions, max_retries=0), ONCE, None, {**SILENT, **BEGUN})


@pytest.mark.parametrize("way", POSTS)
def test_a_post_without_a_response_is_retried_within_max_retries(way: str) -> None:
    """A POST is sent at most 1 + max_retries times, and once without retries."""
    sessions = partial(Session, way)
    _check_fresh(sessions, UP_TO_RETRIES, None, SILENT)
    _check_fresh(partial(sessions, max_retries=0), ONCE, None, SILENT)


@pytest.mark.parametrize("way", ["LangChain invoke", "LangChain ainvoke", "Gateway list_models"])
def test_an_unread_request_is_retried_within_max_retries(way: str) -> None:
    """If connections end before the request is read, there is one for each attempt at most."""
    for ends in (Connection.close, Connection.reset):
        for options, allowed in (({}, UP_TO_RETRIES), ({"max_retries": 0}, ONCE)):
            with (
                RawServer(on_connect=ends) as server,
                Session(way, server.base_url, **options) as session,
            ):
                outcome = session.call("unread")
                assert outcome.is_connection_error, str(outcome)
                assert server.connections in allowed


def _message(request: Request, framing: wire.Framing) -> bytes:
    return wire.echo_message(request, framing=framing)


def _check_cut(
    case: tuple[wire.Framing, str], *, way: str, positions: Callable[[bytes], Iterator[int]]
) -> Iterator[str]:
    """Cut the response at each of the positions, which are also the prompts."""
    framing, end = case

    def handler(connection: Connection, request: Request) -> None:
        position = int(request.prompt.removeprefix("cut-"))
        connection.send(_message(request, framing)[:position])
        if end == "reset":
            connection.reset()
        else:
            connection.close()

    # The prompts are all of the same length, and so are their responses.
    whole = _message(_sample_request(way), framing)
    with RawServer(handler) as server, Session(way, server.base_url) as session:
        for position in positions(whole):
            prompt = f"cut-{position:05}"
            outcome = session.call(prompt)
            if server.count(prompt) != 1:
                yield f"cut after {position} bytes: {server.count(prompt)} requests"
            if not _is_consistent(outcome, prompt, whole, position):
                yield f"cut after {position} bytes: {outcome}"


def _is_consistent(outcome: Outcome, prompt: str, whole: bytes, position: int) -> bool:
    """Return True if the call raised, or if only the end of the framing is missing."""
    if outcome.text is not None:
        return outcome.text == prompt and position >= _end_of_content(whole)
    echoed = f"{wire.ECHO}{prompt}".startswith(outcome.partial)
    return echoed and not list(_wrong_error(outcome))


def _end_of_content(whole: bytes) -> int:
    """Return the end of the document, or of the chunk with the finish reason."""
    finish = whole.find(b'"finish_reason":"stop"}]}\n\n')
    if b"text/event-stream" in whole and finish > 0:
        return whole.index(b"\n\n", finish) + 2
    return whole.rindex(b"}") + 1


def _sample_request(way: str) -> Request:
    """Return a request of the method's kind, for the length of its response."""
    kind = WAYS[way].kind
    if kind == "get":
        return Request(b"GET /xai/v1/models/cut-00000 HTTP/1.1\r\n\r\n", b"", 0, 0)
    path = b"/v1/images/generations" if kind == "image" else b"/v1/chat/completions"
    content = {"role": "user", "content": "cut-00000"}
    body = {"prompt": "cut-00000", "messages": [content], "stream": kind == "stream"}
    return Request(b"POST /xai" + path + b" HTTP/1.1\r\n\r\n", wire.dump(body), 0, 0)


def _positions(step: int, whole: bytes) -> Iterator[int]:
    return iter(range(1, len(whole), step))


_CUTS: Mapping[str, tuple[wire.Framing, str]] = {
    "Content-Length, closed": ("length", "closed"),
    "chunked, closed": ("chunked", "closed"),
}


@pytest.mark.parametrize("way", ["LangChain invoke", "LangChain astream", "LangChain image invoke"])
def test_a_response_cut_at_every_byte(way: str) -> None:
    """A response cut at any byte: one POST, and never a partial result."""
    # A stream is longer, and its chunks are alike.
    cuts = {"chunked, closed": _CUTS["chunked, closed"]} if WAYS[way].kind == "stream" else _CUTS
    check_all(cuts, partial(_check_cut, way=way, positions=partial(_positions, 1)))


@pytest.mark.parametrize("way", POSTS)
def test_a_response_cut_at_some_bytes(way: str) -> None:
    """The same holds for all methods, by close and by reset, at some bytes."""
    cases = {**_CUTS, "Content-Length, reset": ("length", "reset")}
    check_all(cases, partial(_check_cut, way=way, positions=partial(_positions, 47)))


def test_the_table_of_incomplete_responses_is_complete() -> None:
    """Each required fault is in the tables, so that no test passes without it."""
    assert {"half a head, closed", "102 Processing, closed", "a whole head, closed"} <= {
        *INCOMPLETE
    }
    assert len(BEGUN) == 18
