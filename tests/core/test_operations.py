"""Law: every endpoint is a whole row, and reads its own answers and nothing else."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode import operations
from xai_lowcode.errors import UnreadableAnswerError, XAILowCodeError
from xai_lowcode.operations import (
    CREATE_CHAT_COMPLETION,
    CREATE_IMAGE_GENERATION,
    GET_API_KEY,
    LIST_MODELS,
    RETRIEVE_MODEL,
    Operation,
    items_of,
    object_with,
)

ALL = [value for value in vars(operations).values() if isinstance(value, Operation)]
every_row = pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.name)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "id", "choices", "url", "b64_json", "usage", "model"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def test_names_and_addresses_differ() -> None:
    """No two rows share a name, or a method and address."""
    assert len({operation.name for operation in ALL}) == len(ALL)
    assert len({(operation.method, operation.path) for operation in ALL}) == len(ALL)


@every_row
def test_rows_are_whole(operation: Operation[Any]) -> None:
    """Paths begin at /v1 below the base; reading repeats freely, creating does not."""
    assert re.fullmatch(r"/v1(/[a-z-]+|/\{\w+\})+(:\w+)?", operation.path)
    assert operation.method in {"GET", "POST", "PATCH", "DELETE"}
    assert operation.idempotent == (operation.method in {"GET", "DELETE"})
    assert operation.prefers in {"new", "old"}


@every_row
@given(body=json_values)
def test_any_answer_is_read_or_unreadable(operation: Operation[Any], body: Any) -> None:
    """No body, however odd, makes reading fail in another way than with our own error."""
    try:
        operation.parse(body)
    except XAILowCodeError as error:
        assert not error.is_retryable  # noqa: PT017 - both ends are lawful


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CREATE_CHAT_COMPLETION, {"choices": [], "id": "c"}),
        (RETRIEVE_MODEL, {"id": "m", "object": "model"}),
        (GET_API_KEY, {"redacted_api_key": "xai-...x"}),
    ],
)
def test_objects_come_as_they_are(operation: Operation[Any], body: Any) -> None:
    """An object with its keys is returned unchanged, without them it is unreadable."""
    assert operation.parse(body) is body
    for key in operation.parse(body).keys() - {"object", "id"} or {"id"}:
        with pytest.raises(UnreadableAnswerError, match=key):
            operation.parse({k: v for k, v in body.items() if k != key})


def test_lists_of_objects() -> None:
    """A list below its key is returned, anything else there is unreadable."""
    assert LIST_MODELS.parse({"data": [{"id": "m"}], "object": "list"}) == [{"id": "m"}]
    for odd in (None, {}, "x", [1], [None]):
        with pytest.raises(UnreadableAnswerError, match="data"):
            LIST_MODELS.parse({"data": odd})
    assert items_of("models")({"models": []}) == []
    with pytest.raises(UnreadableAnswerError, match="'a' and 'b'"):
        object_with("a", "b")({"a": 1})


def test_the_ambiguous_data_key_is_marked() -> None:
    """The endpoints whose own body has a data key say so."""
    assert [row for row in ALL if row.own_data] == [CREATE_IMAGE_GENERATION, LIST_MODELS]
