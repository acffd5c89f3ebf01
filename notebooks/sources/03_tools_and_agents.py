# %% [markdown]
# # Tool calling and agents
#
# Parallel tool calls in LangChain's `create_agent` and in LlamaIndex's `FunctionAgent`; streaming an agent's
# steps; and server-side tools, together with your own.

# %% setup langchain
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# Two Python functions. The frameworks read their names, docstrings and type annotations.

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
# The agent calls the model, runs the tools that the model calls, and repeats until there is a final response.
# Both calls are in one message: the tools run in parallel.

# %%
from langchain.agents import create_agent

from langchain_xai_lowcode import ChatXAILowCode

llm = ChatXAILowCode(model="grok-4.3")
agent = create_agent(llm, tools=[get_weather, multiply])
state = agent.invoke({"messages": QUESTION})


def print_messages(messages: list) -> None:
    """Print each message with its type."""
    for message in messages:
        calls = [f"{call['name']}({call['args']})" for call in getattr(message, "tool_calls", [])]
        print(f"{message.type:>6}: {message.text or ' and '.join(calls)}")


print_messages(state["messages"])

# %% [markdown]
# ### Streaming
#
# Two stream modes at once: `updates` are the agent's steps, `messages` the text chunks.

# %%
for mode, event in agent.stream({"messages": QUESTION}, stream_mode=["updates", "messages"]):
    if mode == "updates":
        print(f"\n[{', '.join(event)} has finished]")
    elif event[0].type == "AIMessageChunk":
        print(event[0].text, end="")

# %% [markdown]
# ### Structured output of an agent
#
# With a `response_format` the agent returns an instance of a class in `structured_response`.

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
# The same functions. The agent's events are streamed.

# %%
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult

from llama_index_xai_lowcode import XAILowCode

agent = FunctionAgent(tools=[get_weather, multiply], llm=XAILowCode(model="grok-4.3"))
handler = agent.run(QUESTION)
results = []
async for event in handler.stream_events():
    match event:
        case ToolCallResult():
            results.append(f"{event.tool_name}({event.tool_kwargs}) -> {event.tool_output}")
        case AgentStream():
            print(event.delta, end="")
await handler
print("\n", *sorted(results), sep="\n")

# %% [markdown]
# A memory stores the conversation between runs, tool calls and results included.

# %%
from llama_index.core.memory import Memory

memory = Memory.from_defaults(session_id="harbour", token_limit=40_000)
await agent.run("Multiply 6 by 7.", memory=memory)
print(await agent.run("Say 'Forty-two it is.'", memory=memory))
print([message.role.value for message in await memory.aget_all()])

# %% [markdown]
# ## Server-side tools and citations
#
# xAI runs web and X search, code execution and file search itself, inside one call. Server-side tools can be
# combined with your own, and citations have positions in the text.

# %%
from langchain_xai_lowcode import web_search

llm_with_search = ChatXAILowCode(model="grok-4.3").bind_tools([web_search()])
message = llm_with_search.invoke("Search the web for lighthouses.")
for block in message.content_blocks:
    match block["type"]:
        case "server_tool_call":
            print("server-side call:", block["name"], block["args"])
        case "text":
            print(block["text"])
            print([source["url"] for source in block.get("annotations", [])])

# %%
from llama_index_xai_lowcode import web_search as web_search_tool

researcher = FunctionAgent(tools=[web_search_tool(), multiply], llm=XAILowCode(model="grok-4.3"))
print(await researcher.run("Search the web for lighthouses."))
