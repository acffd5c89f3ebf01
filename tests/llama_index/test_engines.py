"""Engines: LlamaIndex's query and chat engines, selectors and evaluators run on the model."""

import asyncio
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.evaluation import FaithfulnessEvaluator
from llama_index.core.extractors import SummaryExtractor
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.selectors import PydanticSingleSelector
from llama_index.core.tools import ToolMetadata
from pydantic import BaseModel

from llama_index_xai_lowcode import XAIImageGenerator

pytestmark = pytest.mark.filterwarnings("ignore")  # LlamaIndex's own deprecations


class Fact(BaseModel):
    """A fact."""

    text: str


@pytest.fixture(scope="module")
def index() -> VectorStoreIndex:
    """Three documents with embeddings that mean nothing."""
    texts = ["The sky is blue.", "Grass is green.", "Snow is white."]
    documents = [Document(text=text) for text in texts]
    return VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize", "simple_summarize"])
def test_query_engine(gateway: Any, llm: Any, index: Any, mode: str) -> None:
    """A question is answered from the index, in every mode, sync and async."""
    engine = index.as_query_engine(llm=llm, response_mode=mode, similarity_top_k=3)
    assert "What is blue?" in str(engine.query("What is blue?"))
    assert "What is blue?" in str(asyncio.run(engine.aquery("What is blue?")))
    prompts = str([request.body["messages"] for request in gateway.requests])
    assert "The sky is blue." in prompts


def test_streaming_query_engine(llm: Any, index: Any) -> None:
    """The answer comes piece by piece."""
    response = index.as_query_engine(llm=llm, streaming=True).query("What is blue?")
    pieces = list(response.response_gen)
    assert len(pieces) > 5
    assert "What is blue?" in "".join(pieces)


def test_query_engine_with_output_class(llm: Any, index: Any) -> None:
    """The answer of an engine is an object."""
    engine = index.as_query_engine(llm=llm, output_cls=Fact, response_mode="compact")
    assert isinstance(engine.query("What is blue?").response, Fact)


def test_structured_answer_filtering(llm: Any) -> None:
    """Refining with filtered answers runs through the model's tools."""
    synthesizer = get_response_synthesizer(
        llm=llm, response_mode="refine", structured_answer_filtering=True
    )
    nodes = [NodeWithScore(node=TextNode(text="The sky is blue."), score=1.0)]
    assert str(synthesizer.synthesize("What is blue?", nodes))


def test_chat_engines(gateway: Any, llm: Any, index: Any) -> None:
    """Chat engines keep the conversation, with and without an index, plain and streamed."""
    simple = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults())
    simple.chat("Say 'one'")
    assert "".join(simple.stream_chat("Say 'two'").response_gen) == "two"
    roles = [message["role"] for message in gateway.requests[-1].body["messages"]]
    assert roles == ["user", "assistant", "user"]
    context = index.as_chat_engine(
        llm=llm, chat_mode="context", memory=ChatMemoryBuffer.from_defaults()
    )
    assert context.chat("Say 'three'").response == "three"


def test_selector(llm: Any) -> None:
    """A selector chooses through the model's tools."""
    choices = [ToolMetadata("Questions on numbers", "math"), ToolMetadata("On weather", "meteo")]
    selector = PydanticSingleSelector.from_defaults(llm=llm)
    assert selector.select(choices, "How is the weather?").selections


def test_extractor_and_evaluator(llm: Any) -> None:
    """Metadata are extracted and answers judged, asynchronously."""
    nodes = [TextNode(text="The sky is blue.")]
    (extracted,) = asyncio.run(SummaryExtractor(llm=llm).aextract(nodes))
    assert "The sky is blue." in extracted["section_summary"]
    evaluator = FaithfulnessEvaluator(llm=llm)
    result = evaluator.evaluate(response="Blue", contexts=["The sky is blue."])
    assert result.passing in {True, False}


def test_pictures_in_a_chat(way: Any, gateway: Any, llm: Any) -> None:
    """A picture that was made goes straight back into a conversation."""
    painter = XAIImageGenerator(api_token=gateway.api_token, base_url=gateway.base_url)
    (picture,) = way.ask(painter, "generate", "A red fox", response_format="b64_json")
    assert isinstance(picture, ImageBlock)
    message = ChatMessage(blocks=[TextBlock(text="What is it?"), picture])
    assert "1 image" in way.ask(llm, "chat", [message]).message.content
