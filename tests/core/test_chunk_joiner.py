"""A chunked body is read with the same bytes, end and errors whether its chunks are joined or not.

No sockets are used: h11 parses a response that is split into two parts at every position.
"""

from typing import Any

import h11

from tests.cases import for_each
from xai_lowcode.transport.pool import _ChunkJoiner, _join_chunks

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\ndata:\r\n1\r\n \r\nc;name=value\r\n{}\n\ndata: {}\r\n"
BODIES = {
    "complete": CHUNKS + b"0\r\n\r\n",
    "without chunks": b"0\r\n\r\n",
    "with trailers": CHUNKS + b"0\r\nx-name: value\r\n\r\n",
    "with bytes after its end": CHUNKS + b"0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "truncated between chunks": CHUNKS,
    "truncated in a chunk": CHUNKS + b"9\r\nabc",
    "invalid size": CHUNKS + b"xyz\r\nabc\r\n0\r\n\r\n",
    "invalid end of a chunk": CHUNKS + b"1\r\nabc\r\n0\r\n\r\n",
    "invalid trailers": CHUNKS + b"0\r\n\x00\r\n\r\n",
}


class Connection:
    """A connection of httpcore with the attributes that ``_join_chunks`` uses."""

    def __init__(self) -> None:
        self._h11_state = h11.Connection(h11.CLIENT)
        request = h11.Request(method="GET", target="/", headers=[("host", "host")])
        self._h11_state.send(request)
        self._h11_state.send(h11.EndOfMessage())

    def read(self, parts: list[bytes], *, joined: bool) -> tuple[list[bytes], Any]:
        """Return the data of each event, and what ended the body."""
        state = self._h11_state
        parts = [HEAD, *parts, b""]
        data: list[bytes] = []
        while True:
            try:
                event = state.next_event()
            except h11.RemoteProtocolError as error:
                return data, str(error)
            if event is h11.NEED_DATA:
                state.receive_data(parts.pop(0))
            elif isinstance(event, h11.Response):
                if joined:
                    _join_chunks(self)
            elif isinstance(event, h11.Data):
                data.append(bytes(event.data))
            else:
                return data, (event, state.their_state, state.trailing_data)


@for_each("body", BODIES.values())
def test_joined_chunks_have_the_same_bytes_and_end(body: bytes) -> None:
    """Joined chunks of a body that is received in two parts have the same bytes and end."""
    for position in range(1, len(body)):
        parts = [body[:position], body[position:]]
        data, end = Connection().read(list(parts), joined=False)
        joined_data, joined_end = Connection().read(list(parts), joined=True)
        assert b"".join(joined_data) == b"".join(data)
        assert joined_end == end


def test_chunks_that_are_received_together_are_joined() -> None:
    """Chunks that are received together are joined, also before an error, without waiting."""
    text = b"data: {}\n\ndata: {}"
    for body in BODIES.values():
        if body.startswith(CHUNKS + b"0"):
            assert Connection().read([body], joined=True)[0] == [text]
    assert Connection().read([BODIES["invalid size"]], joined=True)[0] == [text]
    parts = [b"1\r\na\r\n1\r\nb\r\n", b"1\r\nc\r\n0\r\n\r\n"]
    assert Connection().read(parts, joined=True)[0] == [b"ab", b"c"]


def test_only_chunked_bodies_are_joined() -> None:
    """The reader of a body with a length is not replaced."""
    connection = Connection()
    state = connection._h11_state
    state.receive_data(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    state.next_event()
    _join_chunks(connection)
    assert not isinstance(state._reader, _ChunkJoiner)
