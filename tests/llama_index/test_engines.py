"""Engines: LlamaIndex's query and chat engines, selectors and evaluators run on the model.

Retrieval uses test embeddings of the words of a text.
"""

import asyncio
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any
from zlib import crc32

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.evaluation import FaithfulnessEvaluator
from llama_index.core.extractors import (
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.prompts import PromptTemplate
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.selectors import PydanticSingleSelector
from llama_index.core.tools import ToolMetadata
from packaging.version import Version
from pydantic import BaseModel

from llama_index_xai_lowcode import XAIImageGenerator
from tests.llama_index.sent import get_items, get_kinds, get_schema, get_tools

pytestmark = pytest.mark.filterwarnings("ignore")  # LlamaIndex's own deprecations


class Fact(BaseModel):
    """A fact."""

    text: str


class WordEmbedding(BaseEmbedding):
    """Embeddings with a dimension for each word, so that texts with common words are near."""

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * 64
        for word in re.findall(r"[a-z]+", text.lower()):
            vector[crc32(word.encode()) % 64] += 1.0
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture(scope="module")
def index() -> VectorStoreIndex:
    """An index of three documents."""
    texts = ["The sky is blue.", "Grass is green.", "Snow is white."]
    documents = [Document(text=text) for text in texts]
    return VectorStoreIndex.from_documents(documents, embed_model=WordEmbedding())


@pytest.fixture
def settings(llm: Any) -> Iterator[Any]:
    """LlamaIndex's settings with the model and the test embeddings; restored afterwards."""
    before = Settings._llm, Settings._embed_model
    Settings.llm, Settings.embed_model = llm, WordEmbedding()
    yield Settings
    Settings._llm, Settings._embed_model = before


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize", "simple_summarize"])
def test_query_engine(gateway: Any, each_llm: Any, index: Any, mode: str) -> None:
    """A query engine sends the retrieved documents, in each mode, sync and async."""
    engine = index.as_query_engine(llm=each_llm, response_mode=mode, similarity_top_k=3)
    assert "The sky is blue." in str(engine.query("What is blue?"))
    assert "The sky is blue." in str(asyncio.run(engine.aquery("What is blue?")))
    prompts = str([get_items(request.body) for request in gateway.requests])
    assert "The sky is blue." in prompts


def test_streaming_query_engine(llm: Any, index: Any) -> None:
    """The response is streamed; LlamaIndex before 0.14.25 joins the chunks."""
    response = index.as_query_engine(llm=llm, streaming=True).query("What is blue?")
    chunks = list(response.response_gen)
    assert len(chunks) > 5 or Version(version("llama-index-core")) < Version("0.14.25")
    assert "The sky is blue." in "".join(chunks)


def test_query_engine_with_output_class(llm: Any, index: Any) -> None:
    """The response of an engine with an output class is an object."""
    engine = index.as_query_engine(llm=llm, output_cls=Fact, response_mode="compact")
    assert isinstance(engine.query("What is blue?").response, Fact)


def test_structured_answer_filtering(llm: Any) -> None:
    """Refining with structured answer filtering uses the model's structured output."""
    synthesizer = get_response_synthesizer(
        llm=llm, response_mode="refine", structured_answer_filtering=True
    )
    nodes = [NodeWithScore(node=TextNode(text="The sky is blue."), score=1.0)]
    assert str(synthesizer.synthesize("What is blue?", nodes))


def test_chat_engines(gateway: Any, each_llm: Any, index: Any) -> None:
    """Chat engines send the earlier messages, with and without an index, plain and streamed."""
    simple = SimpleChatEngine.from_defaults(llm=each_llm, memory=ChatMemoryBuffer.from_defaults())
    simple.chat("Say 'one'")
    assert "".join(simple.stream_chat("Say 'two'").response_gen) == "two"
    assert get_kinds(gateway.requests[-1].body) == ["user", "assistant", "user"]
    context = index.as_chat_engine(
        llm=each_llm, chat_mode="context", memory=ChatMemoryBuffer.from_defaults()
    )
    assert context.chat("Say 'three'").response == "three"


def test_selector(gateway: Any, each_llm: Any) -> None:
    """A selector sends the choices, and requests an object with the index of one."""
    choices = [ToolMetadata("Questions on numbers", "math"), ToolMetadata("On weather", "meteo")]
    selector = PydanticSingleSelector.from_defaults(llm=each_llm)
    (selection,) = selector.select(choices, "How is the weather?").selections
    body = gateway.requests[-1].body
    assert all(choice.description in str(get_items(body)) for choice in choices)
    assert "SingleSelection" in str(get_schema(body) or get_tools(body))
    assert selection.index in range(-1, len(choices))


def test_the_nearest_document_is_sent(gateway: Any, each_llm: Any, index: Any) -> None:
    """Only the document that has words of the query is sent to the model."""
    index.as_query_engine(llm=each_llm, similarity_top_k=1).query("What about snow, is it white?")
    prompt = str(get_items(gateway.requests[-1].body))
    assert "Snow is white." in prompt
    assert "Grass is green." not in prompt


def test_engines_use_the_settings(gateway: Any, settings: Any) -> None:
    """Engines use the model of LlamaIndex's settings."""
    documents = [Document(text="The sky is blue."), Document(text="Grass is green.")]
    index = VectorStoreIndex.from_documents(documents)
    assert "sky" in str(index.as_query_engine(similarity_top_k=1).query("Is the sky blue?"))
    engine = index.as_chat_engine(chat_mode="condense_plus_context", similarity_top_k=1)
    engine.chat("Is the sky blue?")
    assert "Is grass green?" in str(engine.chat("Is grass green?"))
    assert {r.body["model"] for r in gateway.requests} == {settings.llm.model}


def test_long_contexts_are_one_request(gateway: Any, llm: Any, model: Any) -> None:
    """Texts that fit the context window are one request; in a smaller window they are several."""
    nodes = [NodeWithScore(node=TextNode(text="word " * 1500), score=1.0) for _ in range(4)]
    get_response_synthesizer(llm=llm, response_mode="compact").synthesize("What?", nodes)
    assert len(gateway.requests) == 1
    small = model(context_window=3000)
    get_response_synthesizer(llm=small, response_mode="tree_summarize").synthesize("What?", nodes)
    assert len(gateway.requests) > 3


def test_ingestion_with_metadata(gateway: Any, llm: Any) -> None:
    """A pipeline splits documents and extracts metadata with the model, sync and async."""
    transformations = [
        SentenceSplitter(chunk_size=64, chunk_overlap=0),
        TitleExtractor(llm=llm, num_workers=1),
        KeywordExtractor(llm=llm, num_workers=1),
        QuestionsAnsweredExtractor(llm=llm, num_workers=1),
        SummaryExtractor(llm=llm, num_workers=1),
        WordEmbedding(),
    ]
    document = Document(text="The sky is blue. " * 10)
    pipeline = IngestionPipeline(transformations=transformations)
    for nodes in (pipeline.run(documents=[document]), asyncio.run(
        IngestionPipeline(transformations=transformations).arun(documents=[document])
    )):  # fmt: skip
        for node in nodes:
            assert "The sky is blue." in node.metadata["section_summary"]
            assert node.metadata.keys() >= {
                "document_title",
                "excerpt_keywords",
                "questions_this_excerpt_can_answer",
            }
            assert node.embedding
    assert len(gateway.requests) > 8


@pytest.mark.parametrize("verdict", ["YES", "NO"])
def test_faithfulness(llm: Any, verdict: str) -> None:
    """The evaluator's verdict is that of the model, sync and async."""
    template = PromptTemplate(f"{{query_str}} follows from {{context_str}}? Answer '{verdict}'")
    evaluator = FaithfulnessEvaluator(llm=llm, eval_template=template, refine_template=template)
    result = evaluator.evaluate(response="Blue", contexts=["The sky is blue."])
    again = asyncio.run(evaluator.aevaluate(response="Blue", contexts=["The sky is blue."]))
    assert result.passing is again.passing is (verdict == "YES")


def test_images_in_a_chat(sync_async: Any, gateway: Any, llm: Any) -> None:
    """A generated image can be sent in a conversation."""
    generator = XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url)
    (image,) = sync_async.call(generator, "generate", "A red fox", response_format="b64_json")
    assert isinstance(image, ImageBlock)
    message = ChatMessage(blocks=[TextBlock(text="What is it?"), image])
    assert "1 image" in sync_async.call(llm, "chat", [message]).message.content
    assert "1 image" in sync_async.stream(llm, "stream_chat", [message])[-1].message.content
    assert isinstance(llm.as_structured_llm(Fact).chat([message]).raw, Fact)
