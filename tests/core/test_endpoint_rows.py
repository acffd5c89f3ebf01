"""The endpoint rows: their fields and parsers."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, LIST_MODELS
from xai_lowcode.errors import InvalidResponseError, XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint, parse_object

ALL = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
every_row = for_each("endpoint", {endpoint.name: endpoint for endpoint in ALL})
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


def test_names_and_paths_are_unique() -> None:
    """No two endpoints have the same name, or the same method and path."""
    assert len({endpoint.name for endpoint in ALL}) == len(ALL)
    assert len({(endpoint.method, endpoint.path) for endpoint in ALL}) == len(ALL)


@every_row
def test_fields_of_the_rows(endpoint: Endpoint[Any]) -> None:
    """Paths start with /v1; GET endpoints are idempotent, others are not."""
    if endpoint.host == "gateway":
        assert re.fullmatch(r"/v1(/[a-z_-]+|/\{\w+\})+(:\w+)?", endpoint.path)
    assert endpoint.method in {"GET", "POST", "PATCH", "DELETE"}
    # Token counts and embeddings create no resource; a deferred completion is retrieved once.
    creates_nothing = endpoint.path in {"/v1/tokenize-text", "/v1/embeddings"}
    is_repeatable = endpoint.method in {"GET", "DELETE"} or creates_nothing
    assert endpoint.idempotent == (is_repeatable and endpoint.response_kind != "pending")
    assert endpoint.preferred_url_format in {"new", "old"}
    assert not (endpoint.at_most_once and endpoint.idempotent)


def test_at_most_once_endpoints() -> None:
    """Only deferred completions and file chunks must not be requested twice."""
    assert {endpoint.name for endpoint in ALL if endpoint.at_most_once} == {
        "Get Deferred Chat Completion",
        "Upload File Chunk",
    }


@given(body=json_values)
@for_each("endpoint", {endpoint.name: endpoint for endpoint in ALL})
def test_any_body_is_parsed_or_rejected(endpoint: Endpoint[Any], body: Any) -> None:
    """Parsing any body succeeds or raises an error of this package."""
    try:
        endpoint.parse(body)
    except XAILowCodeError as error:
        assert not error.is_retryable  # noqa: PT017 - both results are valid


@pytest.mark.parametrize("endpoint", [CREATE_CHAT_COMPLETION], ids=lambda row: row.name)
def test_chat_responses_are_returned_unchanged(endpoint: Endpoint[Any]) -> None:
    """A chat response without its key is rejected."""
    body = {"choices": [], "id": "c"}
    assert endpoint.parse(body) is body
    with pytest.raises(InvalidResponseError, match="choices"):
        endpoint.parse({"id": "c"})
    with pytest.raises(InvalidResponseError, match="'a' and 'b'"):
        parse_object("a", "b")({"a": 1})


def test_lists_of_objects() -> None:
    """A list under its key is parsed item by item; anything else is rejected."""
    (model,) = LIST_MODELS.parse({"data": [{"id": "m", "new": 1}], "object": "list"})
    assert (model.id, model.model_extra) == ("m", {"new": 1})
    invalid_bodies: list[Any] = [None, {}, "x", [1], [None], [{}]]
    for body in invalid_bodies:
        with pytest.raises(InvalidResponseError):
            LIST_MODELS.parse({"data": body})


DATA_LISTS = {"/v1/images/generations", "/v1/models", "/v1/files", "/v1/embeddings"}


@every_row
def test_body_has_data_key(endpoint: Endpoint[Any]) -> None:
    """Exactly the endpoints whose body has a ``data`` key have ``body_has_data_key``."""
    lists = endpoint.path in DATA_LISTS and endpoint.name != "Upload File"
    assert endpoint.body_has_data_key == lists
