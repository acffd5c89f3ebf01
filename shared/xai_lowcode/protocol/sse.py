"""Split a byte stream of server-sent events (SSE) into the data of its events.

Decodes bytes, since ``str.splitlines`` would split JSON at U+2028, and a chunk may end inside a
character. Event names are dropped, since the data repeats them as ``type``. The exception is
``error``: the data of such an event may not look like an error, so it is prefixed with
``ERROR_EVENT_PREFIX``.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

ERROR_EVENT_PREFIX = b"event: error"
"""First line of the data of an ``error`` event; it makes the data invalid JSON."""

_ERROR_LINES = (ERROR_EVENT_PREFIX, b"event:error")


class SSEDecoder:
    r"""Decodes a stream in chunks of any size into the data of its events.

    Example:
        >>> decoder = SSEDecoder()
        >>> decoder.feed(b"data: {}\n") + decoder.feed(b"\ndata: [DO")
        [b'{}']
        >>> decoder.feed(b"NE]\n\n")
        [b'[DONE]']
        >>> decoder.feed(b"event: error\ndata: {}\n\n")
        [b'event: error\n{}']
    """

    def __init__(self) -> None:
        self._partial_line: list[bytes] = []
        self._data: list[bytes] = []
        self._first_line = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add bytes, and return the data of the events that they complete."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._normalize_newlines(chunk)
        lines = chunk.split(b"\n")
        self._partial_line.append(lines[0])
        if len(lines) == 1:
            return []
        lines[0] = b"".join(self._partial_line)
        self._partial_line = [lines.pop()]
        if self._first_line:
            self._first_line = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return self._parse_lines(lines)

    def close(self) -> list[bytes]:
        """End the stream, and return the data of an event without its final blank line."""
        return self.feed(b"\n\n")

    def _normalize_newlines(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _parse_lines(self, lines: list[bytes]) -> list[bytes]:
        data, complete = self._data, []
        for line in lines:
            if not line:
                if data:
                    complete.append(b"\n".join(data))
                    data.clear()
            elif (start := line[:6]) == b"data: ":
                data.append(line[6:])
            elif start == b"event:":
                if line in _ERROR_LINES and data[:1] != [ERROR_EVENT_PREFIX]:
                    data.insert(0, ERROR_EVENT_PREFIX)
            elif start[:5] == b"data:":
                data.append(line[5:])
        return complete
