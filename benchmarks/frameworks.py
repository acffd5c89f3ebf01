"""How any model is asked in each framework: what contenders of one framework have in common."""

from collections.abc import Iterator
from typing import Any

from asking import QUESTION, TOOLS, Contender
from models import langchain_history, llama_history, llama_tools


class InLangChain(Contender):
    """Any chat model of LangChain's."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.bound = model.bind_tools(TOOLS)
        self.messages = langchain_history()

    def invoke(self) -> Any:
        """One short answer."""
        return self.model.invoke("Hello?")

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.model.stream("Hello?"))

    def first(self) -> Iterator[Any]:
        """One stream, a piece at a time."""
        pieces: Iterator[Any] = self.model.stream("Hello?")
        return pieces

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.bound.invoke(self.messages)

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.model.ainvoke("Hello?")

    async def astream(self) -> int:
        """One stream, to its end."""
        pieces = 0
        async for _ in self.model.astream("Hello?"):
            pieces += 1
        return pieces


class InLlamaIndex(Contender):
    """Any model of LlamaIndex's."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.messages, self.tools = llama_history(), llama_tools()
        self.question = llama_history(QUESTION)

    def invoke(self) -> Any:
        """One short answer."""
        return self.model.chat(self.question)

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.first())

    def first(self) -> Iterator[Any]:
        """One stream, a piece at a time."""
        pieces: Iterator[Any] = self.model.stream_chat(self.question)
        return pieces

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.model.chat_with_tools(self.tools, chat_history=self.messages)

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.model.achat(self.question)

    async def astream(self) -> int:
        """One stream, to its end."""
        pieces = 0
        async for _ in await self.model.astream_chat(self.question):
            pieces += 1
        return pieces
