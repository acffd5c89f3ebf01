"""Embeddings: all methods, sync and async, settings, copies and errors."""

import copy
import json
import logging
import pickle
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from pydantic import ValidationError

from llama_index_xai_lowcode import XAILowCodeEmbedding
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import RateLimitError, RouteNotFoundError, UsageError

TEXTS = [f"text number {n}" for n in range(23)]
TOKEN = "at_r" + "0" * 32


@pytest.fixture
def embedding(gateway: Any) -> Any:
    """Return embeddings of a gateway that has the endpoint."""
    gateway.embeddings = True
    yield create_embedding(gateway)
    gateway.embeddings = False


def create_embedding(gateway: Any, **options: Any) -> XAILowCodeEmbedding:
    connection = {"api_token": gateway.api_token, "base_url": gateway.base_url, "max_retries": 0}
    return XAILowCodeEmbedding(**{**connection, **options})


def are_close(vectors: list[list[float]], others: list[list[float]]) -> bool:
    pairs = zip(vectors, others, strict=True)
    return all(vector == pytest.approx(other, abs=1e-6) for vector, other in pairs)


def test_class_hierarchy(gateway: Any) -> None:
    """The class is a ``BaseEmbedding``."""
    names = [base.__name__ for base in XAILowCodeEmbedding.__mro__]
    assert BaseEmbedding.__name__ in names
    assert XAILowCodeEmbedding.class_name() == "XAILowCodeEmbedding"
    assert create_embedding(gateway, model="m").model_name == "m"


def test_each_method_returns_the_vector(sync_async: Any, gateway: Any, embedding: Any) -> None:
    """Each text gets its vector, in batches of any size and encoding."""
    alone = [embedding.get_text_embedding(text) for text in TEXTS]
    assert len({tuple(vector) for vector in alone}) == len(TEXTS)
    assert sync_async.call(embedding, "get_query_embedding", TEXTS[0]) == alone[0]
    assert sync_async.call(embedding, "get_text_embedding", TEXTS[0]) == alone[0]
    gateway.requests.clear()
    assert sync_async.call(embedding, "get_text_embedding_batch", TEXTS) == alone
    assert sorted(len(request.body["input"]) for request in gateway.requests) == [3, 10, 10]
    packed = create_embedding(gateway, encoding_format="base64", embed_batch_size=4, num_workers=2)
    assert are_close(sync_async.call(packed, "get_text_embedding_batch", TEXTS), alone)
    assert sync_async.call(embedding, "get_text_embedding_batch", []) == []
    mean = sync_async.call(embedding, "get_agg_embedding_from_queries", TEXTS[:2])
    assert are_close([mean], [[(a + b) / 2 for a, b in zip(alone[0], alone[1], strict=True)]])


def test_large_batches_are_split(gateway: Any, embedding: Any) -> None:
    """Batches larger than xAI's limit are split."""
    embedding.embed_batch_size = 2048
    assert len(embedding.get_text_embedding_batch([str(n) for n in range(300)])) == 300
    assert [len(request.body["input"]) for request in gateway.requests] == [128, 128, 44]


def test_every_option_is_sent(gateway: Any, embedding: Any) -> None:
    """Set options are sent, unknown ones included."""
    embedding.get_query_embedding("a")
    assert gateway.requests[-1].body == {"model": "grok-embedding-small", "input": ["a"]}
    more = {"additional_kwargs": {"b": 2}, "c": 3}
    with pytest.warns(UserWarning, match="unknown parameter 'c' moved to additional_kwargs"):
        component = create_embedding(gateway, model_name="m", dimensions=4, user="u", **more)
    assert len(component.get_query_embedding("a")) == 4
    body = {"model": "m", "input": ["a"], "dimensions": 4, "user": "u", "b": 2, "c": 3}
    assert gateway.requests[-1].body == body


def test_an_index_embeds_texts_and_queries(gateway: Any, embedding: Any) -> None:
    """An index embeds its texts in one request and each query, and returns the nearest."""
    texts = ["The lighthouse stands at the shore.", "Foxes sleep in winter."]
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in texts], embed_model=embedding
    )
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("Where is the lighthouse?")
    inputs = [request.body["input"] for request in gateway.requests]
    assert inputs == [texts, ["Where is the lighthouse?"]]
    assert "lighthouse" in found.node.get_content()


