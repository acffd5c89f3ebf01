"""Laws of the bytes of a connection: no response, or part of one, reaches the call after it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import scripted_network
from tests.fuzz.scripted_network import check
from xai_lowcode.errors import APIConnectionError, XAILowCodeError

pytestmark = pytest.mark.slow

BODY = scripted_network.BODY % b"first"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
WHOLE = {
    "content-length": HEAD % len(BODY) + BODY,
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(BODY), BODY),
    "until the end": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + BODY,
    "after a 102": b"HTTP/1.1 102 Processing\r\n\r\n" + HEAD % len(BODY) + BODY,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY,
}
POISON = HEAD % 31 + scripted_network.BODY % b"somebody"
AFTER = [b"", b"\r\n", b"x", POISON, POISON[:20], b"0\r\n\r\n", POISON * 3000]


@pytest.mark.parametrize("framing", WHOLE)
@pytest.mark.parametrize("ends", [False, True])
def test_what_follows_a_response_reaches_nobody(framing: str, ends: bool) -> None:
    """In the same chunk as its end, or in one of its own, wherever the response is cut."""
    whole = WHOLE[framing]
    reads_to_the_end = framing == "until the end"
    for after in AFTER:
        for place in (0, 1, 20, len(whole) - 1, len(whole)):
            for chunks in (
                [whole[:place], whole[place:] + after],
                [whole[:place], whole[place:], after],
            ):
                first = check(chunks, ends=ends)
                if reads_to_the_end and (after.strip() or not ends):
                    assert isinstance(first, XAILowCodeError)
                else:
                    assert first == json.loads(BODY), (after[:30], chunks)


@pytest.mark.parametrize("framing", WHOLE)
@pytest.mark.parametrize("ends", [False, True])
def test_a_response_that_is_cut_is_an_error_and_not_repeated(framing: str, ends: bool) -> None:
    """At every byte of it, also where the server sends nothing more."""
    whole = WHOLE[framing]
    for place in range(len(whole)):
        first = check([whole[:place]], ends=ends)
        assert isinstance(first, XAILowCodeError)
        if isinstance(first, APIConnectionError):
            assert first.response_started == (place > 0), place
        else:
            # A body that only the end of the connection ends is complete wherever that is.
            assert framing == "until the end"


ODD_HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 \r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n",
        b"HTTP/2 200\r\n",
        b"HTTP/1.1 999 ?\r\n",
        b"content-length: 5\r\n",
        b"content-length: -1\r\n",
        b"content-length: 5, 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"content-encoding: br\r\n",
        b"connection: close\r\n",
        b" folded\r\n",
        b"no colon\r\n",
        b"x: \xff\x00\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nabcde\r\n",
        b"0\r\n\r\n",
        b"0\r\ntrailer: x\r\n\r\n",
        b"ffffffffffffffffffff\r\n",
        b'{"a":1}',
        POISON,
    ]
)


@given(
    st.lists(st.one_of(ODD_HEADS, st.binary(max_size=20)), max_size=12),
    st.lists(st.integers(0, 400), max_size=4),
    st.booleans(),
)
def test_no_bytes_break_the_call_after_them(
    parts: list[bytes], cuts: list[int], ends: bool
) -> None:
    """Whatever arrives, cut anywhere: an error of ours or a response; and then the own one."""
    content, chunks, last = b"".join(parts), [], 0
    for cut in [*sorted(cuts), len(content)]:
        chunks.append(content[last:cut])
        last = max(cut, last)
    check(chunks, ends=ends)
