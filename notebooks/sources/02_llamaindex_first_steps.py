# %% [markdown]
# # First steps in LlamaIndex
#
# Complete, chat, stream, call a tool, fill an object, and see what it cost: five minutes with `XAILowCode`.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## Ask
#
# A model that is made without arguments finds token and address in the environment.

# %%
from llama_index_xai_lowcode import XAILowCode

llm = XAILowCode(model="grok-4.3")
answer = llm.complete("Why is the sky blue? One sentence.")
print(answer.text)

# %% [markdown]
# What it used is in `additional_kwargs`; xAI's own words, cost included, are in `raw`. Costs are in ticks of
# 10⁻¹⁰ US dollars.

# %%
print({name: used for name, used in answer.additional_kwargs.items() if name.endswith("tokens")})
print("US dollars:", answer.raw["usage"]["cost_in_usd_ticks"] / 10**10)

# %% [markdown]
# ## Chat
#
# Answers are messages of blocks: `grok-4.3` lets its thoughts be read, and they come before the text. An
# answer goes back into the conversation as it is.

# %%
from llama_index.core.llms import ChatMessage

messages = [
    ChatMessage("You are the keeper of a lighthouse.", role="system"),
    ChatMessage("Who goes there?"),
]
first = llm.chat(messages).message
for block in first.blocks:
    text = block.content if block.block_type == "thinking" else block.text
    print(f"{block.block_type:>8}: {text}")

# %%
messages += [first, ChatMessage("And who are you?")]
print(llm.chat(messages).message.content)

# %% [markdown]
# ## Stream
#
# Every piece is shown between bars as it comes; thoughts come as `thinking_delta`.

# %%
for piece in llm.stream_complete("Say 'One, two, three, four, five.'"):
    print(piece.delta, end="|" if piece.delta else "")

# %% [markdown]
# ## Call a tool
#
# `predict_and_call` does it in one go; `chat_with_tools` lets you look at the call first.

# %%
from llama_index.core.tools import FunctionTool


def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"Sunny, 23 degrees in {city}."


weather = FunctionTool.from_defaults(get_weather)
question = "How is the weather in 'Vienna'?"
for call in llm.get_tool_calls_from_response(llm.chat_with_tools([weather], question)):
    print(call.tool_name, call.tool_kwargs)
print(llm.predict_and_call([weather], question))

# %% [markdown]
# ## Fill an object

# %%
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The full name")
    age: int = Field(description="The age in years")


facts = "'Ada Lovelace', 36, wrote the first published algorithm."
llm.structured_predict(Person, PromptTemplate("{facts}"), facts=facts)

# %% [markdown]
# ## The model of all components
#
# Put into `Settings`, it answers wherever LlamaIndex needs a model: in engines, agents, extractors.

# %%
from llama_index.core import Settings, SummaryIndex
from llama_index.core.schema import TextNode

Settings.llm = llm
notes = [
    TextNode(text="The lamp was lit at dusk."),
    TextNode(text="A ship passed at four."),
]
engine = SummaryIndex(notes).as_query_engine(response_mode="compact")
print(engine.query("Say 'Nothing but a ship.'"))

# %% [markdown]
# The same with `await`: `acomplete`, `achat`, `astream_chat`. A notebook may await anywhere.

# %%
print((await llm.acomplete("Say 'Good night.'")).text)
