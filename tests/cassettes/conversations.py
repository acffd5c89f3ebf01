"""Conversations, one for each feature and framework, that are recorded and replayed.

Each is what an application would write, and checks what it was told.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode import XAIImageGenerator as LangChainPainter
from llama_index_xai_lowcode import XAIImageGenerator as LlamaIndexPainter
from llama_index_xai_lowcode import XAILowCode

MODEL = "grok-4.3"
QUESTION = "What is the capital of France? One word."
WEATHER = "How is the weather in 'Vienna'? Use the tool."
FACTS = "'Ada Lovelace' is 36 years old. Give name and age."

Connection = dict[str, Any]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"Sunny in {city}"


def langchain_answer(to: Connection) -> None:
    """A plain answer, with usage."""
    answer = ChatXAILowCode(model=MODEL, **to).invoke(QUESTION)
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > 0


def langchain_async_answer(to: Connection) -> None:
    """The same from a coroutine."""
    assert asyncio.run(ChatXAILowCode(model=MODEL, **to).ainvoke(QUESTION)).text


def langchain_stream(to: Connection) -> None:
    """A stream that ends with its usage."""
    chunks = list(ChatXAILowCode(model=MODEL, **to).stream(QUESTION))
    assert "".join(chunk.text for chunk in chunks)
    assert chunks[-1].usage_metadata is not None


def langchain_tool(to: Connection) -> None:
    """A call, its result, and the answer."""
    weather = tool(get_weather)
    llm = ChatXAILowCode(model=MODEL, **to).bind_tools([weather])
    call = llm.invoke(WEATHER)
    assert call.tool_calls[0]["name"] == "get_weather"
    identifier = str(call.tool_calls[0]["id"])
    result = ToolMessage("Sunny in Vienna", tool_call_id=identifier)
    assert llm.invoke([HumanMessage(WEATHER), call, result]).text


def langchain_object(to: Connection) -> None:
    """Structured output."""
    llm = ChatXAILowCode(model=MODEL, **to).with_structured_output(Person)
    assert llm.invoke(FACTS) == Person(name="Ada Lovelace", age=36)


def langchain_image(to: Connection) -> None:
    """The address of an image."""
    (image,) = LangChainPainter(**to).invoke("A lighthouse")
    assert image["url"].startswith("http")


def llama_index_answer(to: Connection) -> None:
    """A plain answer, with usage."""
    answer = XAILowCode(model=MODEL, **to).complete(QUESTION)
    assert answer.text
    assert answer.additional_kwargs["total_tokens"] > 0


def llama_index_async_answer(to: Connection) -> None:
    """The same from a coroutine."""
    assert asyncio.run(XAILowCode(model=MODEL, **to).acomplete(QUESTION)).text


def llama_index_stream(to: Connection) -> None:
    """A stream that ends with its usage."""
    chunks = list(XAILowCode(model=MODEL, **to).stream_complete(QUESTION))
    assert "".join(chunk.delta or "" for chunk in chunks) == chunks[-1].text
    assert chunks[-1].additional_kwargs["total_tokens"] > 0


def llama_index_tool(to: Connection) -> None:
    """A call, its result, and the answer."""
    llm, weather = XAILowCode(model=MODEL, **to), FunctionTool.from_defaults(get_weather)
    call = llm.chat_with_tools([weather], WEATHER)
    (selection,) = llm.get_tool_calls_from_response(call)
    assert selection.tool_name == "get_weather"
    answered = {"tool_call_id": selection.tool_id}
    result = ChatMessage(role="tool", content="Sunny in Vienna", additional_kwargs=answered)
    assert llm.chat([ChatMessage(role="user", content=WEATHER), call.message, result])


def llama_index_object(to: Connection) -> None:
    """Structured output."""
    llm = XAILowCode(model=MODEL, **to)
    person = llm.structured_predict(Person, PromptTemplate("{facts}"), facts=FACTS)
    assert person == Person(name="Ada Lovelace", age=36)


def llama_index_image(to: Connection) -> None:
    """The address of an image."""
    (image,) = LlamaIndexPainter(**to).generate("A lighthouse")
    assert str(image.url).startswith("http")


CONVERSATIONS: dict[str, Callable[[Connection], None]] = {
    conversation.__name__: conversation
    for conversation in (
        langchain_answer,
        langchain_async_answer,
        langchain_stream,
        langchain_tool,
        langchain_object,
        langchain_image,
        llama_index_answer,
        llama_index_async_answer,
        llama_index_stream,
        llama_index_tool,
        llama_index_object,
        llama_index_image,
    )
}
