# %% [markdown]
# # Retrieval
#
# Questions about this package, answered from its own documents: a retriever in LangChain, a query engine in
# LlamaIndex, and what they find.
#
# The gateway's published list has no embeddings, so the vectors are made here, in a few lines and without a
# download: words weighed by how rare they are (TF-IDF), hashed into a vector. That finds words, not meanings.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## The documents
#
# README and `docs`, cut at their headings. (Not the reference, which is made from docstrings.)

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
# ## Vectors without a model
#
# A word's weight is the logarithm of how rare it is among the sections. Its place in the vector is its hash:
# no vocabulary has to be kept, and now and then two words share a place.

# %%
import math
from collections import Counter
from zlib import crc32

PLACES = 2048


def words_of(text: str) -> list[str]:
    """Gives the words of a text, without the endings of plurals."""
    return [word.rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower())]


seen_in = Counter(
    word for section in sections for word in set(words_of(section["heading"] + section["text"]))
)


def vector(text: str) -> list[float]:
    """Makes a vector of length 1."""
    places = [0.0] * PLACES
    for word, times in Counter(words_of(text)).items():
        rarity = math.log(1 + len(sections) / (1 + seen_in[word]))
        places[crc32(word.encode()) % PLACES] += (1 + math.log(times)) * rarity
    length = math.sqrt(sum(place * place for place in places)) or 1.0
    return [place / length for place in places]


# %% [markdown]
# ## LangChain: a retriever in a chain

# %%
from langchain_core.embeddings import Embeddings
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_xai_lowcode import ChatXAILowCode


class RareWords(Embeddings):
    """LangChain's view of the vectors."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Makes the vectors of texts."""
        return [vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Makes the vector of a question."""
        return vector(text)


store = InMemoryVectorStore.from_texts(
    [f"{section['heading']}\n{section['text']}" for section in sections],
    RareWords(),
    metadatas=[{"file": section["file"], "heading": section["heading"]} for section in sections],
)
retriever = store.as_retriever(search_kwargs={"k": 2})
QUESTIONS = [
    "How do I test my application offline with the emulator?",
    "Which environment variable holds the token?",
    "What does doctor tell about a token and an address?",
    "Which errors are tried again?",
]

# %% varies
for question in QUESTIONS:
    print(question)
    for found in retriever.invoke(question):
        print("   ", found.metadata["file"], "|", found.metadata["heading"])

# %%
prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from these sections:\n{sections}"), ("user", "{question}")]
)


def joined(found: list) -> str:
    """Puts the sections that were found under one another."""
    return "\n\n".join(document.page_content for document in found)


chain = (
    {"sections": retriever | joined, "question": RunnablePassthrough()}
    | prompt
    | ChatXAILowCode(model="grok-4.3")
    | StrOutputParser()
)
print(chain.invoke(QUESTIONS[1]))

# %% [markdown]
# ## LlamaIndex: a query engine
#
# The same vectors as an embedding model. The answer brings its sources along. (The emulator repeats what it was
# given, which shows that the sections get there.)

# %% varies
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import TextNode

from llama_index_xai_lowcode import XAILowCode


class RareWordsEmbedding(BaseEmbedding):
    """LlamaIndex's view of the vectors."""

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
index = VectorStoreIndex(nodes, embed_model=RareWordsEmbedding())
engine = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), similarity_top_k=2)
answer = engine.query(QUESTIONS[0])
print(str(answer)[:300])
for source in answer.source_nodes:
    print("   ", source.metadata["file"], "|", source.metadata["heading"])

# %% [markdown]
# As it is streamed, for those who wait:

# %%
streaming = index.as_query_engine(llm=XAILowCode(model="grok-4.3"), streaming=True)
pieces = list(streaming.query(QUESTIONS[2]).response_gen)
print(len(pieces) > 3)

# %% [markdown]
# ## Both find the same
#
# One store or the other, vectors decide. How near each question is to its nearest sections, as both see it:

# %%
import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 72
figure, rows = plt.subplots(len(QUESTIONS), figsize=(8, 7.2), sharex=True)
for axes, question in zip(rows, QUESTIONS, strict=True):
    ours = store.similarity_search_with_score(question, k=4)
    theirs = {
        (near.metadata["file"], near.metadata["heading"]): near.score
        for near in index.as_retriever(similarity_top_k=4).retrieve(question)
    }
    places = [(found.metadata["file"], found.metadata["heading"]) for found, _ in ours]
    names = [f"{file.removesuffix('.md')}: {heading}"[:44] for file, heading in places]
    axes.barh(range(4), [score for _, score in ours], color="#4c6a92", label="LangChain")
    marks = [(theirs[place], row) for row, place in enumerate(places) if place in theirs]
    axes.plot(*zip(*marks, strict=True), "o", color="#d98032", label="LlamaIndex")
    axes.set_yticks(range(4), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_title(question, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
rows[0].legend(frameon=False, fontsize=9, loc="lower right")
rows[-1].set_xlabel("similarity")
figure.tight_layout()
