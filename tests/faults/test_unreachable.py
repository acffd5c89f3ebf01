"""Gateways that cannot be reached or never send a body, huge responses, and restarts."""

import asyncio
import inspect
import socket
import time
from contextlib import aclosing
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from tests.faults.interfaces import DEADLINE, INTERFACES, Interface
from tests.faults.outcomes import Success, expected, outcome
from tests.faults.prompt import PROMPT
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.servers import (
    endless_headers,
    refused_connections,
    unknown_host,
    unresolved_host,
    untrusted_certificate,
)
from xai_lowcode.emulator import CutBytes, Emulator, Huge, SlowDrip, running
from xai_lowcode.errors import APITimeoutError, StreamInterruptedError

TOKEN = "at_r" + "0" * 32
FIRST_REQUESTS = [interface for interface in INTERFACES if interface.faulted_request == 1]
LASTING_STREAM = SlowDrip(0.05)
STREAMS = [interface for interface in INTERFACES if interface.kind == "stream"]
CHAT_INTERFACES = [interface for interface in INTERFACES if interface.kind in {"plain", "stream"}]


@pytest.mark.parametrize(
    ("server", "error"),
    [
        (refused_connections, "conn"),
        (unknown_host, "conn"),
        (untrusted_certificate, "trust"),
    ],
)
def test_an_unreachable_host_is_a_connection_error(server: Any, error: str) -> None:
    """A refused connection or an unknown host is retryable; an untrusted certificate is not."""
    with server() as address:
        for interface in FIRST_REQUESTS:
            with no_resource_leaks():
                actual = outcome(interface, api_token=TOKEN, base_url=address, deadline=DEADLINE)
            assert actual == expected(error, interface), interface.name


@pytest.mark.parametrize(
    "interface",
    [interface for interface in CHAT_INTERFACES if inspect.iscoroutinefunction(interface.call)],
)
def test_a_host_that_is_not_resolved_fails_at_the_deadline(interface: Interface) -> None:
    """An async call ends at its deadline, while the system's resolver continues in its thread.

    A sync call waits for the resolver, which cannot be interrupted.
    """
    options = {"api_token": TOKEN, "deadline": 0.2, "max_retries": 0}
    with no_resource_leaks(), asyncio.Runner() as runner, unresolved_host() as address:
        began = time.monotonic()
        with pytest.raises(APITimeoutError):
            runner.run(interface.arun(base_url=address, **options))
        assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("interface", CHAT_INTERFACES)
def test_endless_headers_fail_at_the_deadline(interface: Interface) -> None:
    """A response whose headers never end fails at the deadline, though each header is in time."""
    began = time.monotonic()
    with no_resource_leaks(), endless_headers() as address:
        actual = outcome(interface, api_token=TOKEN, base_url=address, deadline=0.5, timeout=30)
    assert actual == expected("late", interface)
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("interface", CHAT_INTERFACES[::3])
def test_a_response_of_a_hundred_megabytes_is_read(gateway: Emulator, interface: Interface) -> None:
    """A response with a hundred megabytes of padding has the same result."""
    gateway.reset()
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url}
    expected_result = interface.run(**options)
    gateway.inject(Huge(100))
    with no_resource_leaks():
        assert interface.run(**options, deadline=60.0) == expected_result


def test_a_cut_stream_is_complete_or_an_error(gateway: Emulator) -> None:
    """A stream that is cut at any offset is complete or raises an error, never a partial result."""
    gateway.reset()
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url, "deadline": 30.0}
    expected_result, outcomes = STREAMS[0].run(**options), set()
    for number, offset in enumerate(range(0, 27000, 293)):
        interface = STREAMS[number % len(STREAMS)]
        gateway.inject(CutBytes(offset))
        actual = outcome(interface, **options)
        assert actual in (Success(expected_result), expected("cut", interface)), (offset, actual)
        outcomes.add(type(actual))
    assert len(outcomes) == 2
    assert len(gateway.requests) == number + 2


@pytest.mark.parametrize("use_async", [False, True])
def test_a_restarted_gateway_is_used_again(use_async: bool) -> None:
    """The gateway ends in the middle of a stream; the same model uses the one that follows it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with no_resource_leaks():
        asyncio.run(_arestart(port)) if use_async else _restart(port)


def _model(gateway: Emulator) -> ChatXAILowCode:
    return ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, max_retries=0)


def _restart(port: int) -> None:
    with running(port) as first:
        model, token = _model(first), first.api_token
        first.inject(LASTING_STREAM)
        chunks = model.stream(PROMPT)
        next(chunks)
    with pytest.raises(StreamInterruptedError):
        list(chunks)
    with running(port) as second:
        second.api_token = token
        assert model.invoke(PROMPT).text


async def _arestart(port: int) -> None:
    with running(port) as first:
        model, token = _model(first), first.api_token
        first.inject(LASTING_STREAM)
        chunks = model.astream(PROMPT)
        await anext(chunks)
    with pytest.raises(StreamInterruptedError):
        async with aclosing(chunks) as rest:
            _ = [chunk async for chunk in rest]
    with running(port) as second:
        second.api_token = token
        assert (await model.ainvoke(PROMPT)).text
