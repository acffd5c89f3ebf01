"""Places among the requests in flight, and the queue for them, of threads and coroutines alike.

Everything rests on single operations of lists and deques, which are atomic, and on no lock: a
garbage collector that closes a half-read stream may call ``leave`` at any moment, within any of
these methods too, and a fork leaves no lock closed.
"""

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any


class Place:
    """A place among the requests in flight, held or waited for."""

    __slots__ = ("_gone", "_held", "_room", "_wake")

    def __init__(self, room: "Room | None", wake: Callable[[], Any] | None = None) -> None:
        self._room = room
        self._wake = wake
        self._held: list[None] = []
        self._gone = False

    def take(self) -> bool:
        """Takes a free place, if there is one and nobody waits."""
        room = self._room
        if room is None:
            return True
        if room.waiting:
            return False
        try:
            self._held.append(room.free.pop())
        except IndexError:
            return False
        return True

    def queue(self) -> None:
        """Waits in line; ``wake`` is called when the place is held."""
        if self._room is not None:
            self._room.waiting.append(self)
            self._room.serve()

    def receive(self) -> bool:
        """Is given a place after waiting; whether there was still somebody to take it."""
        self._held.append(None)
        try:
            if self._wake is not None:
                self._wake()
        except RuntimeError:  # the event loop that waited was closed
            self._gone = True
        return not (self._gone and self._let_go())

    def leave(self) -> None:
        """Gives the place to whoever waited longest; more than once does no harm."""
        self._gone = True
        if self._room is not None and self._let_go():
            self._room.free.append(None)
            self._room.serve()

    def withdraw(self) -> None:
        """Waits no longer."""
        if self._room is not None:
            with contextlib.suppress(ValueError):
                self._room.waiting.remove(self)
        self.leave()

    def _let_go(self) -> bool:
        try:
            self._held.pop()
        except IndexError:
            return False
        return True


class Room:
    """The places of one process, and who waits for one, in order."""

    __slots__ = ("free", "waiting")

    def __init__(self, number: int) -> None:
        self.free: deque[None] = deque([None] * number)
        self.waiting: deque[Place] = deque()

    def serve(self) -> None:
        """Gives free places to those who wait.

        Whoever adds a place or somebody who waits calls it afterwards, so one of them sees both.
        """
        while self.free and self.waiting:
            try:
                free = self.free.pop()
            except IndexError:
                continue
            try:
                served = self.waiting.popleft().receive()
            except IndexError:
                served = False
            if not served:
                self.free.append(free)


NOWHERE = Place(None)
"""For a request that needs no place."""
