"""What must be paid: the gateway called with httpx by hand, the bare frameworks, and both in one.

The bare frameworks are models that answer with a constant: what they cost is the framework's own.
By hand in a framework is the shortest model that works. It costs more than the sum of the two,
whose code runs undisturbed in loops of its own.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from asking import HISTORY, QUESTION, TOOLS, Contender
from frameworks import InLangChain, InLlamaIndex
from models import langchain_model, llama_model
from sources import Constant, HttpxSource


class HttpxByHand(Contender):
    """The gateway without a framework."""

    name = "httpx by hand"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        self.source = HttpxSource(address, api)
        self.pictures = f"{address}/v1/images/generations"

    def invoke(self) -> Any:
        """One short answer."""
        return self.source.answer(QUESTION)

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.first())

    def first(self) -> Iterator[Any]:
        """One stream, a word at a time."""
        return self.source.words(QUESTION)

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.source.answer(HISTORY, tools=TOOLS)

    def picture(self) -> Any:
        """One picture, as bytes."""
        body = {"model": "grok-imagine-image", "prompt": "x", "response_format": "b64_json"}
        answer = json.loads(self.source.client.post(self.pictures, json=body).content)
        return base64.b64decode(answer["data"][0]["b64_json"])

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.source.aanswer(QUESTION)

    async def astream(self) -> int:
        """One stream, to its end."""
        words = 0
        async for _ in self.source.awords(QUESTION):
            words += 1
        return words


class BareLangChain(InLangChain):
    """A LangChain chat model whose answer is a constant."""

    name = "bare LangChain"

    def __init__(self, words: int = 200) -> None:
        super().__init__(langchain_model(Constant(words)))


class BareLlamaIndex(InLlamaIndex):
    """A LlamaIndex model whose answer is a constant."""

    name = "bare LlamaIndex"

    def __init__(self, words: int = 200) -> None:
        super().__init__(llama_model(Constant(words)))


class ByHandInLangChain(InLangChain):
    """The shortest chat model of LangChain's that asks the gateway."""

    name = "by hand in LangChain"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        super().__init__(langchain_model(HttpxSource(address, api)))


class ByHandInLlamaIndex(InLlamaIndex):
    """The shortest model of LlamaIndex's that asks the gateway."""

    name = "by hand in LlamaIndex"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        super().__init__(llama_model(HttpxSource(address, api)))
