"""The core's model behind a few words, without a framework."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

from tests.faults.prompt import PROMPT
from xai_lowcode import Settings
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

REQUEST = ChatRequest(model="grok-4.7", messages=(Message("user", (TextPart(PROMPT),)),))


class Core:
    """The core's own model."""

    def __init__(self, **options: Any) -> None:
        self.model = ChatModel(Settings.create(**options))

    def answer(self) -> str:
        """A whole answer."""
        return self.model.generate(REQUEST).text

    async def aanswer(self) -> str:
        """The same from a coroutine."""
        return (await self.model.agenerate(REQUEST)).text

    def stream(self) -> Generator[Any, None, None]:
        """An answer piece by piece."""
        return self.model.stream(REQUEST)

    def astream(self) -> AsyncGenerator[Any, None]:
        """The same from a coroutine."""
        return self.model.astream(REQUEST)

    def close(self) -> None:
        """Closes the sync connections."""
        self.model.client.close()

    async def aclose(self) -> None:
        """Closes the loop's connections."""
        await self.model.async_client.aclose()
