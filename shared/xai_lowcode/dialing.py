"""Opening sockets from an event loop: to the address that answers first, and none is lost.

asyncio races addresses too, but loses the winner's socket if its caller is cancelled just then.
"""

import asyncio
import socket
from asyncio.staggered import staggered_race
from functools import partial
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


async def _addresses(host: str, port: int) -> list[Any]:
    try:
        # Numbers are read without a thread.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=_NUMERIC)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


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
