"""Progress of a request on its connection, from which its retries are decided."""

from time import monotonic

# A timeout of 0 would make a socket non-blocking.
_MIN_TIMEOUT = 0.001


class RequestProgress:
    """Progress of one request on its connection.

    Args:
        method: The HTTP method.
        timeout: Seconds from now until the deadline; None for no limit.

    Attributes:
        method: The HTTP method and a space: the first bytes of the request.
        deadline: Monotonic time at which reading and writing time out; None for no limit.
        monitored: Whether the connection updates this object; False for a custom ``http_client``.
        proxy: Host and port of the proxy in use, for messages; None for none.
        connection_reused: Whether an earlier request used the connection.
        sent: Whether any bytes of the request were written.
        last_write: Monotonic time of the last write.
        bytes_received: Bytes of the response received so far, including its head.
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

    def __init__(self, method: str, timeout: float | None = None) -> None:
        self.method = method.encode("ascii") + b" "
        self.deadline = None if timeout is None else monotonic() + timeout
        self.proxy: str | None = None
        self.monitored = self.connection_reused = self.sent = False
        self.last_write = 0.0
        self.bytes_received = 0

    def cap(self, timeout: float | None) -> float | None:
        """Return the smaller one of a timeout and the seconds left until the deadline."""
        if self.deadline is None:
            return timeout
        remaining = max(self.deadline - monotonic(), _MIN_TIMEOUT)
        return remaining if timeout is None else min(timeout, remaining)
