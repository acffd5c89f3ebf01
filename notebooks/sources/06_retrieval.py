# %% [markdown]
# # Retrieval-augmented generation
#
# Answer questions about this package from its own documentation: a retriever in LangChain and a query engine
# in LlamaIndex.
#
# The gateway's published endpoint list has no embeddings, so this notebook computes hashed TF-IDF vectors
# without a download. They match words, not meanings.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## The documents
#
# README and `docs`, split at headings, without the API reference.

# %%
import re
from pathlib import Path

pages = sorted(Path("../docs").glob("**/*.md"))
sections = []
for path in [Path("../README.md"), *(page for page in pages if page.parent.name != "reference")]:
    parts = re.split(r"^#+ +(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        if body.strip():
            sections.append({"file": path.name, "heading": heading, "text": body.strip()})
print(len(sections) > 10, {section["file"] for section in sections} >= {"README.md", "gateway.md"})

# %% [markdown]
# ## TF-IDF vectors
#
# A word's weight is its inverse document frequency. Its index in the vector is its hash, so no vocabulary is
# needed, at the price of occasional collisions.

# %%
import math
from collections import Counter
from zlib import crc32

DIMENSIONS = 2048


def split_words(text: str) -> list[str]:
    """Return the words of a text, without plural endings."""
    return [word.rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower())]


document_frequency = Counter(
    word for section in sections for word in set(split_words(section["heading"] + section["text"]))
)


def vector(text: str) -> list[float]:
    """Return the normalized TF-IDF vector of a text."""
    values = [0.0] * DIMENSIONS
    for word, count in Counter(split_words(text)).items():
        weight = math.log(1 + len(sections) / (1 + document_frequency[word]))
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
    [f"{section['heading']}\n{section['text']}" for section in sections],
    TfidfEmbeddings(),
    metadatas=[{"file": section["file"], "heading": section["heading"]} for section in sections],
)
retriever = store.as_retriever(search_kwargs={"k": 2})
QUESTIONS = [
    "How do I test my application offline with the emulator?",
    "Which environment variable holds the token?",
    "What does doctor report about a token and a base URL?",
    "Which errors are retried?",
]

# %% varies
for question in QUESTIONS:
    print(question)
    for document in retriever.invoke(question):
        print("   ", document.metadata["file"], "|", document.metadata["heading"])

# %%
prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from these sections:\n{sections}"), ("user", "{question}")]
)


def join_documents(documents: list) -> str:
    """Join the text of the retrieved sections."""
    return "\n\n".join(document.page_content for document in documents)


chain = (
    {"sections": retriever | join_documents, "question": RunnablePassthrough()}
    | prompt
    | ChatXAILowCode(model="grok-4.3")
    | StrOutputParser()
)
print(chain.invoke(QUESTIONS[1]))

# %% [markdown]
# ## LlamaIndex: a query engine
#
# The same vectors as an embedding model. The response includes its source nodes. (The emulator repeats the
# prompt, which shows that the sections are sent.)

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
        text=f"{section['heading']}\n{section['text']}",
        metadata={"file": section["file"], "heading": section["heading"]},
        excluded_embed_metadata_keys=["file", "heading"],
    )
    for section in sections
]
index = VectorStoreIndex(nodes, embed_model=TfidfEmbedding())
engine = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), similarity_top_k=2)
response = engine.query(QUESTIONS[0])
print(str(response)[:300])
for source in response.source_nodes:
    print("   ", source.metadata["file"], "|", source.metadata["heading"])

# %% [markdown]
# With streaming:

# %%
streaming = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), streaming=True)
chunks = list(streaming.query(QUESTIONS[2]).response_gen)
print(len(chunks) > 3)

# %% [markdown]
# ## Comparison
#
# Both vector stores return the same sections with the same similarity:

# %%
import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 72
figure, rows = plt.subplots(len(QUESTIONS), figsize=(8, 7.2), sharex=True)
for axes, question in zip(rows, QUESTIONS, strict=True):
    langchain_results = store.similarity_search_with_score(question, k=4)
    llamaindex_scores = {
        (node.metadata["file"], node.metadata["heading"]): node.score
        for node in index.as_retriever(similarity_top_k=4).retrieve(question)
    }
    keys = [(doc.metadata["file"], doc.metadata["heading"]) for doc, _ in langchain_results]
    names = [f"{file.removesuffix('.md')}: {heading}"[:44] for file, heading in keys]
    axes.barh(
        range(4), [score for _, score in langchain_results], color="#4c6a92", label="LangChain"
    )
    marks = [
        (llamaindex_scores[key], row) for row, key in enumerate(keys) if key in llamaindex_scores
    ]
    axes.plot(*zip(*marks, strict=True), "o", color="#d98032", label="LlamaIndex")
    axes.set_yticks(range(4), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_title(question, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
rows[0].legend(frameon=False, fontsize=9, loc="lower right")
rows[-1].set_xlabel("similarity")
figure.tight_layout()
