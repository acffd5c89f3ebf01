"""LlamaIndex's LLM with the methods of ``core_component``."""

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
        """Return the text of a whole response."""
        return str(self.model.chat(MESSAGES).message.content)

    async def aanswer(self) -> str:
        """Return the text of a whole response, from a coroutine."""
        return str((await self.model.achat(MESSAGES)).message.content)

    def stream(self) -> Any:
        """Return the chunks of a stream."""
        return self.model.stream_chat(MESSAGES)

    async def astream(self) -> AsyncGenerator[Any, None]:
        """Yield the chunks of an async stream."""
        async with aclosing(await self.model.astream_chat(MESSAGES)) as chunks:
            async for chunk in chunks:
                yield chunk

    def close(self) -> None:
        """Close the sync connections."""
        self.model.close()

    async def aclose(self) -> None:
        """Close the connections of the event loop."""
        await self.model.aclose()