async def test_ingestion_pipeline(embedding: Any) -> None:
    """In an ingestion pipeline each node gets its vector, sync and async."""
    nodes = [TextNode(text=text) for text in TEXTS[:3]]
    pipeline = IngestionPipeline(transformations=[embedding], disable_cache=True)
    expected = embedding.get_text_embedding_batch(TEXTS[:3])
    assert [node.embedding for node in pipeline.run(nodes=copy.deepcopy(nodes))] == expected
    done = await embedding.acall(copy.deepcopy(nodes))
    assert [node.embedding for node in done] == expected
    await embedding.aclose()


def test_a_missing_endpoint_has_a_hint(sync_async: Any, gateway: Any) -> None:
    """If the endpoint is missing, the error names alternatives."""
    for method, given in (("get_query_embedding", "a"), ("get_text_embedding_batch", ["a"])):
        with pytest.raises(RouteNotFoundError, match="no endpoint for embeddings") as missing:
            sync_async.call(create_embedding(gateway), method, given)
        assert "sentence-transformers" in str(missing.value)


def test_errors_of_the_core_are_raised(sync_async: Any, gateway: Any, embedding: Any) -> None:
    """Errors of the core are raised unchanged."""
    gateway.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        sync_async.call(embedding, "get_text_embedding", "a")


@pytest.mark.parametrize(
    "invalid", [{"dimensions": 0}, {"encoding_format": "hex"}, {"model_name": ""}]
)
def test_invalid_fields(gateway: Any, invalid: dict[str, Any]) -> None:
    """An invalid field raises an error without the token."""
    with pytest.raises(ValidationError) as caught:
        create_embedding(gateway, **invalid)
    assert gateway.api_token not in str(caught.value)


def test_no_token(gateway: Any) -> None:
    """A missing token raises an error."""
    assert gateway.base_url
    with pytest.raises(UsageError):
        XAILowCodeEmbedding()


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and base URL are read from the environment; aliases are accepted."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", TOKEN)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", "https://gateway.example/xai")
    made_bare = XAILowCodeEmbedding()
    assert made_bare.base_url == "https://gateway.example/xai"
    named = XAILowCodeEmbedding(
        api_key=TOKEN, api_base="https://other.example/xai", reuse_client=True
    )
    assert (named.base_url, named.additional_kwargs) == ("https://other.example/xai", {})


def test_dumps_reprs_events_and_logs_have_no_token(
    gateway: Any, embedding: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Dumps, reprs, events and logs omit the token; a dump restores the component."""
    caplog.set_level(logging.DEBUG)
    debug = LlamaDebugHandler(print_trace_on_end=False)
    embedding.callback_manager = CallbackManager([debug])
    embedding.dimensions = 8
    expected = embedding.get_text_embedding("a")
    stored = embedding.to_dict()
    dumps = f"{embedding!r}{embedding}{stored}{embedding.to_json()}{embedding.to_payload()}"
    events = repr([event.payload for event in debug.get_events()])
    assert "XAILowCodeEmbedding" in events
    assert gateway.api_token not in dumps + events + caplog.text
    again = XAILowCodeEmbedding.from_dict(
        json.loads(json.dumps(stored)), api_token=gateway.api_token
    )
    assert again.get_text_embedding("a") == expected
    assert again.to_dict() == stored


def test_copies(gateway: Any, embedding: Any) -> None:
    """Copies and pickles, before and after use, return the same vectors."""
    fresh = pickle.loads(pickle.dumps(embedding))  # noqa: S301 - our own bytes
    expected = embedding.get_text_embedding("a")
    used = pickle.loads(pickle.dumps(embedding))  # noqa: S301 - our own bytes
    for other in (fresh, used, copy.deepcopy(embedding), embedding.model_copy(deep=True)):
        assert other.get_text_embedding("a") == expected
        other.model_name = "other"
        other.close()
    assert embedding.model_name == "grok-embedding-small"
    assert embedding.get_text_embedding("a") == expected
    assert gateway.requests[-1].body["model"] == "grok-embedding-small"
