"""Envelopes of the gateway are removed exactly once."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.wire import ENVELOPES, gateway_fixtures, wrapped
from xai_lowcode.protocol.envelope import text_headers, unwrap, unwrap_chunk

BODIES: list[Any] = [
    {"id": "c1", "choices": []},
    {"object": "list", "data": [{"id": "m"}]},
    {"data": [{"url": "u"}], "usage": {}},
    {"result": {"a": 1}, "id": "x"},
    {"provider": "x"},
    {},
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "result", "provider", "error", "choices", "id"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@for_each(("body", "envelope"), list(product(BODIES, ENVELOPES)))
def test_every_envelope_is_removed(body: Any, envelope: str) -> None:
    """The body is the same with and without an envelope."""
    assert unwrap(wrapped(body, envelope)).body == body


@for_each("body", [*BODIES, "text", [], None])
def test_a_result_alone_is_an_envelope(body: Any) -> None:
    """The gateway's keys beside it may be missing; no body of xAI has this key alone."""
    assert unwrap({"result": body}) == (body, {})


@for_each("envelope", ENVELOPES)
@for_each("items", [[], [{"url": "u"}]])
def test_a_data_list_of_the_body_is_unchanged(items: list[Any], envelope: str) -> None:
    """With ``body_has_data_key`` a list under ``data`` is part of the body."""
    body = {"data": items}
    assert unwrap(wrapped(body, envelope), body_has_data_key=True).body == body


@given(json_values, st.booleans())
def test_the_result_envelope_contains_any_value(body: Any, body_has_data_key: bool) -> None:
    """``result`` may contain any JSON value, including one that looks like an envelope."""
    assert unwrap(wrapped(body, "result"), body_has_data_key=body_has_data_key).body == body


@given(json_values, st.booleans())
def test_only_one_envelope_is_removed(body: Any, body_has_data_key: bool) -> None:
    """An envelope in an envelope is part of the body."""
    inner = wrapped(body, "data")
    assert unwrap(wrapped(inner, "data")).body == inner
    assert unwrap(wrapped(inner, "result"), body_has_data_key=body_has_data_key).body == inner


@given(json_values)
def test_body_has_data_key_only_affects_bodies_with_data_alone(body: Any) -> None:
    """``body_has_data_key`` only matters if ``data`` is the only key."""
    if not (isinstance(body, dict) and body.keys() == {"data"}):
        assert unwrap(body) == unwrap(body, body_has_data_key=True)


@for_each("name", ["ok_chat", "ok_list_models", "ok_images", "ok_array"])
def test_responses_of_the_published_gateway(name: str) -> None:
    """Their bodies and headers are xAI's."""
    cases = gateway_fixtures()
    if not cases:
        pytest.skip("the gateway's responses are not beside the repository")
    body = cases[name]["body"]
    assert unwrap(body, body_has_data_key=True) == (body["result"], body["response_headers"])


@pytest.mark.parametrize("key", ["data", "result"])
@given(chunk=json_values)
def test_a_chunk_is_unwrapped_once(key: str, chunk: Any) -> None:
    """A wrapped chunk is unwrapped; one with ``choices`` or ``type`` is unchanged."""
    if isinstance(chunk, dict):
        assert unwrap_chunk({key: chunk}) == chunk
        own = {key: chunk, "choices": []}
        assert unwrap_chunk(own) == own
        chunk_with_type = {key: chunk, "type": "x"}
        assert unwrap_chunk(chunk_with_type) == chunk_with_type
    else:
        assert unwrap_chunk({key: chunk}) == {key: chunk}
        assert unwrap_chunk(chunk) == chunk


@given(json_values)
def test_headers_are_strings_with_lower_case_names(value: Any) -> None:
    """Header values of any type become strings; anything but an object has no headers."""
    headers = text_headers({"X-Request-ID": value})
    assert headers == {"x-request-id": str(value)}
    assert text_headers([value]) == {}
