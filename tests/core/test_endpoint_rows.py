"""Law: every endpoint is a whole row, and reads its own answers and nothing else."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS
from xai_lowcode.errors import InvalidResponseError, XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint, parse_object

ALL = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
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
def test_rows_are_whole(operation: Endpoint[Any]) -> None:
    """Paths begin at /v1 below the base; reading repeats freely, creating does not."""
    if operation.host == "gateway":
        assert re.fullmatch(r"/v1(/[a-z_-]+|/\{\w+\})+(:\w+)?", operation.path)
    assert operation.method in {"GET", "POST", "PATCH", "DELETE"}
    # Counting tokens and embedding create nothing; a deferred answer is handed out once.
    creates_nothing = operation.path in {"/v1/tokenize-text", "/v1/embeddings"}
    repeats = operation.method in {"GET", "DELETE"} or creates_nothing
    assert operation.idempotent == (repeats and operation.response_kind != "pending")
    assert operation.preferred_url_format in {"new", "old"}
    assert not (operation.at_most_once and operation.idempotent)


def test_what_must_not_be_asked_twice() -> None:
    """A deferred answer is handed out once, and a piece of a file adds up: no other row is such."""
    assert {operation.name for operation in ALL if operation.at_most_once} == {
        "Get Deferred Chat Completion",
        "Upload File Chunk",
    }


@every_row
@given(body=json_values)
def test_any_answer_is_read_or_unreadable(operation: Endpoint[Any], body: Any) -> None:
    """No body, however odd, makes reading fail in another way than with our own error."""
    try:
        operation.parse(body)
    except XAILowCodeError as error:
        assert not error.is_retryable  # noqa: PT017 - both ends are lawful


@pytest.mark.parametrize("operation", [CREATE_CHAT_COMPLETION], ids=lambda row: row.name)
def test_chat_answers_come_as_they_are(operation: Endpoint[Any]) -> None:
    """A chat's answer is returned unchanged, for its dialect; without its key it is unreadable."""
    body = {"choices": [], "id": "c"}
    assert operation.parse(body) is body
    with pytest.raises(InvalidResponseError, match="choices"):
        operation.parse({"id": "c"})
    with pytest.raises(InvalidResponseError, match="'a' and 'b'"):
        parse_object("a", "b")({"a": 1})


def test_lists_of_objects() -> None:
    """A list below its key is read one by one, anything else there is unreadable."""
    (model,) = LIST_MODELS.parse({"data": [{"id": "m", "new": 1}], "object": "list"})
    assert (model.id, model.model_extra) == ("m", {"new": 1})
    odds: list[Any] = [None, {}, "x", [1], [None], [{}]]
    for odd in odds:
        with pytest.raises(InvalidResponseError):
            LIST_MODELS.parse({"data": odd})


DATA_LISTS = {"/v1/images/generations", "/v1/models", "/v1/files", "/v1/embeddings"}


@every_row
def test_the_ambiguous_data_key_is_marked(operation: Endpoint[Any]) -> None:
    """The endpoints whose own body has a data key, and no others, say so."""
    lists = operation.path in DATA_LISTS and operation.name != "Upload File"
    assert operation.body_has_data_key == lists
