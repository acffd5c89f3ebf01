# %% [markdown]
# # First steps in LangChain
#
# Invoke, stream, call a tool, get structured output, and read token usage and cost with `ChatXAILowCode`.

# %% setup
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# ## Invoke
#
# A model created without arguments reads token and base URL from the environment. The response is an
# `AIMessage`.

# %%
from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
message = llm.invoke("Why is the sky blue? One sentence.")
print(message.text)

# %% [markdown]
# Token usage, with cached and reasoning tokens, and cost:

# %%
print(message.usage_metadata)
print("US dollars:", message.response_metadata["cost_usd"])

# %% [markdown]
# `grok-4.3` returns reasoning content, in content blocks before the text.

# %%
for block in message.content_blocks:
    print(f"{block['type']:>9}: {block.get('reasoning') or block.get('text')}")

# %% [markdown]
# ## Stream
#
# Each chunk is printed as it arrives, followed by a bar.

# %%
for chunk in llm.stream("Say 'One, two, three, four, five.'"):
    print(chunk.text, end="|" if chunk.text else "")

# %% [markdown]
# ## Message history
#
# A conversation is a list of messages; append responses unchanged. Earlier messages are read from the prompt
# cache, and cost less.

# %%
from langchain_core.messages import HumanMessage, SystemMessage

messages = [
    SystemMessage("You are the keeper of a lighthouse."),
    HumanMessage("Who goes there?"),
]
messages.append(llm.invoke(messages))
messages.append(HumanMessage("And who are you?"))
second = llm.invoke(messages)
print(second.text)
print("from the cache:", second.usage_metadata["input_token_details"]["cache_read"], "tokens")

# %% [markdown]
# ## Tool calling
#
# The model returns the function's name and arguments; the result is sent back as a `ToolMessage`. Notebook 3
# uses an agent for this loop.

# %%
from langchain_core.tools import tool


@tool
def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"Sunny, 23 degrees in {city}."


llm_with_tools = llm.bind_tools([get_weather])
question = HumanMessage("How is the weather in 'Vienna'?")
message = llm_with_tools.invoke([question])
for call in message.tool_calls:
    print(call["name"], call["args"])

# %%
results = [get_weather.invoke(call) for call in message.tool_calls]
print(llm_with_tools.invoke([question, message, *results]).text)

# %% [markdown]
# ## Structured output
#
# `with_structured_output` returns a validated instance of a class. Notebook 4 uses it on longer texts.

# %%
from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The full name")
    age: int = Field(description="The age in years")


facts = "'Ada Lovelace', 36, wrote the first published algorithm."
llm.with_structured_output(Person).invoke(facts)

# %% [markdown]
# ## Chains and batches
#
# The model is a Runnable, for chains and batches.

# %%
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

chain = ChatPromptTemplate.from_template("Say '{word}, ahoy!'") | llm | StrOutputParser()
print(chain.batch([{"word": word} for word in ("Ship", "Land", "Whale")]))

# %% [markdown]
# Async methods are `ainvoke`, `astream` and `abatch`. Notebooks support top-level `await`.

# %%
print((await llm.ainvoke("Say 'Good night.'")).text)
