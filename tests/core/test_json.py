"""JSON encoding and decoding; errors name the path of the invalid value."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
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
    b"bytes",
    {1, 2},
    object(),
    10**5_000,
    1j,
    range(3),
]


@given(documents)
def test_round_trip(document: Any) -> None:
    """Decoding an encoded document gives the same document, also with the standard library."""
    written = codec.dumps(document)
    assert codec.loads(written) == document
    assert json.loads(written) == document


paths = st.lists(st.sampled_from(["a", "b", 0, 1]), max_size=6)


def nest(value: Any, path: list[str | int]) -> tuple[Any, str]:
    """Return a document with the value at the path, and the path as errors name it."""
    for step in reversed(path):
        if isinstance(step, int):
            value = [*[None] * step, value, "after"]
        else:
            value = {"x": 1.5, "n": None, step: value, "z": ["é"]}
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return value, name.removeprefix(".") or "request body"


@pytest.mark.parametrize("value", UNWRITABLE, ids=lambda value: type(value).__name__)
@given(path=paths)
def test_the_path_of_an_invalid_value(value: Any, path: list[str | int]) -> None:
    """A value that JSON cannot represent is rejected; the error contains its path."""
    document, name = nest(value, path)
    with pytest.raises(UsageError) as raised:
        codec.dumps(document)
    assert raised.value.field == name
    assert str(raised.value).startswith(f"{name}: ")


@pytest.mark.parametrize("key", [1, None, 1.5, b"k", ("t",)], ids=repr)
@given(path=paths)
def test_the_path_of_an_invalid_key(key: Any, path: list[str | int]) -> None:
    """A key that is not a string is rejected; the error contains the path and the key."""
    document, name = nest({key: 1}, path)
    with pytest.raises(UsageError) as raised:
        codec.dumps(document)
    assert raised.value.field == (f"{name}.{key}" if path else str(key))


@for_each("depth", [200, 1_000, 100_000])
@for_each("wrap", [lambda x: [x], lambda x: {"a": x}])
def test_deep_documents(depth: int, wrap: Any) -> None:
    """A deep document is encoded, or rejected with the path where it is too deep."""
    document: Any = 1
    for _ in range(depth):
        document = wrap(document)
    raised: UsageError | None = None
    try:
        assert len(codec.dumps(document)) > depth
    except UsageError as error:
        raised = error
    assert (raised is None) == (depth < codec.MAX_WRITE_DEPTH)
    assert (
        raised is None or (raised.field or "").count("a") + (raised.field or "").count("[") == 254
    )


def test_circular_documents() -> None:
    """A list or dict that contains itself is rejected as too deep."""
    knot: list[Any] = []
    knot.append({"again": knot})
    with pytest.raises(UsageError) as raised:
        codec.dumps({"messages": knot})
    assert (raised.value.field or "").startswith("messages[0].again")


def test_none_next_to_numbers() -> None:
    """None is encoded as null next to numbers."""
    assert codec.dumps({"a": None, "b": 1.5, "null": "null"}) == b'{"a":null,"b":1.5,"null":"null"}'


# The beginning and end of a number of levels, also with brackets in strings.
LEVELS = [("[", "]", 1), ('{"a":', "}", 1), ('["[{",{"]":"}","b":', "},1]", 2)]


@for_each("convert", [str, str.encode])
@for_each(("begin", "end", "levels"), LEVELS)
@for_each("times", [1, 50, 99, 100, 101, 199, 200, 201, 255, 1_023, 1_025, 100_000])
def test_decoding_deep_documents(
    begin: str, end: str, levels: int, times: int, convert: Any
) -> None:
    """Documents up to a depth are decoded; deeper ones raise JSONDecodeError."""
    text = begin * times + "1" + end * times
    content = convert(text)
    is_allowed = times * levels <= codec.MAX_READ_DEPTH
    try:
        document = codec.loads(content)
    except codec.JSONDecodeError:
        assert not is_allowed
        return
    assert is_allowed
    # The document can also be encoded as a part of a request.
    assert codec.dumps({"messages": [{"content": [document]}]})


@for_each("item", ["[]", "{}", '"[["', "[[]]"])
def test_many_brackets_are_not_deep(item: str) -> None:
    """A long flat document with many brackets is decoded."""
    assert len(codec.loads(f"[{','.join([item] * 10_000)}]")) == 10_000


@pytest.mark.parametrize(
    ("key", "name"), [(10**5_000, "an int"), ((10**5_000,), "a tuple")], ids=["int", "tuple"]
)
def test_a_key_without_a_repr(key: Any, name: str) -> None:
    """Python cannot print integers of more than 4,300 digits; the error names the type."""
    with pytest.raises(UsageError) as raised:
        codec.dumps({"a": {key: 1}})
    assert raised.value.field == f"a.{name}"


# Tool arguments and their value; None for strings that are not one JSON object.
ARGUMENTS: dict[str, Any] = {
    "": {},
    " ": {},
    '{"a": 1}': {"a": 1},
    '{"wei": 25123456789012345678901}': {"wei": 25123456789012345678901},
    '{"wei": -9223372036854775809}': {"wei": -(2**63) - 1},
    '{"id": "25123456789012345678901"}': {"id": "25123456789012345678901"},
    '{"code": "a\nb\tc"}': {"code": "a\nb\tc"},
    '\ufeff{"a": 1}': {"a": 1},
    '{"a": "\\ud83d"}': {"a": "\ufffd"},
    '{"a": "\\ud83d\\ude00"}': {"a": "\U0001f600"},
    '{"a": "\ud83d"}': {"a": "\ufffd"},
    '["x"]': None,
    "null": None,
    '"x"': None,
    "3": None,
    '{"c": 1}{"c": 1}': None,
    '{"path": "a", "text": "one\ntw': None,
    "{": None,
    '{"a": ' * 300 + "1" + "}" * 300: None,
    '{"a": ' + "1" * 5_000 + "}": None,
}


@for_each("arguments", [*ARGUMENTS])
def test_arguments_have_one_meaning(arguments: str) -> None:
    """Arguments are one JSON object, exactly; what is sent back is a strict JSON object."""
    expected = ARGUMENTS[arguments]
    if expected is None:
        with pytest.raises(codec.JSONDecodeError):
            codec.parse_arguments(arguments)
        sent = json.loads(codec.normalize_arguments(arguments))
        assert sent == {"invalid_arguments": codec.replace_surrogates(arguments)}
    else:
        assert codec.parse_arguments(arguments) == expected
        assert json.loads(codec.normalize_arguments(arguments)) == expected


def test_nan_in_arguments() -> None:
    """NaN is decoded as a number, as by other clients, and sent back as null."""
    assert math.isnan(codec.parse_arguments('{"x": NaN}')["x"])
    assert codec.normalize_arguments('{"x": NaN, "y": [Infinity]}') == '{"x":null,"y":[null]}'


@given(st.recursive(st.integers() | texts, lambda inner: st.lists(inner, max_size=3)))
def test_integers_of_any_size_are_exact(value: Any) -> None:
    """Integers of any size are encoded and decoded exactly."""
    written = codec.dumps({"value": value})
    assert json.loads(written) == {"value": value}
    assert codec.parse_arguments(written.decode()) == {"value": value}


@for_each("content", [b'\xef\xbb\xbf{"a":1}', b'{"a":1}\n', '{"a":1}', b'{"a":\t1}'])
def test_byte_order_marks_are_ignored(content: bytes | str) -> None:
    """JSON with a byte order mark is decoded, as by other clients."""
    assert codec.loads(content) == {"a": 1}


def test_surrogates_are_decoded_for_streams() -> None:
    """Surrogates are decoded for streams, whose chunks may split a pair; others become U+FFFD."""
    half = b'{"a": "\\ud83d"}'
    assert codec.loads(half) == {"a": "\ufffd"}
    assert codec.loads_chunk(half) == ({"a": "\ud83d"}, True)
    assert codec.loads_chunk(b'{"a": 1}') == ({"a": 1}, False)


@given(path=paths, value=st.sampled_from(["\ud800", "a\udfffb", "\ud83d\ude00"]))
def test_lone_surrogates_are_replaced(path: list[str | int], value: str) -> None:
    """A lone surrogate in a message is sent as U+FFFD."""
    document, _ = nest({value: value}, path)
    expected, _ = nest({codec.replace_surrogates(value): codec.replace_surrogates(value)}, path)
    assert json.loads(codec.dumps(document)) == expected
