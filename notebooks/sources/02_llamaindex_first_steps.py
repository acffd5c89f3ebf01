# %% [markdown]
# # First steps in LlamaIndex
#
# Complete, chat, stream, call a tool, get structured output, and read token usage and cost with `XAILowCode`.

# %% setup
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# ## Complete
#
# A model created without arguments reads token and base URL from the environment.

# %%
from llama_index_xai_lowcode import XAILowCode

llm = XAILowCode(model="grok-4.3")
response = llm.complete("Why is the sky blue? One sentence.")
print(response.text)

# %% [markdown]
# Token usage is in `additional_kwargs`; xAI's own response, cost included, is in `raw`. Costs are in ticks of
# 10⁻¹⁰ US dollars.

# %%
print(
    {name: count for name, count in response.additional_kwargs.items() if name.endswith("tokens")}
)
print("US dollars:", response.raw["usage"]["cost_in_usd_ticks"] / 10**10)

# %% [markdown]
# ## Chat
#
# Messages consist of blocks: `grok-4.3` returns reasoning content in a `ThinkingBlock` before the text. Append
# responses to the conversation unchanged.

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
# Each chunk is printed as it arrives, followed by a bar; reasoning content is in `thinking_delta`.

# %%
for chunk in llm.stream_complete("Say 'One, two, three, four, five.'"):
    print(chunk.delta, end="|" if chunk.delta else "")

# %% [markdown]
# ## Tool calling
#
# `chat_with_tools` returns the tool calls; `predict_and_call` also runs them.

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
# ## Structured output

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
# ## Default model
#
# `Settings.llm` is the model that engines, agents and extractors use by default.

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
# Async methods are `acomplete`, `achat` and `astream_chat`. Notebooks support top-level `await`.

# %%
print((await llm.acomplete("Say 'Good night.'")).text)
