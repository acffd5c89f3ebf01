# %% [markdown]
# # Structured output
#
# Extract objects from letters to a harbour office, and from the tea party in *Alice's Adventures in
# Wonderland* by Lewis Carroll (1865, chapter VII, abridged). The results are compared with what a regular expression finds.
#
# The emulator fills objects from labels, quotations, numbers, dates and addresses in the prompt. Its accuracy
# is unrelated to Grok's.

# %% setup matplotlib
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# ## The schema
#
# A pydantic class defines the schema. The model reads the field descriptions; xAI enforces types, formats and
# enums.

# %%
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field


class Kind(StrEnum):
    """The purpose of a letter."""

    ORDER = "deliver"
    COMPLAINT = "complaint"
    QUESTION = "question"


class Letter(BaseModel):
    """A letter to the harbour office."""

    customer: str = Field(description="The sender's name")
    mail: str = Field(description="The sender's address", json_schema_extra={"format": "email"})
    day: date = Field(description="The date that the letter mentions")
    amount: int = Field(description="The first number in the letter")
    kind: Kind


letters = [
    """\
Dear harbour office,
please deliver 12 lamp wicks and 3 barrels of oil to the lighthouse by 2026-03-14.
customer: Ida Brandt
The bill goes to ida.brandt@lighthouse.example, and it is urgent: the storm season has begun.
""",
    """\
Good day,
we sent back 2 of the brass lenses on 2026-04-02, since both came scratched.
customer: Jonas Holm
This is a complaint. Please answer to j.holm@keepers.example.
""",
    """\
To whom it may concern,
how much would 40 fathoms of rope cost, delivered on 2026-05-20?
customer: Marta Silva
It is only a question, with no hurry. Write to marta@silva-shipping.example.
""",
]
print(letters[0])

# %% [markdown]
# ## LangChain
#
# `with_structured_output` has three methods: a JSON schema enforced by xAI (the default), a forced tool call,
# and JSON mode.

# %%
from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
structured_llm = llm.with_structured_output(Letter)
for letter in structured_llm.batch(letters):
    print(letter.model_dump(mode="json"))

# %%
for method in ("json_schema", "function_calling"):
    parsed = llm.with_structured_output(Letter, method=method).batch(letters)
    print(f"{method:>16}:", [letter.customer for letter in parsed])

# %% [markdown]
# ### Raw message and parsing errors
#
# `include_raw=True` also returns the message, with usage and cost, and returns an error as `parsing_error`
# instead of raising it.

# %%
result = llm.with_structured_output(Letter, include_raw=True).invoke(letters[1])
print(result["parsed"].kind, result["parsing_error"], result["raw"].usage_metadata["total_tokens"])

# %% [markdown]
# ## LlamaIndex
#
# `as_structured_llm` returns a model whose responses are objects; `structured_predict` returns one for a prompt.

# %%
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode

structured_llm = XAILowCode(model="grok-4.3").as_structured_llm(Letter)
for letter in letters:
    parsed = structured_llm.chat([ChatMessage(letter)]).raw
    print(f"{parsed.customer:<12} {parsed.day} {parsed.kind.value}")

# %% [markdown]
# ## Extraction from a longer text
#
# Extract all direct speech of a chapter as a list, and compare it with a regular expression for quotation
# marks.

# %%
import re


class TeaParty(BaseModel):
    """The direct speech in a text."""

    speeches: list[str] = Field(description="Each direct speech, quoted exactly")


text = """\
There was a table set out under a tree in front of the house, and the March Hare and the Hatter were having tea at it: a Dormouse was sitting between them, fast asleep, and the other two were using it as a cushion, resting their elbows on it, and talking over its head. “Very uncomfortable for the Dormouse,” thought Alice; “only, as it’s asleep, I suppose it doesn’t mind.”

The table was a large one, but the three were all crowded together at one corner of it: “No room! No room!” they cried out when they saw Alice coming. “There’s plenty of room!” said Alice indignantly, and she sat down in a large arm-chair at one end of the table.

“Have some wine,” the March Hare said in an encouraging tone.

Alice looked all round the table, but there was nothing on it but tea. “I don’t see any wine,” she remarked.

“There isn’t any,” said the March Hare.

“Then it wasn’t very civil of you to offer it,” said Alice angrily.

“It wasn’t very civil of you to sit down without being invited,” said the March Hare.

“I didn’t know it was your table,” said Alice; “it’s laid for a great many more than three.”

“Your hair wants cutting,” said the Hatter. He had been looking at Alice for some time with great curiosity, and this was his first speech.

“You should learn not to make personal remarks,” Alice said with some severity; “it’s very rude.”

The Hatter opened his eyes very wide on hearing this; but all he said was, “Why is a raven like a writing-desk?”
"""
expected = re.findall("“([^”]+)”", text)
speeches = llm.with_structured_output(TeaParty).invoke(text).speeches
correct = set(speeches) & set(expected)
print(f"{len(speeches)} extracted, {len(correct)} of {len(set(expected))} expected")
for speech in speeches[:4]:
    print("-", speech)

# %% [markdown]
# The length of each speech in words.

# %% inline
from _plotting import plt, show

# %%
lengths = [len(speech.split()) for speech in speeches]
names = [speech if len(speech) < 34 else speech[:32] + "…" for speech in speeches]
figure, axes = plt.subplots(figsize=(8, 4.8))
axes.barh(range(len(speeches)), lengths)
axes.set_yticks(range(len(speeches)), names, fontsize=10)
axes.invert_yaxis()
axes.set_xlabel("Length (words)")
axes.set_title("Extracted direct speech")
longest = max(lengths)
show(
    figure,
    f"Bar chart of the length of {len(speeches)} extracted speeches; the longest has {longest} words.",
)

# %% [markdown]
# ## Constraints that xAI cannot enforce
#
# Schemas are converted to what xAI accepts. Constraints that it cannot enforce are added to the field's
# description, with a warning.

# %%
import warnings


class Port(BaseModel):
    """A port."""

    name: str = Field(description="The port's name")
    position: tuple[float, float] = Field(description="Latitude and longitude")
    history: str = Field(description="The port's history", max_length=5000)


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    port = llm.with_structured_output(Port).invoke(
        "'Bergen' lies at 60.4 north, 5.3 east. history: founded by a king."
    )
print(repr(port))
print(*(str(warning.message) for warning in caught), sep="\n")
