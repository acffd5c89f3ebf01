# %% [markdown]
# # Tools and agents
#
# One question that needs two tools at once, in LangChain's `create_agent` and in LlamaIndex's
# `FunctionAgent`; watching an agent while it works; and tools that xAI itself runs, beside your own.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# Two functions, plain Python. The frameworks read their names, docstrings and annotations.

# %%
WEATHER = {"Vienna": "sunny, 23 degrees", "Reykjavik": "rain, 9 degrees"}


def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"In {city}: {WEATHER.get(city, 'unknown')}"


def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


QUESTION = "How is the weather in 'Vienna'? And multiply 23 by 1.8."

# %% [markdown]
# ## LangChain: `create_agent`
#
# The agent asks the model, calls what it wants called, and asks again, until there is an answer. Both calls
# come in one message: the tools run side by side.

# %%
from langchain.agents import create_agent

from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
agent = create_agent(llm, tools=[get_weather, multiply])
state = agent.invoke({"messages": QUESTION})


def tell(messages: list) -> None:
    """Prints who said what."""
    for message in messages:
        calls = [f"{call['name']}({call['args']})" for call in getattr(message, "tool_calls", [])]
        print(f"{message.type:>6}: {message.text or ' and '.join(calls)}")


tell(state["messages"])

# %% [markdown]
# ### Watching it
#
# Two views at once: `updates` are the agent's steps, `messages` the pieces of the text.

# %%
for mode, seen in agent.stream({"messages": QUESTION}, stream_mode=["updates", "messages"]):
    if mode == "updates":
        print(f"\n[{', '.join(seen)} has finished]")
    elif seen[0].type == "AIMessageChunk":
        print(seen[0].text, end="")

# %% [markdown]
# ### An agent that ends with an object
#
# With a `response_format` the last answer is an instance of a class.

# %%
from pydantic import BaseModel


class Report(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


reporter = create_agent(llm, tools=[get_weather], response_format=Report)
reporter.invoke({"messages": "How is the weather in 'Vienna'?"})["structured_response"]

# %% [markdown]
# ## LlamaIndex: `FunctionAgent`
#
# The same functions. The agent's events come as they happen.

# %%
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult

from llama_index_xai_lowcode import XAILowCode

worker = FunctionAgent(tools=[get_weather, multiply], llm=XAILowCode(model="grok-4.3"))
handler = worker.run(QUESTION)
found = []
async for event in handler.stream_events():
    match event:
        case ToolCallResult():
            found.append(f"{event.tool_name}({event.tool_kwargs}) -> {event.tool_output}")
        case AgentStream():
            print(event.delta, end="")
await handler
print("\n", *sorted(found), sep="\n")

# %% [markdown]
# A memory keeps the conversation, calls and results included; the second question knows the first.

# %%
from llama_index.core.memory import Memory

memory = Memory.from_defaults(session_id="harbour", token_limit=40_000)
await worker.run("Multiply 6 by 7.", memory=memory)
print(await worker.run("Say 'Forty-two it is.'", memory=memory))
print([message.role.value for message in await memory.aget_all()])

# %% [markdown]
# ## Tools that xAI runs
#
# Searching the web or X, running code and searching files happen at xAI, inside one call: no loop, no function
# of yours. They stand beside your own tools, and their sources come with their places in the text.

# %%
from langchain_xai_lowcode import web_search

searching = ChatXAILowCode(model="grok-4.3").bind_tools([web_search()])
answer = searching.invoke("Search the web for lighthouses.")
for block in answer.content_blocks:
    match block["type"]:
        case "server_tool_call":
            print("xAI ran", block["name"], block["args"])
        case "text":
            print(block["text"])
            print([source["url"] for source in block.get("annotations", [])])

# %%
from llama_index_xai_lowcode import web_search as searching_tool

researcher = FunctionAgent(tools=[searching_tool(), multiply], llm=XAILowCode(model="grok-4.3"))
print(await researcher.run("Search the web for lighthouses."))
