"""Embeddings: LangChain's standard tests unmodified, and further tests."""

import copy
import pickle
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_xai_lowcode import XAILowCodeEmbeddings
from xai_lowcode.emulator import Refuse
from xai_lowcode.errors import RateLimitError, RouteNotFoundError, UsageError

TOKEN = "at_r" + "0" * 32
TEXTS = [f"text number {n}" for n in range(5)]


class TestUnit(EmbeddingsUnitTests):
    """Unit tests, without a network."""

    @property
    def embeddings_class(self) -> type[XAILowCodeEmbeddings]:
        return XAILowCodeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"api_key": TOKEN}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {
            "LOWCODEAPI_API_TOKEN": TOKEN,
            "LOWCODEAPI_BASE_URL": "https://gateway.example/xai",
        }
        return environment, {}, {"api_token": TOKEN, "base_url": "https://gateway.example/xai"}


class TestIntegration(EmbeddingsIntegrationTests):
    """Integration tests, with a gateway that has the endpoint."""

    @pytest.fixture(autouse=True)
    def _served(self, gateway: Any) -> None:
        gateway.embeddings = True

    @property
    def embeddings_class(self) -> type[XAILowCodeEmbeddings]:
        return XAILowCodeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "grok-embedding-small"}


@pytest.fixture
def embeddings(gateway: Any) -> XAILowCodeEmbeddings:
    """Embeddings of a gateway that has the endpoint."""
    gateway.embeddings = True
    return XAILowCodeEmbeddings(max_retries=0)


async def test_vectors_do_not_depend_on_batch_and_method(
    gateway: Any, embeddings: XAILowCodeEmbeddings
) -> None:
    """Each text has one vector, whatever the batch, the encoding and the method."""
    single_vector = [embeddings.embed_query(text) for text in TEXTS]
    packed = XAILowCodeEmbeddings(encoding_format="base64", chunk_size=2)
    gateway.requests.clear()
    for vectors in (
        embeddings.embed_documents(TEXTS),
        await embeddings.aembed_documents(TEXTS, chunk_size=3),
        packed.embed_documents(TEXTS),
        await packed.aembed_documents(TEXTS),
        [await embeddings.aembed_query(text) for text in TEXTS],
    ):
        for vector, single in zip(vectors, single_vector, strict=True):
            assert vector == pytest.approx(single, abs=1e-6)
    sizes = [len(request.body["input"]) for request in gateway.requests]
    assert sizes == [5, 3, 2, 2, 2, 1, 2, 2, 1, 1, 1, 1, 1, 1]
    assert embeddings.embed_documents([]) == []


def test_every_option_is_sent(gateway: Any) -> None:
    """Options are in the body, unknown ones with a warning; unset ones are not."""
    gateway.embeddings = True
    with pytest.warns(UserWarning, match="made_up"):
        component = XAILowCodeEmbeddings(model="m", dimensions=4, user="u", made_up=1)
    assert len(component.embed_query("a")) == 4
    body = {"model": "m", "input": ["a"], "dimensions": 4, "user": "u", "made_up": 1}
    assert gateway.requests[-1].body == body


def test_a_vector_store_embeds_texts_and_queries(
    gateway: Any, embeddings: XAILowCodeEmbeddings
) -> None:
    """A vector store embeds its texts in one request and each query, and returns the nearest."""
    texts = ["The lighthouse stands at the shore.", "Foxes sleep in winter."]
    store = InMemoryVectorStore(embeddings)
    store.add_texts(texts)
    (found,) = store.similarity_search("Where does the lighthouse stand?", k=1)
    inputs = [request.body["input"] for request in gateway.requests]
    assert inputs == [texts, ["Where does the lighthouse stand?"]]
    assert "lighthouse" in found.page_content


@pytest.mark.parametrize("size", [0, 129])
async def test_invalid_batch_sizes(gateway: Any, embeddings: Any, size: int) -> None:
    """An invalid batch size is rejected, and no request is sent."""
    with pytest.raises(UsageError):
        embeddings.embed_documents(TEXTS, chunk_size=size)
    with pytest.raises(UsageError):
        await embeddings.aembed_documents(TEXTS, chunk_size=size)
    assert gateway.requests == []


async def test_errors_have_our_class_and_langchains(gateway: Any, embeddings: Any) -> None:
    """A missing endpoint and other errors have classes of this package and of LangChain."""
    gateway.inject(Refuse(429), Refuse(429))
    with pytest.raises(RateLimitError):
        embeddings.embed_query("a")
    with pytest.raises(RateLimitError):
        await embeddings.aembed_query("a")
    gateway.embeddings = False
    with pytest.raises(RouteNotFoundError, match="no endpoint for embeddings") as missing:
        embeddings.embed_query("a")
    assert type(missing.value).__module__ == "langchain_xai_lowcode._errors"
    with pytest.raises(RouteNotFoundError, match="sentence-transformers"):
        await embeddings.aembed_query("a")


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_copies_pickles_and_dumps_work(gateway: Any, embeddings: Any) -> None:
    """Copies, pickles and loaded dumps give the same vectors; reprs and dumps have no token."""
    dump = dumps(embeddings)
    assert gateway.api_token not in f"{embeddings!r}{embeddings}{dump}{embeddings.model_dump()}"
    loaded = loads(
        dump,
        allowed_objects=[XAILowCodeEmbeddings],
        valid_namespaces=["langchain_xai_lowcode"],
        secrets_map={"LOWCODEAPI_API_TOKEN": gateway.api_token},
    )
    expected = embeddings.embed_query("a")
    pickled = pickle.loads(pickle.dumps(embeddings))  # noqa: S301 - our own bytes
    for other in (loaded, pickled, copy.deepcopy(embeddings)):
        assert other.embed_query("a") == expected
