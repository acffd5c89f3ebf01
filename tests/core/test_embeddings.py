"""Embeddings: one vector for each text, in order, for any batch size and encoding."""

import base64
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import FakeServer, json_reply
from tests.core.sync_async import open_client
from tests.core.wire import ENVELOPES, wrapped
from xai_lowcode.api.embeddings import MAX_INPUTS, EmbeddingRequest, parse_vectors
from xai_lowcode.emulator import Emulator, Heartbeats, Refuse
from xai_lowcode.errors import (
    InvalidResponseError,
    RateLimitError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.types.resources import Embeddings, parse_resource

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
INVALID: list[tuple[str, dict[str, Any]]] = [
    ("texts", {"texts": "a text"}),
    ("texts[1]", {"texts": ["a", 5]}),
    ("texts[0]", {"texts": [None]}),
    ("model", {"model": " "}),
    ("model", {"model": None}),
    ("dimensions", {"dimensions": 0}),
    ("dimensions", {"dimensions": True}),
    ("dimensions", {"dimensions": 2.0}),
    ("batch_size", {"batch_size": 0}),
    ("batch_size", {"batch_size": MAX_INPUTS + 1}),
    ("batch_size", {"batch_size": None}),
    ("encoding_format", {"encoding_format": "hex"}),
]


@pytest.fixture
def emulator(emulator: Emulator) -> Emulator:
    """The emulator, with its endpoint for embeddings."""
    emulator.embeddings = True
    return emulator


def build_request(*texts: str, **options: Any) -> EmbeddingRequest:
    return EmbeddingRequest(texts=texts, **options)


def parse(rows: list[dict[str, Any]], size: int) -> list[list[float]]:
    return parse_vectors(parse_resource(Embeddings)({"data": rows}), size)


@for_each(("field", "options"), INVALID)
def test_invalid_requests_raise(field: str, options: dict[str, Any]) -> None:
    """An invalid field raises an error with its name when the request is created."""
    with pytest.raises(UsageError) as raised:
        EmbeddingRequest(**{"texts": ["a"], **options})
    assert raised.value.field == field


@given(st.lists(st.text(max_size=3), max_size=30), st.integers(1, 9))
def test_batches(texts: list[str], size: int) -> None:
    """The batches have all texts in order and the same options; none is empty or too large."""
    bodies = list(EmbeddingRequest(texts=texts, batch_size=size, extra={"more": 1}).render())
    assert [text for _, body in bodies for text in body["input"]] == texts
    assert all(1 <= count == len(body["input"]) <= size for count, body in bodies)
    options = {"model": "grok-embedding-small", "more": 1}
    assert all(body == {"input": body["input"], **options} for _, body in bodies)


@given(st.permutations(range(6)), st.booleans())
def test_vectors_are_sorted_by_index(order: list[int], has_index: bool) -> None:
    """Vectors are sorted by index, and keep their order without one."""
    rows = [
        {"embedding": [index, 0.5], **({"index": index} if has_index else {})} for index in order
    ]
    expected = sorted(order) if has_index else order
    vectors = parse(rows, 6)
    assert vectors == [[float(index), 0.5] for index in expected]
    assert all(type(value) is float for vector in vectors for value in vector)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_encodings_of_vectors(vector: list[float]) -> None:
    """Base64, numbers, and the objects of older responses are parsed as the same vector."""
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    encodings: list[Any] = [vector, packed, {"Float": vector}, {"Base64": packed}]
    assert (
        parse(
            [
                {"index": i, "embedding": encoding_format}
                for i, encoding_format in enumerate(encodings)
            ],
            4,
        )
        == [vector] * 4
    )


@for_each(
    "rows",
    [
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": index, "embedding": [1.0]} for index in (0, 1, 2)],
        [{"index": 1, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}],
        [{"index": 1, "embedding": [1.0]}, {"index": 2, "embedding": [1.0]}],
        [{"embedding": [1.0]}, {"embedding": []}],
        [{"embedding": [1.0]}, {"embedding": ""}],
        [{"embedding": [1.0]}, {"embedding": "AAA="}],
        [{"embedding": [1.0]}, {"embedding": "a b!"}],
        [{"embedding": [1.0]}, {"embedding": None}],
        [{"embedding": [1.0]}, {"embedding": {"a": [1.0], "b": [1.0]}}],
        [{"embedding": [1.0]}, {"embedding": ["x"]}],
    ],
)
def test_invalid_responses_raise(rows: list[dict[str, Any]]) -> None:
    """Missing or surplus vectors, wrong indexes and invalid vectors are an error."""
    with pytest.raises(InvalidResponseError):
        parse(rows, 2)


@both_clients
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("encoding_format", [None, "float", "base64"])
def test_vectors_do_not_depend_on_the_request(
    emulator: Emulator, kind: type[Any], envelope: Any, encoding_format: Any
) -> None:
    """The vector of a text is the same for any batch, encoding, envelope and client."""
    emulator.envelope = envelope
    texts = [f"text number {n} of many" for n in range(7)]
    with open_client(kind, emulator_settings(emulator)) as client:
        single_vectors = [
            client.call_method("embed", build_request(text)).vectors[0] for text in texts
        ]
        batch = client.call_method(
            "embed", build_request(*texts, batch_size=3, encoding_format=encoding_format)
        )
    assert [len(request.body["input"]) for request in emulator.requests[-3:]] == [3, 3, 1]
    assert len({tuple(vector) for vector in single_vectors}) == 7
    for vector, single in zip(batch.vectors, single_vectors, strict=True):
        assert vector == pytest.approx(single, abs=1e-6)
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)
    assert batch.model == "grok-embedding-small"
    assert batch.tokens is not None
    assert batch.tokens >= 7 * 5


