"""LlamaIndex's LLM behind the words of ``core_component``."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from tests.faults.prompt import PROMPT

MESSAGES = [ChatMessage(PROMPT)]


class LlamaIndex:
    """LlamaIndex's LLM."""

    def __init__(self, **options: Any) -> None:
        self.model = XAILowCode(**options)

    def answer(self) -> str:
        """A whole answer."""
        return str(self.model.chat(MESSAGES).message.content)

    async def aanswer(self) -> str:
        """The same from a coroutine."""
        return str((await self.model.achat(MESSAGES)).message.content)

    def stream(self) -> Any:
        """An answer piece by piece."""
        return self.model.stream_chat(MESSAGES)

    async def astream(self) -> AsyncGenerator[Any, None]:
        """The same from a coroutine."""
        async with aclosing(await self.model.astream_chat(MESSAGES)) as pieces:
            async for piece in pieces:
                yield piece

    def close(self) -> None:
        """Closes the sync connections."""
        self.model.close()

    async def aclose(self) -> None:
        """Closes the loop's connections."""
        await self.model.aclose()
