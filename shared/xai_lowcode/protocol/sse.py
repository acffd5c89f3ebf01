"""Split a byte stream of server-sent events (SSE) into the data of its events.

Works on bytes throughout: a text decoder that splits lines at U+2028 would tear JSON apart, and
half a character at the end of a chunk of bytes is left for the JSON parser. Event names are
dropped, since the data repeats them as ``type``, except for ``error``: services send such an event
with data that does not look like an error. Its name stays before its data, as a line that makes it
no JSON, so that nothing need be asked of any other event.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

ERROR_EVENT_PREFIX = b"event: error"
"""What the data of an event begins with whose name is ``error``; all of it, if it has no data."""

_ERROR_LINES = (ERROR_EVENT_PREFIX, b"event:error")


class SSEDecoder:
    r"""Takes bytes in chunks of any size, returns the data of the events that are complete.

    Example:
        >>> cutter = EventCutter()
        >>> cutter.feed(b"data: {}\n") + cutter.feed(b"\ndata: [DO")
        [b'{}']
        >>> cutter.feed(b"NE]\n\n")
        [b'[DONE]']
        >>> cutter.feed(b"event: error\ndata: {}\n\n")
        [b'event: error\n{}']
    """

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._data: list[bytes] = []
        self._first_line = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes and return the data of the events they complete."""
        if self._after_cr or b"\r" in piece:
            piece = self._with_plain_newlines(piece)
        lines = piece.split(b"\n")
        self._unfinished.append(lines[0])
        if len(lines) == 1:
            return []
        lines[0] = b"".join(self._unfinished)
        self._unfinished = [lines.pop()]
        if self._first_line:
            self._first_line = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return self._take(lines)

    def close(self) -> list[bytes]:
        """Return the data that was left without its closing blank line; the stream has ended."""
        return self.feed(b"\n\n")

    def _with_plain_newlines(self, piece: bytes) -> bytes:
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return piece

    def _take(self, lines: list[bytes]) -> list[bytes]:
        data, complete = self._data, []
        for line in lines:
            if not line:
                if data:
                    complete.append(b"\n".join(data))
                    data.clear()
            elif (begin := line[:6]) == b"data: ":
                data.append(line[6:])
            elif begin == b"event:":
                if line in _ERROR_LINES and data[:1] != [ERROR_EVENT_PREFIX]:
                    data.insert(0, ERROR_EVENT_PREFIX)
            elif begin[:5] == b"data:":
                data.append(line[5:])
        return complete
