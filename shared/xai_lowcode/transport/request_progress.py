"""How far a request has come on its connection: what a decision to send it again rests on."""

from time import monotonic

# A timeout of 0 would make a socket non-blocking.
_SHORTEST_TIMEOUT = 0.001


class RequestProgress:
    """How far one request has come on its connection.

    Attributes:
        method: The request's method and a space, with which its head begins.
        deadline: Monotonic time at which reading and writing end; None for no limit.
        monitored: Whether the connection keeps this record, unlike one of a client that was given.
        proxy: Host and port of the proxy in use, for messages; None for none.
        connection_reused: Whether an earlier request used the connection.
        sent: Whether any of the request was handed to the network.
        last_write: Monotonic time of the last write.
        bytes_received: Bytes of the response so far, its head included.
    """

    __slots__ = (
        "bytes_received",
        "connection_reused",
        "deadline",
        "last_write",
        "method",
        "monitored",
        "proxy",
        "sent",
    )

    def __init__(self, method: str, within: float | None = None) -> None:
        self.method = method.encode("ascii") + b" "
        self.deadline = None if within is None else monotonic() + within
        self.proxy: str | None = None
        self.monitored = self.connection_reused = self.sent = False
        self.last_write = 0.0
        self.bytes_received = 0

    def cap(self, timeout: float | None) -> float | None:
        """Return the timeout, or the time left until the deadline if that is shorter."""
        if self.deadline is None:
            return timeout
        left = max(self.deadline - monotonic(), _SHORTEST_TIMEOUT)
        return left if timeout is None else min(timeout, left)
