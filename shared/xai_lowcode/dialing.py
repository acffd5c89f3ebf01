"""Names to addresses, and sockets to them: in time, to the one that answers first, and none lost.

The system's resolver cannot be interrupted, so whoever has a deadline leaves it to a thread.
asyncio races addresses too, but loses the winner's socket if its caller is cancelled just then.
"""

import asyncio
import socket
from asyncio.staggered import staggered_race
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

# Seconds before the next address of a host is tried as well.
_DELAY = 0.25
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


async def dial(host: str, port: int) -> socket.socket:
    """A connected socket.

    Raises:
        OSError: There is no such host, or none of its addresses answers.
    """
    connected: list[socket.socket] = []
    found = await _addresses(host, port)
    winner: socket.socket | None = None
    try:
        attempts = [partial(_dial, address, connected) for address in found]
        winner, _, failures = await staggered_race(attempts, _DELAY)
    finally:
        for each in connected:
            if each is not winner:
                each.close()
    if winner is None:
        raise next(failure for failure in failures if failure is not None)
    return winner


def addresses_within(host: str, port: int, seconds: float) -> list[Any]:
    """The addresses of a host, as ``getaddrinfo`` gives them.

    Raises:
        TimeoutError: The system did not find them in time.
        OSError: There is no such host.
    """
    found = _numbers(host, port)
    if found is None:
        told: SimpleQueue[Any] = SimpleQueue()
        _look_up(host, port, told.put)
        try:
            found = told.get(timeout=seconds)
        except Empty:
            raise TimeoutError("the address of the host was not found in time") from None
    return _checked(found)


async def _addresses(host: str, port: int) -> list[Any]:
    found = _numbers(host, port)
    if found is None:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Any] = loop.create_future()

        def tell(what: Any) -> None:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(_settle, told, what)

        _look_up(host, port, tell)
        found = await told
    return _checked(found)


def _numbers(host: str, port: int) -> list[Any] | None:
    """An address that is written in numbers, which takes no time; None for a name."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=_NUMERIC)
    except socket.gaierror:
        return None


def _look_up(host: str, port: int, tell: Callable[[Any], None]) -> None:
    """Looks a name up in a thread, and tells the addresses, or what was wrong.

    Neither a caller that has given up, nor a loop or an interpreter that ends, waits for it.
    """

    def look() -> None:
        try:
            tell(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - raised where the addresses are waited for
            tell(error)

    Thread(target=look, name="xai-lowcode name lookup", daemon=True).start()


def _checked(found: Any) -> list[Any]:
    if isinstance(found, Exception):
        raise found
    return list(found)


def _settle(told: asyncio.Future[Any], what: Any) -> None:
    if not told.done():
        told.set_result(what)


async def _dial(address: Any, connected: list[socket.socket]) -> socket.socket:
    family, kind, protocol, _, place = address
    opening = socket.socket(family, kind, protocol)
    try:
        opening.settimeout(0)
        await asyncio.get_running_loop().sock_connect(opening, place)
    except BaseException:
        opening.close()
        raise
    connected.append(opening)
    return opening
