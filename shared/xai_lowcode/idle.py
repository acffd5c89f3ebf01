"""What both kinds of connections share: how many, how long, their stack, and their requests."""

from collections import deque
from time import monotonic
from typing import Any, Generic, TypeVar

import httpx

# The gateway closes idle connections after 5 s; a connection kept longer would be found closed.
KEEPALIVE_SECONDS = 4.0
MOST = 1000
"""Connections at one time; more calls wait for one."""

# A stream says that it is complete before its connection does. To open another one takes longer
# than to wait for that; what does not end then is given up.
PATIENCE = 0.02
LONGEST_REST = 1 << 16

C = TypeVar("C")


class Idle(Generic[C]):
    """Idle connections of each origin, the one used last on top."""

    __slots__ = ("_stacks",)

    def __init__(self) -> None:
        self._stacks: dict[Any, deque[tuple[float, C]]] = {}

    def put(self, origin: Any, connection: C) -> list[C]:
        """Takes a connection that is no longer needed; gives those that lay for too long."""
        stack, now = self._stacks.setdefault(_key(origin), deque()), monotonic()
        stack.append((now + KEEPALIVE_SECONDS, connection))
        old = []
        while stack and stack[0][0] < now:
            old.append(stack.popleft()[1])
        return old

    def take(self, origin: Any) -> C | None:
        """The connection used last; None if there is none."""
        try:
            return self._stacks[_key(origin)].pop()[1]
        except (KeyError, IndexError):
            return None

    def clear(self) -> None:
        """Forgets them all."""
        self._stacks.clear()


def _key(origin: Any) -> tuple[Any, ...]:
    return origin.scheme, origin.host, origin.port


def build_request(
    method: str, url: httpx.URL, *, timeout: httpx.Timeout, extensions: dict[str, Any], **more: Any
) -> httpx.Request:
    """A request with nothing but what it is given, as ``httpx.Client.build_request`` is asked.

    Its probe is told of the connection, instead of being told each step by httpcore.
    """
    extensions["timeout"], extensions["probe"] = timeout.as_dict(), extensions.pop("trace")
    return httpx.Request(method, url, extensions=extensions, **more)


def tell(request: Any, *, fresh: bool) -> None:
    """Tells the probe of a request whether its connection is a new one."""
    probe = request.extensions.get("probe")
    if probe is not None:
        probe.seen, probe.fresh = True, fresh
