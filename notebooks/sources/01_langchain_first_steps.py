# %% [markdown]
# # First steps in LangChain
#
# Ask, stream, call a tool, fill an object, and see what it cost: five minutes with `ChatXAILowCode`.
#
# The first cell is the same in all notebooks. With a LowCodeAPI token in `LOWCODEAPI_API_TOKEN` it connects
# to Grok; without one it starts the emulator of the gateway on this machine, and says so.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## Ask
#
# A model that is made without arguments finds token and address in the environment. The answer is an
# ordinary `AIMessage`.

# %%
from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
answer = llm.invoke("Why is the sky blue? One sentence.")
print(answer.text)

# %% [markdown]
# What it used, with the tokens that came from the cache and those that were thought, and what it cost:

# %%
print(answer.usage_metadata)
print("US dollars:", answer.response_metadata["cost_usd"])

# %% [markdown]
# `grok-4.3` lets its thoughts be read. They are content blocks of their own, before the text.

# %%
for block in answer.content_blocks:
    print(f"{block['type']:>9}: {block.get('reasoning') or block.get('text')}")

# %% [markdown]
# ## Stream
#
# Every piece is shown between bars as it comes.

# %%
for chunk in llm.stream("Say 'One, two, three, four, five.'"):
    print(chunk.text, end="|" if chunk.text else "")

# %% [markdown]
# ## Converse
#
# A conversation is a list of messages; answers go back into it as they are. What was said before comes from
# the cache, and costs less.

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
# ## Call a tool
#
# The model says which function it wants called with what; the result goes back as a `ToolMessage`.
# Notebook 3 leaves the loop to an agent.

# %%
from langchain_core.tools import tool


@tool
def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"Sunny, 23 degrees in {city}."


with_tool = llm.bind_tools([get_weather])
question = HumanMessage("How is the weather in 'Vienna'?")
asked = with_tool.invoke([question])
for call in asked.tool_calls:
    print(call["name"], call["args"])

# %%
results = [get_weather.invoke(call) for call in asked.tool_calls]
print(with_tool.invoke([question, asked, *results]).text)

# %% [markdown]
# ## Fill an object
#
# `with_structured_output` gives an instance of a class, checked. Notebook 4 does it with real texts.

# %%
from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The full name")
    age: int = Field(description="The age in years")


facts = "'Ada Lovelace', 36, wrote the first published algorithm."
llm.with_structured_output(Person).invoke(facts)

# %% [markdown]
# ## A chain, and several questions at once
#
# The model stands in chains like any other. tqdm shows how many responses have arrived.

# %%
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from tqdm.auto import tqdm

chain = ChatPromptTemplate.from_template("Say '{word}, ahoy!'") | llm | StrOutputParser()
words = [{"word": word} for word in ("Ship", "Land", "Whale")]
answers = dict(tqdm(chain.batch_as_completed(words), total=len(words)))
print([answers[number] for number in sorted(answers)])

# %% [markdown]
# The same with `await`: `ainvoke`, `astream`, `abatch`. A notebook may await anywhere.

# %%
print((await llm.ainvoke("Say 'Good night.'")).text)
