"""The bytes of a response never reach the next call on its connection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.fuzz import scripted_network
from tests.fuzz.scripted_network import check_two_calls
from xai_lowcode.errors import APIConnectionError, XAILowCodeError

pytestmark = pytest.mark.slow

BODY = scripted_network.BODY % b"first"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
RESPONSES = {
    "content-length": HEAD % len(BODY) + BODY,
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(BODY), BODY),
    "until the end": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + BODY,
    "after a 102": b"HTTP/1.1 102 Processing\r\n\r\n" + HEAD % len(BODY) + BODY,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY,
}
FOREIGN_RESPONSE = HEAD % 31 + scripted_network.BODY % b"somebody"
TRAILING_BYTES = [
    b"",
    b"\r\n",
    b"x",
    FOREIGN_RESPONSE,
    FOREIGN_RESPONSE[:20],
    b"0\r\n\r\n",
    FOREIGN_RESPONSE * 3000,
]


@for_each("framing", [*RESPONSES])
@for_each("ends", [False, True])
def test_trailing_bytes_are_discarded(framing: str, ends: bool) -> None:
    """Bytes after a response reach no call, in the same chunk or in another one."""
    whole = RESPONSES[framing]
    delimited_by_end = framing == "until the end"
    for trailing in TRAILING_BYTES:
        for offset in (0, 1, 20, len(whole) - 1, len(whole)):
            for chunks in (
                [whole[:offset], whole[offset:] + trailing],
                [whole[:offset], whole[offset:], trailing],
            ):
                first = check_two_calls(chunks, ends=ends)
                if delimited_by_end and (trailing.strip() or not ends):
                    assert isinstance(first, XAILowCodeError)
                else:
                    assert first == json.loads(BODY), (trailing[:30], chunks)


@for_each("framing", [*RESPONSES])
@for_each("ends", [False, True])
def test_an_interrupted_response_is_an_error_and_not_retried(framing: str, ends: bool) -> None:
    """A response that is cut at any byte raises, also if the connection stays open."""
    whole = RESPONSES[framing]
    for offset in range(len(whole)):
        first = check_two_calls([whole[:offset]], ends=ends)
        assert isinstance(first, XAILowCodeError)
        if isinstance(first, APIConnectionError):
            assert first.response_started == (offset > 0), offset
        else:
            # A body that is delimited by the end of the connection may end anywhere.
            assert framing == "until the end"


INVALID_HEADERS = st.sampled_from(
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
        FOREIGN_RESPONSE,
    ]
)


@given(
    st.lists(st.one_of(INVALID_HEADERS, st.binary(max_size=20)), max_size=12),
    st.lists(st.integers(0, 400), max_size=4),
    st.booleans(),
)
def test_no_bytes_affect_the_next_call(parts: list[bytes], cuts: list[int], ends: bool) -> None:
    """Any bytes in any chunks give a response or a documented error; the next call succeeds."""
    content, chunks, last = b"".join(parts), [], 0
    for cut in [*sorted(cuts), len(content)]:
        chunks.append(content[last:cut])
        last = max(cut, last)
    check_two_calls(chunks, ends=ends)
