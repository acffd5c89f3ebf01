"""Until when a connection may take, and its end by somebody who does not use it."""

import socket
from contextlib import suppress
from time import monotonic
from typing import Any

# Zero would mean not to wait for what the system has received already.
_SOON = 0.001


class Due:
    """The moment by which a connection must be done with what it does, however often it waits.

    A time-out is for one wait, and bytes that drip in begin a new one each time.
    """

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end: float | None = None

    def within(self, seconds: float | None) -> None:
        """Sets the moment, so many seconds from now; None for no limit."""
        self._end = None if seconds is None else monotonic() + seconds

    def cap(self, timeout: float | None) -> float | None:
        """Seconds that the next wait may take."""
        if self._end is None:
            return timeout
        left = max(self._end - monotonic(), _SOON)
        return left if timeout is None else min(timeout, left)


class SharedDue(Due):
    """The same of a connection that another thread may end; entered while the system is waited for.

    Attributes:
        socket: The connection's socket, once there is one.
    """

    __slots__ = ("_waits", "socket")

    def __init__(self) -> None:
        super().__init__()
        self.socket: Any = None
        self._waits = False

    def __enter__(self) -> None:
        self._waits = True

    def __exit__(self, *_exception: object) -> None:
        self._waits = False

    def end(self) -> bool:
        """Ends the connection for whoever waits for it; whether it is left to be closed.

        A socket must not be closed while a thread waits for it: that thread would not be woken, and
        the next socket to be opened might get its number.
        """
        if self.socket is not None:
            with suppress(OSError):
                # Past TLS, which would say goodbye first.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        return not self._waits
