"""The interface of a benchmarked client, and how models of each framework implement it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

from benchmarks.inputs import (
    API,
    CONVERSATION,
    PROMPT,
    PROMPT_MESSAGES,
    TOOLS,
    ClientConfig,
    to_langchain_messages,
    to_llama_index_messages,
    to_llama_index_tools,
)


class Client(ABC):
    """A client whose CPU time is measured.

    Clients that can generate images also have a method ``generate_image()``.

    Attributes:
        name: Name in the tables.
        apis: APIs that the client supports.
    """

    name: ClassVar[str]
    apis: ClassVar[frozenset[API]] = frozenset({"responses", "chat_completions"})

    @abstractmethod
    def __init__(self, config: ClientConfig) -> None: ...

    @abstractmethod
    def generate(self) -> Any:
        """Request a response to a short prompt."""

    @abstractmethod
    def generate_with_tools(self) -> Any:
        """Request a response to a conversation of about 500 messages, with 20 tools."""

    @abstractmethod
    def stream(self) -> Iterator[Any]:
        """Request a stream, and return an iterator over its chunks."""

    @abstractmethod
    async def agenerate(self) -> Any:
        """Request a response to a short prompt asynchronously."""

    @abstractmethod
    async def astream(self) -> AsyncIterator[Any]:
        """Request a stream asynchronously, and return an iterator over its chunks."""

    def read_stream(self) -> None:
        """Request a stream and read it to its end."""
        for _ in self.stream():
            pass

    def read_first_chunk(self) -> Iterator[Any]:
        """Request a stream, read its first chunk, and return the rest of the stream."""
        chunks = self.stream()
        next(chunks)
        return chunks

    async def aread_stream(self) -> None:
        """Request a stream asynchronously and read it to its end."""
        async for _ in await self.astream():
            pass


class LangChainClient(Client):
    """A chat model of LangChain."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._model_with_tools = model.bind_tools(TOOLS)
        self._conversation = to_langchain_messages(CONVERSATION)

    def generate(self) -> Any:
        """Request a response to a short prompt."""
        return self.model.invoke(PROMPT)

    def generate_with_tools(self) -> Any:
        """Request a response to a long conversation, with tools that are already bound."""
        return self._model_with_tools.invoke(self._conversation)

    def stream(self) -> Iterator[Any]:
        """Request a stream, and return an iterator over its chunks."""
        return iter(self.model.stream(PROMPT))

    async def agenerate(self) -> Any:
        """Request a response to a short prompt asynchronously."""
        return await self.model.ainvoke(PROMPT)

    async def astream(self) -> AsyncIterator[Any]:
        """Request a stream asynchronously, and return an iterator over its chunks."""
        return aiter(self.model.astream(PROMPT))


class LlamaIndexClient(Client):
    """An LLM of LlamaIndex."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._prompt = to_llama_index_messages(PROMPT_MESSAGES)
        self._conversation = to_llama_index_messages(CONVERSATION)
        self._tools = to_llama_index_tools(TOOLS)

    def generate(self) -> Any:
        """Request a response to a short prompt."""
        return self.model.chat(self._prompt)

    def generate_with_tools(self) -> Any:
        """Request a response to a long conversation, with tools."""
        return self.model.chat_with_tools(self._tools, chat_history=self._conversation)

    def stream(self) -> Iterator[Any]:
        """Request a stream, and return an iterator over its chunks."""
        return iter(self.model.stream_chat(self._prompt))

    async def agenerate(self) -> Any:
        """Request a response to a short prompt asynchronously."""
        return await self.model.achat(self._prompt)

    async def astream(self) -> AsyncIterator[Any]:
        """Request a stream asynchronously, and return an iterator over its chunks."""
        return aiter(await self.model.astream_chat(self._prompt))
