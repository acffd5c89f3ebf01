"""Laws of embeddings: a vector for each text, in its place, however they were asked for."""

import base64
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
BAD: list[tuple[str, dict[str, Any]]] = [
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


def asked(*texts: str, **options: Any) -> EmbeddingRequest:
    return EmbeddingRequest(texts=texts, **options)


def read(rows: list[dict[str, Any]], size: int) -> list[list[float]]:
    return parse_vectors(parse_resource(Embeddings)({"data": rows}), size)


@pytest.mark.parametrize(("field", "options"), BAD)
def test_impossible_requests_are_refused(field: str, options: dict[str, Any]) -> None:
    """An impossible field is refused when the request is made, naming it."""
    with pytest.raises(UsageError) as refusal:
        EmbeddingRequest(**{"texts": ["a"], **options})
    assert refusal.value.field == field


@given(st.lists(st.text(max_size=3), max_size=30), st.integers(1, 9))
def test_batches_are_the_texts(texts: list[str], size: int) -> None:
    """The batches joined are the texts; none is empty or too long, and all say the same beside."""
    bodies = list(EmbeddingRequest(texts=texts, batch_size=size, extra={"more": 1}).render())
    assert [text for _, body in bodies for text in body["input"]] == texts
    assert all(1 <= count == len(body["input"]) <= size for count, body in bodies)
    rest = {"model": "grok-embedding-small", "more": 1}
    assert all(body == {"input": body["input"], **rest} for _, body in bodies)


@given(st.permutations(range(6)), st.booleans())
def test_order_is_that_of_the_numbers(order: list[int], numbered: bool) -> None:
    """Vectors stand at their number, or where they came if none has a number."""
    rows = [{"embedding": [n, 0.5], **({"index": n} if numbered else {})} for n in order]
    expected = sorted(order) if numbered else order
    vectors = read(rows, 6)
    assert vectors == [[float(n), 0.5] for n in expected]
    assert all(type(value) is float for vector in vectors for value in vector)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_is_the_numbers(numbers: list[float]) -> None:
    """Packed, plain, and in the object of older documents: the same numbers."""
    packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    forms: list[Any] = [numbers, packed, {"Float": numbers}, {"Base64": packed}]
    assert (
        read([{"index": i, "embedding": form} for i, form in enumerate(forms)], 4) == [numbers] * 4
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": n, "embedding": [1.0]} for n in (0, 1, 2)],
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
def test_what_is_no_answer_is_unreadable(rows: list[dict[str, Any]]) -> None:
    """Too few, too many, numbered wrongly or no numbers: never a vector in another's place."""
    with pytest.raises(InvalidResponseError):
        read(rows, 2)


@both
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("form", [None, "float", "base64"])
def test_vectors_do_not_depend_on_the_way(
    emulator: Emulator, kind: type[Any], how: Any, form: Any
) -> None:
    """Each text has its own vector, whatever the batch, the form, the envelope and the client."""
    emulator.envelope = how
    texts = [f"text number {n} of many" for n in range(7)]
    with open_client(kind, emulator_settings(emulator)) as client:
        alone = [client.call_method("embed", asked(text)).vectors[0] for text in texts]
        batch = client.call_method("embed", asked(*texts, batch_size=3, encoding_format=form))
    assert [len(request.body["input"]) for request in emulator.requests[-3:]] == [3, 3, 1]
    assert len({tuple(vector) for vector in alone}) == 7
    for vector, single in zip(batch.vectors, alone, strict=True):
        assert vector == pytest.approx(single, abs=1e-6)
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)
    assert batch.model == "grok-embedding-small"
    assert batch.tokens is not None
    assert batch.tokens >= 7 * 5


@both
def test_dimensions_and_nothing(emulator: Emulator, kind: type[Any]) -> None:
    """Vectors are as long as was asked; for no texts nothing is asked."""
    with open_client(kind, emulator_settings(emulator)) as client:
        assert len(client.call_method("embed", asked("a", dimensions=8, user="u")).vectors[0]) == 8
        nothing = client.call_method("embed", asked())
    assert (nothing.vectors, nothing.tokens) == ([], None)
    (request,) = emulator.requests
    assert request.body["user"] == "u"


@both
def test_a_gateway_without_embeddings_says_so(emulator: Emulator, kind: type[Any]) -> None:
    """The published gateway has no such route: one sentence, and what to use in its place."""
    emulator.embeddings = False
    with (
        open_client(kind, emulator_settings(emulator)) as client,
        pytest.raises(RouteNotFoundError) as missing,
    ):
        client.call_method("embed", asked("a"))
    assert missing.value.message == "The gateway has no endpoint for embeddings."
    assert missing.value.status_code == 404
    assert "sentence-transformers" in str(missing.value)
    assert emulator.api_token not in repr(vars(missing.value))


@both
def test_a_failure_in_a_later_batch_is_the_error(emulator: Emulator, kind: type[Any]) -> None:
    """Nothing is returned in part: the error of a batch is the error of all."""
    with open_client(kind, emulator_settings(emulator, max_retries=0)) as client:
        client.call_method("embed", asked("a"))
        emulator.inject(Heartbeats(0), Refuse(429))
        with pytest.raises(RateLimitError):
            client.call_method("embed", asked("a", "b", "c", batch_size=1))
    assert len(emulator.requests) == 3


@both
def test_lengths_that_differ_are_unreadable(gateway: FakeServer, kind: type[Any]) -> None:
    """Vectors of different lengths cannot be compared, so they are no answer."""
    sizes = iter([2, 3])
    gateway.respond = lambda _request: json_reply(
        wrapped({"data": [{"index": 0, "embedding": [0.5] * next(sizes)}]}, "result")
    )
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(XAILowCodeError) as error,
    ):
        client.call_method("embed", asked("a", "b", batch_size=1))
    assert isinstance(error.value, InvalidResponseError)
