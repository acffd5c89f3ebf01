"""Law: every envelope of one body gives that body, and none is taken off twice."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire import ENVELOPES, gateway_fixtures, wrapped
from xai_lowcode.protocol.envelope import text_headers, unwrap, unwrap_chunk

BODIES: list[Any] = [
    {"id": "c1", "choices": []},
    {"object": "list", "data": [{"id": "m"}]},
    {"data": [{"url": "u"}], "usage": {}},
    {"result": {"a": 1}},
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


@pytest.mark.parametrize(("body", "how"), list(product(BODIES, ENVELOPES)))
def test_every_wrapping_gives_the_body(body: Any, how: str) -> None:
    """Wrapped or not, an object of xAI comes out as it was."""
    assert unwrap(wrapped(body, how)).body == body


@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("items", [[], [{"url": "u"}]])
def test_a_body_with_its_own_data_list_keeps_it(items: list[Any], how: str) -> None:
    """A list below a lone ``data`` is the body's where the endpoint says so, wrapped or not."""
    body = {"data": items}
    assert unwrap(wrapped(body, how), body_has_data_key=True).body == body


@given(json_values, st.booleans())
def test_the_result_envelope_holds_anything(body: Any, body_has_data_key: bool) -> None:
    """Whatever xAI answers, scalars and envelope look-alikes too, ``result`` gives it back."""
    assert unwrap(wrapped(body, "result"), body_has_data_key=body_has_data_key).body == body


@given(json_values, st.booleans())
def test_exactly_once(body: Any, body_has_data_key: bool) -> None:
    """What is below an envelope is never looked into again."""
    inner = wrapped(body, "data")
    assert unwrap(wrapped(inner, "data")).body == inner
    assert unwrap(wrapped(inner, "result"), body_has_data_key=body_has_data_key).body == inner


@given(json_values)
def test_own_data_differs_for_nothing_but_a_lone_list_or_scalar(body: Any) -> None:
    """The endpoint's word matters only where ``data`` alone holds no object."""
    if not (isinstance(body, dict) and body.keys() == {"data"}):
        assert unwrap(body) == unwrap(body, body_has_data_key=True)


@pytest.mark.parametrize("name", ["ok_chat", "ok_list_models", "ok_images", "ok_array"])
def test_the_gateways_own_answers(name: str) -> None:
    """The published gateway's answers give xAI's body and headers."""
    cases = gateway_fixtures()
    if not cases:
        pytest.skip("the gateway's answers are not beside the repository")
    body = cases[name]["body"]
    assert unwrap(body, body_has_data_key=True) == (body["result"], body["response_headers"])


@pytest.mark.parametrize("key", ["data", "result"])
@given(chunk=json_values)
def test_a_chunk_is_unwrapped_once(key: str, chunk: Any) -> None:
    """A wrapped chunk gives the chunk; what has choices or a type of its own stays."""
    if isinstance(chunk, dict):
        assert unwrap_chunk({key: chunk}) == chunk
        own = {key: chunk, "choices": []}
        assert unwrap_chunk(own) == own
        typed = {key: chunk, "type": "x"}
        assert unwrap_chunk(typed) == typed
    else:
        assert unwrap_chunk({key: chunk}) == {key: chunk}
        assert unwrap_chunk(chunk) == chunk


@given(json_values)
def test_headers_are_text_with_small_names(value: Any) -> None:
    """Whatever stands where headers should, names and values come out as text or not at all."""
    headers = text_headers({"X-Request-ID": value})
    assert headers == {"x-request-id": str(value)}
    assert text_headers([value]) == {}
