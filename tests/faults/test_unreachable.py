"""Gateways that cannot be reached, that come to no body, that are huge, or that die in between."""

import asyncio
import inspect
import socket
import time
from contextlib import aclosing
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from tests.faults.interfaces import DEADLINE, INTERFACES, Interface
from tests.faults.outcomes import Right, expected, outcome
from tests.faults.prompt import PROMPT
from tests.faults.resource_leaks import no_resource_leaks
from tests.faults.servers import dripping_head, refusing, unknown, unresolved, untrusted
from xai_lowcode.emulator import CutBytes, Emulator, Huge, SlowDrip, running
from xai_lowcode.errors import APITimeoutError, StreamInterruptedError

TOKEN = "at_r" + "0" * 32
FIRST_REQUESTS = [interface for interface in INTERFACES if interface.meets == 1]
LASTS = SlowDrip(0.05)
STREAMS = [interface for interface in INTERFACES if interface.kind == "stream"]
ASKED = [interface for interface in INTERFACES if interface.kind in {"plain", "stream"}]


@pytest.mark.parametrize(
    ("place", "word"), [(refusing, "line"), (unknown, "line"), (untrusted, "trust")]
)
def test_who_cannot_be_reached_is_an_error_of_the_line(place: Any, word: str) -> None:
    """No listener, no such host: nothing was sent, which is worth a repetition; no trust is not."""
    with place() as address:
        for interface in FIRST_REQUESTS:
            with no_resource_leaks():
                came = outcome(interface, api_token=TOKEN, base_url=address, deadline=DEADLINE)
            assert came == expected(word, interface), interface.name


@pytest.mark.parametrize(
    "interface", [interface for interface in ASKED if inspect.iscoroutinefunction(interface.ask)]
)
def test_a_name_that_nobody_resolves_ends_with_the_deadline(interface: Interface) -> None:
    """The system's resolver goes on in its thread; the call does not wait for it.

    A sync call does: nothing can interrupt the resolver.
    """
    options = {"api_token": TOKEN, "deadline": 0.2, "max_retries": 0}
    with no_resource_leaks(), asyncio.Runner() as runner, unresolved() as address:
        began = time.monotonic()
        with pytest.raises(APITimeoutError):
            runner.run(interface.aanswer(base_url=address, **options))
        assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("interface", ASKED)
def test_a_head_that_drips_ends_with_the_deadline(interface: Interface) -> None:
    """Each header is in time, and the answer never is."""
    began = time.monotonic()
    with no_resource_leaks(), dripping_head() as address:
        came = outcome(interface, api_token=TOKEN, base_url=address, deadline=0.5, timeout=30)
    assert came == expected("late", interface)
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("interface", ASKED[::3])
def test_a_hundred_megabytes_are_read(gateway: Emulator, interface: Interface) -> None:
    """An answer that is blown up with nothing is the right answer."""
    gateway.reset()
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url}
    right = interface.answer(**options)
    gateway.inject(Huge(100))
    with no_resource_leaks():
        assert interface.answer(**options, deadline=60.0) == right


def test_wherever_a_stream_is_cut_it_is_whole_or_an_error(gateway: Emulator) -> None:
    """At every place of its bytes; what was received is never passed off as the answer."""
    gateway.reset()
    options = {"api_token": gateway.api_token, "base_url": gateway.base_url, "deadline": 30.0}
    right, seen = STREAMS[0].answer(**options), set()
    for number, place in enumerate(range(0, 27000, 293)):
        interface = STREAMS[number % len(STREAMS)]
        gateway.inject(CutBytes(place))
        came = outcome(interface, **options)
        assert came in (Right(right), expected("cut", interface)), (place, came)
        seen.add(type(came))
    assert len(seen) == 2
    assert len(gateway.requests) == number + 2


@pytest.mark.parametrize("twin", [False, True])
def test_a_gateway_that_is_started_anew_is_found_again(twin: bool) -> None:
    """It dies in the middle of a stream; the same model goes on with the one that follows."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with no_resource_leaks():
        asyncio.run(_outlived(port)) if twin else _outlive(port)


def _model(gateway: Emulator) -> ChatXAILowCode:
    return ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, max_retries=0)


def _outlive(port: int) -> None:
    with running(port) as first:
        model, token = _model(first), first.api_token
        first.inject(LASTS)
        pieces = model.stream(PROMPT)
        next(pieces)
    with pytest.raises(StreamInterruptedError):
        list(pieces)
    with running(port) as second:
        second.api_token = token
        assert model.invoke(PROMPT).text


async def _outlived(port: int) -> None:
    with running(port) as first:
        model, token = _model(first), first.api_token
        first.inject(LASTS)
        pieces = model.astream(PROMPT)
        await anext(pieces)
    with pytest.raises(StreamInterruptedError):
        async with aclosing(pieces) as rest:
            _ = [piece async for piece in rest]
    with running(port) as second:
        second.api_token = token
        assert (await model.ainvoke(PROMPT)).text
