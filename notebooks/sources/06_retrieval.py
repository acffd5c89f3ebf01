# %% [markdown]
# # Retrieval-augmented generation
#
# Answer questions about this package from its own docstrings: a retriever in LangChain and a query engine in
# LlamaIndex.
#
# The gateway's published endpoint list has no embeddings, so this notebook computes hashed TF-IDF vectors
# without a download. They match words, not meanings.

# %% setup matplotlib
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# ## The documents
#
# The docstrings of the package's classes and functions, which are installed with it.

# %%
import inspect

import langchain_xai_lowcode
import llama_index_xai_lowcode
import xai_lowcode.emulator
import xai_lowcode.errors

by_text = {}
for module in (
    langchain_xai_lowcode,
    llama_index_xai_lowcode,
    xai_lowcode.emulator,
    xai_lowcode.errors,
):
    for name in getattr(module, "__all__", dir(module)):
        exported = getattr(module, name)
        if inspect.isclass(exported) or inspect.isfunction(exported):
            text = inspect.getdoc(exported) or ""
            # Both adapters export the same helpers for server-side tools.
            by_text.setdefault(text, {"module": module.__name__, "name": name, "text": text})
docstrings = list(by_text.values())
print(
    len(docstrings) > 50,
    {docstring["name"] for docstring in docstrings} >= {"ChatXAILowCode", "running"},
)

# %% [markdown]
# ## TF-IDF vectors
#
# A word's weight is its inverse document frequency. Its index in the vector is its hash, so no vocabulary is
# needed, at the price of occasional collisions.

# %%
import math
import re
from collections import Counter
from zlib import crc32

DIMENSIONS = 2048


def split_words(text: str) -> list[str]:
    """Return the words of a text, without plural endings."""
    return [word.rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower())]


document_frequency = Counter(
    word
    for docstring in docstrings
    for word in set(split_words(docstring["name"] + docstring["text"]))
)


def vector(text: str) -> list[float]:
    """Return the normalized TF-IDF vector of a text."""
    values = [0.0] * DIMENSIONS
    for word, count in Counter(split_words(text)).items():
        weight = math.log(1 + len(docstrings) / (1 + document_frequency[word]))
        values[crc32(word.encode()) % DIMENSIONS] += (1 + math.log(count)) * weight
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


# %% [markdown]
# ## LangChain: a retriever in a chain

# %%
from langchain_core.embeddings import Embeddings
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_xai_lowcode import ChatXAILowCode


class TfidfEmbeddings(Embeddings):
    """TF-IDF vectors as LangChain embeddings."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts."""
        return [vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return vector(text)


store = InMemoryVectorStore.from_texts(
    [f"{docstring['name']}\n{docstring['text']}" for docstring in docstrings],
    TfidfEmbeddings(),
    metadatas=[
        {"module": docstring["module"], "name": docstring["name"]} for docstring in docstrings
    ],
)
retriever = store.as_retriever(search_kwargs={"k": 2})
QUESTIONS = [
    "How do I run the emulator of the gateway in tests?",
    "Which error is raised for too many requests?",
    "How do I add up the tokens and cost of a run?",
    "Which tool searches the web and returns citations?",
]

# %% varies
for question in QUESTIONS:
    print(question)
    for document in retriever.invoke(question):
        print("   ", document.metadata["module"], "|", document.metadata["name"])

# %% varies
prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from these docstrings:\n{docstrings}"), ("user", "{question}")]
)


def join_documents(documents: list) -> str:
    """Join the retrieved docstrings."""
    return "\n\n".join(document.page_content for document in documents)


chain = (
    {"docstrings": retriever | join_documents, "question": RunnablePassthrough()}
    | prompt
    | ChatXAILowCode(model="grok-4.3")
    | StrOutputParser()
)
print(chain.invoke(QUESTIONS[1]))

# %% [markdown]
# ## LlamaIndex: a query engine
#
# The same vectors as an embedding model. The response includes its source nodes. (The emulator repeats the
# prompt, which shows that the docstrings are sent.)

# %% varies
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import TextNode

from llama_index_xai_lowcode import XAILowCode


class TfidfEmbedding(BaseEmbedding):
    """TF-IDF vectors as a LlamaIndex embedding model."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return vector(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vector(query)


nodes = [
    TextNode(
        text=f"{docstring['name']}\n{docstring['text']}",
        metadata={"module": docstring["module"], "name": docstring["name"]},
        excluded_embed_metadata_keys=["module", "name"],
    )
    for docstring in docstrings
]
index = VectorStoreIndex(nodes, embed_model=TfidfEmbedding())
engine = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), similarity_top_k=2)
response = engine.query(QUESTIONS[0])
print(str(response)[:300])
for source in response.source_nodes:
    print("   ", source.metadata["module"], "|", source.metadata["name"])

# %% [markdown]
# With streaming:

# %%
streaming = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), streaming=True)
chunks = list(streaming.query(QUESTIONS[2]).response_gen)
print(len(chunks) > 3)

# %% [markdown]
# ## Comparison
#
# Both vector stores return the same docstrings with the same similarity:

# %% inline
from _plotting import plt, show

# %% varies
figure, rows = plt.subplots(len(QUESTIONS), figsize=(9, 8.4), sharex=True)
for axes, question in zip(rows, QUESTIONS, strict=True):
    langchain_results = store.similarity_search_with_score(question, k=4)
    llamaindex_scores = {
        (node.metadata["module"], node.metadata["name"]): node.score
        for node in index.as_retriever(similarity_top_k=4).retrieve(question)
    }
    keys = [(doc.metadata["module"], doc.metadata["name"]) for doc, _ in langchain_results]
    names = [".".join(key) for key in keys]
    axes.barh(range(4), [score for _, score in langchain_results], label="LangChain")
    marks = [
        (llamaindex_scores[key], row) for row, key in enumerate(keys) if key in llamaindex_scores
    ]
    axes.plot(*zip(*marks, strict=True), "o", color="C1", label="LlamaIndex")
    axes.set_yticks(range(4), names, fontsize=10)
    axes.invert_yaxis()
    axes.set_title(question, fontsize=12, loc="left")
rows[0].legend(loc="lower right")
rows[-1].set_xlabel("Cosine similarity")
show(
    figure, "Bar charts of the similarity of the first four docstrings for each of four questions."
)
