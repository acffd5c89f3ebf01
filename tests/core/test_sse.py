"""Law: any cut of the bytes of a stream gives the same events, and reading it is linear work."""

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

texts = st.builds(
    lambda bom, lines, tail: bom + b"".join(line + end for line, end in lines) + tail,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12),
    st.sampled_from([b"", b"data: left", b"\xf0\x9f", b"\r"]),
)
places = st.lists(st.integers(0, 300), max_size=20)


def cut(text: bytes, where: list[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in where if place <= len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def read(pieces: list[bytes]) -> list[bytes]:
    cutter = SSEDecoder()
    return [event for piece in pieces for event in cutter.feed(piece)] + cutter.close()


def simple(text: bytes) -> list[bytes]:
    """The same by the shortest way to say it, for a text that is there as a whole."""
    plain = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
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
@given(texts, places)
def test_any_cut_gives_the_events_of_the_whole(text: bytes, where: list[int]) -> None:
    """However the bytes arrive, the events are those that the whole text spells."""
    assert read(cut(text, where)) == simple(text)


@given(
    st.binary(max_size=60).map(
        lambda raw: raw.translate(bytes(b"dat: \r\n"[i % 7] for i in range(256)))
    ),
    places,
)
def test_noise_is_cut_like_anything_else(text: bytes, where: list[int]) -> None:
    """Bytes without sense, of nothing but signs that mean something, are read alike in any cut."""
    assert read(cut(text, where)) == simple(text)


def test_every_short_text_at_every_place() -> None:
    """All texts of five signs, cut at every single place, give the same events."""
    for signs in product((b"data:x", b"\r", b"\n", b":"), repeat=5):
        text = b"".join(signs)
        for place in range(len(text) + 1):
            assert read([text[:place], text[place:]]) == simple(text)


def test_byte_by_byte_of_a_utf8_stream() -> None:
    """Half characters, U+2028 and U+0085 inside JSON are nobody's line ends."""
    text = 'data: {"a":"é\u2028\u0085😀"}\r\n\r\ndata: [DONE]\n\n'.encode()
    pieces = [text[i : i + 1] for i in range(len(text))]
    assert read(pieces) == ['{"a":"é\u2028\u0085😀"}'.encode(), b"[DONE]"]


def test_closing_twice_says_nothing_new() -> None:
    """The end of the bytes completes what was left once, and never again."""
    cutter = SSEDecoder()
    cutter.feed(b"data: left")
    assert cutter.close() == [b"left"]
    assert cutter.close() == []


def test_an_error_event_is_told_from_others_by_its_name() -> None:
    """The name may stand before or behind the data, or alone; other names are dropped."""
    for text in (b"event: error\ndata: x\n\n", b"data: x\nevent:error\n\n"):
        assert read([text + b"data: y\n\n"]) == [b"event: error\nx", b"y"]
    assert read([b"event: error\n\n"]) == [b"event: error"]
    assert read([b"event: message\ndata: x\n\nevent: ping\n\n"]) == [b"x"]


class Counting(bytes):
    """Bytes that count how much of them is searched."""

    searched = 0

    def split(self, *args: object) -> list[bytes]:
        Counting.searched += len(self)
        return super().split(*args)  # type: ignore[arg-type]


def test_many_tiny_pieces_are_linear_work() -> None:
    """Each byte of a long event is searched once, however tiny the pieces it comes in."""
    size = 20_000
    cutter = SSEDecoder()
    Counting.searched = 0
    for _ in range(size):
        assert cutter.feed(Counting(b"x")) == []
    assert Counting.searched == size
    # Nothing is joined before the line is complete: the pieces lie as they came.
    assert sum(map(len, cutter._partial_line)) == size
    assert all(len(piece) <= 1 for piece in cutter._partial_line)
    assert cutter.feed(b"\n") == []
    assert len(cutter._partial_line) == 1