@both_clients
def test_dimensions_and_empty_requests(emulator: Emulator, kind: type[Any]) -> None:
    """Vectors have the requested dimensions; without texts no request is sent."""
    with open_client(kind, emulator_settings(emulator)) as client:
        assert (
            len(client.call_method("embed", build_request("a", dimensions=8, user="u")).vectors[0])
            == 8
        )
        empty = client.call_method("embed", build_request())
    assert (empty.vectors, empty.tokens) == ([], None)
    (request,) = emulator.requests
    assert request.body["user"] == "u"


@both_clients
def test_a_gateway_without_embeddings(emulator: Emulator, kind: type[Any]) -> None:
    """The published gateway has no such route: the error states it and has an alternative."""
    emulator.embeddings = False
    with (
        open_client(kind, emulator_settings(emulator)) as client,
        pytest.raises(RouteNotFoundError) as raised,
    ):
        client.call_method("embed", build_request("a"))
    assert raised.value.message == "The gateway has no endpoint for embeddings."
    assert raised.value.status_code == 404
    assert "sentence-transformers" in str(raised.value)
    assert emulator.api_token not in repr(vars(raised.value))


@both_clients
def test_a_failed_batch_raises(emulator: Emulator, kind: type[Any]) -> None:
    """The error of one batch is raised, and no vectors are returned."""
    with open_client(kind, emulator_settings(emulator, max_retries=0)) as client:
        client.call_method("embed", build_request("a"))
        emulator.inject(Heartbeats(0), Refuse(429))
        with pytest.raises(RateLimitError):
            client.call_method("embed", build_request("a", "b", "c", batch_size=1))
    assert len(emulator.requests) == 3


@both_clients
def test_vectors_of_different_lengths_are_invalid(gateway: FakeServer, kind: type[Any]) -> None:
    """Vectors of different lengths raise `InvalidResponseError`."""
    sizes = iter([2, 3])
    gateway.respond = lambda _request: json_reply(
        wrapped({"data": [{"index": 0, "embedding": [0.5] * next(sizes)}]}, "result")
    )
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(XAILowCodeError) as raised,
    ):
        client.call_method("embed", build_request("a", "b", batch_size=1))
    assert isinstance(raised.value, InvalidResponseError)
