"""This project, as a contender in both frameworks."""

from collections.abc import Iterator
from typing import Any

from asking import TOKEN, TOOLS, Contender
from floors import langchain_history, llama_history, llama_question, llama_tools


class OursInLangChain(Contender):
    """ChatXAILowCode."""

    name = "xai-lowcode, LangChain"
    family = "LangChain"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator

        reach: Any = {"base_url": f"{address}/xai", "api_token": TOKEN, "max_retries": 0}
        self.model = ChatXAILowCode(model="grok-4.7", api=api, **reach)
        self.generator = XAIImageGenerator(response_format="b64_json", **reach)
        self.bound = self.model.bind_tools(TOOLS)
        self.messages = langchain_history()

    def invoke(self) -> Any:
        """One short answer."""
        return self.model.invoke("Hello?")

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.model.stream("Hello?"))

    def first(self) -> Iterator[Any]:
        """One stream, a piece at a time."""
        return self.model.stream("Hello?")

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.bound.invoke(self.messages)

    def picture(self) -> Any:
        """One picture, as a content block."""
        return self.generator.invoke("x")

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.model.ainvoke("Hello?")

    async def astream(self) -> int:
        """One stream, to its end."""
        pieces = 0
        async for _ in self.model.astream("Hello?"):
            pieces += 1
        return pieces


class OursInLlamaIndex(Contender):
    """XAILowCode."""

    name = "xai-lowcode, LlamaIndex"
    family = "LlamaIndex"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        from llama_index_xai_lowcode import XAIImageGenerator, XAILowCode

        reach: Any = {"base_url": f"{address}/xai", "api_token": TOKEN, "max_retries": 0}
        self.model = XAILowCode(model="grok-4.7", api=api, **reach)
        self.generator = XAIImageGenerator(**reach)
        self.messages, self.tools = llama_history(), llama_tools()

    def invoke(self) -> Any:
        """One short answer."""
        return self.model.chat(llama_question())

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.model.stream_chat(llama_question()))

    def first(self) -> Iterator[Any]:
        """One stream, a piece at a time."""
        return self.model.stream_chat(llama_question())

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.model.chat_with_tools(self.tools, chat_history=self.messages)

    def picture(self) -> Any:
        """One picture, as an image block."""
        return self.generator.generate("x", response_format="b64_json")

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.model.achat(llama_question())

    async def astream(self) -> int:
        """One stream, to its end."""
        pieces = 0
        async for _ in await self.model.astream_chat(llama_question()):
            pieces += 1
        return pieces
