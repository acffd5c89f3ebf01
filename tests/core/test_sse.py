"""The SSE decoder: any split of the bytes gives the same events, in linear time."""

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from xai_lowcode.protocol.sse import SSEDecoder

LINES = [
    b"data: {}",
    b"data:x",
    b"data:  two",
    b"data:",
    b"data: \xe2\x80\xa8",
    b": ping",
    b"event: a",
    b"event: error",
    b"event:error",
    b"event: errors",
    b"id: 1",
    b"",
    b"",
    b"\xe2\x80\xa8data: no",
    b"data: \xf0\x9f\x98\x80",
    b"data",
    b" data: no",
]
ENDS = [b"\n", b"\r\n", b"\r"]

streams = st.builds(
    lambda bom, lines, tail: bom + b"".join(line + end for line, end in lines) + tail,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12),
    st.sampled_from([b"", b"data: left", b"\xf0\x9f", b"\r"]),
)
positions = st.lists(st.integers(0, 300), max_size=20)


def split(stream: bytes, positions: list[int]) -> list[bytes]:
    edges = [0, *sorted(position for position in positions if position <= len(stream)), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def decode(chunks: list[bytes]) -> list[bytes]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()


def decode_simply(stream: bytes) -> list[bytes]:
    """Decode a complete stream with a simple reference implementation."""
    plain = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    names: list[bytes] = []
    for line in [*plain.split(b"\n"), b""]:
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif line in {b"event:error", b"event: error"}:
            names = [b"event: error"]
        elif not line and (data or names):
            events.append(b"\n".join(names + data))
            data, names = [], []
    return events


@settings(max_examples=300)
@given(streams, positions)
def test_any_split_gives_the_same_events(stream: bytes, positions: list[int]) -> None:
    """The events do not depend on how the stream is split into chunks."""
    assert decode(split(stream, positions)) == decode_simply(stream)


@given(
    st.binary(max_size=60).map(
        lambda raw: raw.translate(bytes(b"dat: \r\n"[i % 7] for i in range(256)))
    ),
    positions,
)
def test_any_split_of_random_bytes_gives_the_same_events(
    stream: bytes, positions: list[int]
) -> None:
    """The same for random bytes of the characters that have a meaning in SSE."""
    assert decode(split(stream, positions)) == decode_simply(stream)


def test_every_short_stream_split_at_every_position() -> None:
    """All streams of five tokens, split at every position, give the same events."""
    for tokens in product((b"data:x", b"\r", b"\n", b":"), repeat=5):
        stream = b"".join(tokens)
        for position in range(len(stream) + 1):
            assert decode([stream[:position], stream[position:]]) == decode_simply(stream)


def test_a_utf8_stream_byte_by_byte() -> None:
    """Partial characters, U+2028 and U+0085 in JSON do not end a line."""
    stream = 'data: {"a":"é\u2028\u0085😀"}\r\n\r\ndata: [DONE]\n\n'.encode()
    chunks = [stream[i : i + 1] for i in range(len(stream))]
    assert decode(chunks) == ['{"a":"é\u2028\u0085😀"}'.encode(), b"[DONE]"]


def test_close_is_idempotent() -> None:
    """Only the first ``close`` returns the data of an unfinished event."""
    decoder = SSEDecoder()
    decoder.feed(b"data: left")
    assert decoder.close() == [b"left"]
    assert decoder.close() == []


def test_error_events_have_a_prefix() -> None:
    """The event name ``error`` is returned with, before or after data; others are dropped."""
    for stream in (b"event: error\ndata: x\n\n", b"data: x\nevent:error\n\n"):
        assert decode([stream + b"data: y\n\n"]) == [b"event: error\nx", b"y"]
    assert decode([b"event: error\n\n"]) == [b"event: error"]
    assert decode([b"event: message\ndata: x\n\nevent: ping\n\n"]) == [b"x"]


class Counting(bytes):
    """Bytes that count how much of them is searched."""

    searched = 0

    def split(self, *args: object) -> list[bytes]:
        Counting.searched += len(self)
        return super().split(*args)  # type: ignore[arg-type]


def test_many_small_chunks_take_linear_time() -> None:
    """Each byte of a long event is searched once."""
    size = 20_000
    decoder = SSEDecoder()
    Counting.searched = 0
    for _ in range(size):
        assert decoder.feed(Counting(b"x")) == []
    assert Counting.searched == size
    # The chunks are joined only when the line is complete.
    assert sum(map(len, decoder._partial_line)) == size
    assert all(len(chunk) <= 1 for chunk in decoder._partial_line)
    assert decoder.feed(b"\n") == []
    assert len(decoder._partial_line) == 1
