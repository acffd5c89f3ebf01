# %% [markdown]
# # Structured output
#
# Objects out of texts: letters to a harbour office, and the tea party from *Alice's Adventures in Wonderland*
# (1865). Both lie in `data`. What comes back is checked against what can be counted without a model.
#
# The emulator fills objects from what stands in the text: labels, quotations, numbers, dates, addresses. It
# understands nothing, so how well it does says nothing about Grok.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## What is wanted
#
# A class says it all. Field descriptions are read by the model; types, formats and enums are enforced by xAI.

# %%
from datetime import date
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, Field


class Kind(StrEnum):
    """What a letter wants."""

    ORDER = "deliver"
    COMPLAINT = "complaint"
    QUESTION = "question"


class Letter(BaseModel):
    """A letter to the harbour office."""

    customer: str = Field(description="Who wrote it")
    mail: str = Field(description="Where to answer", json_schema_extra={"format": "email"})
    day: date = Field(description="The day it is about")
    amount: int = Field(description="How many things it is about, the first number")
    kind: Kind


letters = Path("data/letters.txt").read_text(encoding="utf-8").split("---\n")
print(letters[0])

# %% [markdown]
# ## LangChain
#
# `with_structured_output` has three methods: the schema enforced by xAI (the default), a tool, and JSON that is
# only asked for. All go to the same class.

# %%
from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
reader = llm.with_structured_output(Letter)
for letter in reader.batch(letters):
    print(letter.model_dump(mode="json"))

# %%
for method in ("json_schema", "function_calling"):
    read = llm.with_structured_output(Letter, method=method).batch(letters)
    print(f"{method:>16}:", [letter.customer for letter in read])

# %% [markdown]
# ### How sure is that?
#
# `include_raw=True` keeps the answer beside the object, with usage and cost, and puts what could not be read
# into `parsing_error` in place of raising it.

# %%
whole = llm.with_structured_output(Letter, include_raw=True).invoke(letters[1])
print(whole["parsed"].kind, whole["parsing_error"], whole["raw"].usage_metadata["total_tokens"])

# %% [markdown]
# ## LlamaIndex
#
# `as_structured_llm` makes a model whose answers are objects; `structured_predict` fills one from a prompt.

# %%
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode

structured = XAILowCode(model="grok-4.3").as_structured_llm(Letter)
for letter in letters:
    read = structured.chat([ChatMessage(letter)]).raw
    print(f"{read.customer:<12} {read.day} {read.kind.value}")

# %% [markdown]
# ## A longer text: who says what at the tea party
#
# All direct speech of a chapter, as a list. A regular expression finds the same quotation marks, so what the
# model found can be checked.

# %%
import re


class TeaParty(BaseModel):
    """What is said aloud in a text."""

    speeches: list[str] = Field(description="Every piece of direct speech, word for word")


text = Path("data/alice.txt").read_text(encoding="utf-8")
spoken = re.findall("“([^”]+)”", text)
found = llm.with_structured_output(TeaParty).invoke(text).speeches
hits = set(found) & set(spoken)
print(f"{len(found)} found, {len(hits)} of the {len(set(spoken))} that there are")
for speech in found[:4]:
    print("-", speech)

# %% [markdown]
# How long do they speak? Each bar is one speech.

# %%
import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 72
lengths = [len(speech.split()) for speech in found]
names = [speech if len(speech) < 34 else speech[:32] + "…" for speech in found]
figure, axes = plt.subplots(figsize=(8, 4.8))
axes.barh(range(len(found)), lengths, color="#4c6a92")
axes.set_yticks(range(len(found)), names, fontsize=9)
axes.invert_yaxis()
axes.set_xlabel("words")
axes.set_title("The tea party, speech by speech")
axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# ## What xAI cannot enforce
#
# Schemas are brought to what xAI takes. What it cannot enforce is told to the model in the description, with a
# warning, so that nothing gets lost in silence.

# %%
import warnings


class Port(BaseModel):
    """A port."""

    name: str = Field(description="Its name")
    position: tuple[float, float] = Field(description="Latitude and longitude")
    history: str = Field(description="What is known of it", max_length=5000)


with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    port = llm.with_structured_output(Port).invoke(
        "'Bergen' lies at 60.4 north, 5.3 east. history: founded by a king."
    )
print(repr(port))
print(*(str(warning.message) for warning in told), sep="\n")
