"""Agents and chains as applications build them."""

from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from langchain_xai_lowcode import ChatXAILowCode

Chat = Callable[..., ChatXAILowCode]
QUESTION = {"messages": [{"role": "user", "content": "How is the weather in 'Vienna'?"}]}


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}"


class Report(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


async def test_an_agent_calls_its_tool_and_answers(chat: Chat) -> None:
    """The loop of call, result and answer ends with a text that knows the result."""
    agent: Any = create_agent(chat(), tools=[get_weather])
    for messages in (
        agent.invoke(QUESTION)["messages"],
        (await agent.ainvoke(QUESTION))["messages"],
    ):
        assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
        assert "Sunny in Vienna" in messages[-1].text


def test_an_agent_streams_tokens(chat: Chat) -> None:
    """Token streaming through an agent gives more than one piece of the final text."""
    agent: Any = create_agent(chat(), tools=[get_weather])
    pieces = [chunk for chunk, _ in agent.stream(QUESTION, stream_mode="messages")]
    assert sum(1 for piece in pieces if piece.type == "AIMessageChunk" and piece.text) > 3


def test_an_agent_gives_a_structured_response(chat: Chat) -> None:
    """Both strategies end with an instance of the schema."""
    for strategy in (ProviderStrategy(Report), ToolStrategy(Report)):
        agent: Any = create_agent(chat(), tools=[get_weather], response_format=strategy)
        assert isinstance(agent.invoke(QUESTION)["structured_response"], Report)


def test_a_chain_of_prompt_model_and_parser(chat: Chat) -> None:
    """A model stands in a chain, which streams text."""
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
    chain = prompt | chat() | StrOutputParser()
    assert "".join(chain.stream({"question": "Hello"})) == chain.invoke({"question": "Hello"})
