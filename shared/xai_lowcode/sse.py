"""Cuts a byte stream of server-sent events into the data of its events, however the bytes arrive.

Works on bytes throughout: a text decoder that splits lines at U+2028 would tear JSON apart, and
half a character at the end of a piece is nobody's business but JSON's. Event names are passed over:
where xAI sends them, the data repeats them as ``type``.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventCutter:
    r"""Takes pieces of any size, gives the data of the events that are complete.

    Example:
        >>> cutter = EventCutter()
        >>> cutter.feed(b"data: {}\n") + cutter.feed(b"\ndata: [DO")
        [b'{}']
        >>> cutter.feed(b"NE]\n\n")
        [b'[DONE]']
    """

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._data: list[bytes] = []
        self._first_line = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Takes the next bytes and returns the data of the events they complete."""
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
        """Returns the data that was left without its closing blank line; the stream has ended."""
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
            elif line[:6] == b"data: ":
                data.append(line[6:])
            elif line[:5] == b"data:":
                data.append(line[5:])
        return complete
