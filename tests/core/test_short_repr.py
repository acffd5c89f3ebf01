"""Reprs of parts with large values are short."""

import copy
import pickle

from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.types.messages import FilePart, ImagePart, Message, ToolResultPart

LONGEST = 600
short = st.none() | st.text(st.characters(codec="ascii"), max_size=120)


@given(short, short, short)
def test_the_repr_of_short_parts(url: str, name: str, data: str) -> None:
    """Evaluating the repr gives an equal part."""
    for part in (ImagePart(url, name, data), FilePart(url, name, data, None, name)):
        assert eval(repr(part)) == part  # noqa: S307 - the repr is an expression
        assert pickle.loads(pickle.dumps(part)) == copy.copy(part) == part  # noqa: S301 - just written
        assert not hasattr(part, "__dict__")


@given(st.integers(1, 3_000_000))
def test_the_repr_of_long_parts(length: int) -> None:
    """The repr of long data is one line with its length, also inside other objects."""
    content = "x" * length
    for part in (ImagePart(content), FilePart(content), FilePart(data=content)):
        result = ToolResultPart("call", (part,))
        for text in (repr(part), repr(Message("user", (part,))), repr(result)):
            assert len(text) < LONGEST
            assert (f"({length:,} characters)" in text) is (length > 120)


@given(st.text(max_size=400))
def test_long_strings_are_truncated(text: str) -> None:
    """A long string is replaced by its beginning and its length."""
    truncated = truncate(text)
    assert (
        truncated == text
        if len(text) <= 120
        else truncated == f"{text[:120]}… ({len(text)} characters)"
    )
