"""Law: what JSON can say is written and read back; what it cannot say is named by its place."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode._internal import json as codec
from xai_lowcode.errors import UsageError

texts = st.text(st.characters(codec="utf-8"), max_size=6)
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
UNWRITABLE: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    "\ud800",
    "a\udfffb",
    b"bytes",
    {1, 2},
    object(),
    2**64,
    1j,
    range(3),
]


@given(documents)
def test_round_trip(document: Any) -> None:
    """Written and read, a document is the same; the standard library reads the same."""
    written = codec.dumps(document)
    assert codec.loads(written) == document
    assert json.loads(written) == document


places = st.lists(st.sampled_from(["a", "b", 0, 1]), max_size=6)


def buried(value: Any, path: list[str | int]) -> tuple[Any, str]:
    """A document with the value at the path, beside harmless ones; and the path as it is named."""
    for step in reversed(path):
        if isinstance(step, int):
            value = [*[None] * step, value, "after"]
        else:
            value = {"x": 1.5, "n": None, step: value, "z": ["é"]}
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return value, name.removeprefix(".") or "request body"


@pytest.mark.parametrize("value", UNWRITABLE, ids=lambda value: ascii(value).partition(" at ")[0])
@given(path=places)
def test_the_place_of_what_cannot_be_written_is_named(value: Any, path: list[str | int]) -> None:
    """Wherever it is buried, a value without a JSON form is refused, naming its place."""
    document, name = buried(value, path)
    with pytest.raises(UsageError) as refusal:
        codec.dumps(document)
    assert refusal.value.field == name
    assert str(refusal.value).startswith(f"{name}: ")


@pytest.mark.parametrize("key", [1, None, 1.5, b"k", ("t",), "\ud800"], ids=repr)
@given(path=places)
def test_the_place_of_a_key_that_is_no_text_is_named(key: Any, path: list[str | int]) -> None:
    """A key that JSON cannot have is refused, naming the object it is in and the key."""
    document, name = buried({key: 1}, path)
    with pytest.raises(UsageError) as refusal:
        codec.dumps(document)
    assert refusal.value.field == (f"{name}.{key}" if path else str(key))


@pytest.mark.parametrize("depth", [200, 1_000, 100_000])
@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}], ids=["lists", "dicts"])
def test_depth_is_written_or_refused(depth: int, wrap: Any) -> None:
    """However deep a document is, it is written, or refused with the place where it is too deep."""
    document: Any = 1
    for _ in range(depth):
        document = wrap(document)
    refusal: UsageError | None = None
    try:
        assert len(codec.dumps(document)) > depth
    except UsageError as error:
        refusal = error
    assert (refusal is None) == (depth < codec.MAX_WRITE_DEPTH)
    assert (
        refusal is None
        or (refusal.field or "").count("a") + (refusal.field or "").count("[") == 254
    )


def test_a_document_that_holds_itself_is_refused() -> None:
    """A list or dict inside itself is refused as too deep."""
    knot: list[Any] = []
    knot.append({"again": knot})
    with pytest.raises(UsageError) as refusal:
        codec.dumps({"messages": knot})
    assert (refusal.value.field or "").startswith("messages[0].again")


def test_null_beside_numbers_is_no_fault() -> None:
    """A given None is written as null, and is not taken for a NaN."""
    assert codec.dumps({"a": None, "b": 1.5, "null": "null"}) == b'{"a":null,"b":1.5,"null":"null"}'


# What opens and what closes so many levels, with brackets in texts among them.
LEVELS = [("[", "]", 1), ('{"a":', "}", 1), ('["[{",{"]":"}","b":', "},1]", 2)]


@pytest.mark.parametrize("given_as", [str, str.encode, bytearray, memoryview])
@pytest.mark.parametrize(("begin", "end", "levels"), LEVELS)
@pytest.mark.parametrize("times", [1, 50, 99, 100, 101, 199, 200, 201, 255, 1_023, 1_025, 100_000])
def test_what_is_nested_too_deeply_is_not_read(
    begin: str, end: str, levels: int, times: int, given_as: Any
) -> None:
    """Up to a depth everything is read, beyond it nothing, in the same way as what is no JSON."""
    text = begin * times + "1" + end * times
    content = given_as(text if given_as in {str, str.encode} else text.encode())
    readable = times * levels <= codec.MAX_READ_DEPTH
    try:
        document = codec.loads(content)
    except codec.JSONDecodeError:
        assert not readable
        return
    assert readable
    # There is room for what a request puts around it.
    assert codec.dumps({"messages": [{"content": [document]}]})


@pytest.mark.parametrize("item", ["[]", "{}", '"[["', "[[]]"])
def test_many_brackets_are_not_deep(item: str) -> None:
    """A long document that is flat is read, however many brackets it has."""
    assert len(codec.loads(f"[{','.join([item] * 10_000)}]")) == 10_000


@pytest.mark.parametrize(
    ("key", "name"), [(10**5_000, "an int"), ((10**5_000,), "a tuple")], ids=["int", "tuple"]
)
def test_a_key_that_cannot_be_printed_is_named_by_its_type(key: Any, name: str) -> None:
    """Python prints no integer of more than 4,300 digits; the place is named all the same."""
    with pytest.raises(UsageError) as refusal:
        codec.dumps({"a": {key: 1}})
    assert refusal.value.field == f"a.{name}"
