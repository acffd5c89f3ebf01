"""The core's model, without a framework."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

from tests.faults.prompt import PROMPT
from xai_lowcode import Settings
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

REQUEST = ChatRequest(model="grok-4.7", messages=(Message("user", (TextPart(PROMPT),)),))


class Core:
    """The core's model; the other components have the same methods."""

    def __init__(self, **options: Any) -> None:
        self.model = ChatModel(Settings.create(**options))

    def answer(self) -> str:
        """Return the text of a whole response."""
        return self.model.generate(REQUEST).text

    async def aanswer(self) -> str:
        """Return the text of a whole response, from a coroutine."""
        return (await self.model.agenerate(REQUEST)).text

    def stream(self) -> Generator[Any, None, None]:
        """Return the events of a stream."""
        return self.model.stream(REQUEST)

    def astream(self) -> AsyncGenerator[Any, None]:
        """Return the events of an async stream."""
        return self.model.astream(REQUEST)

    def close(self) -> None:
        """Close the sync connections."""
        self.model.client.close()

    async def aclose(self) -> None:
        """Close the connections of the event loop."""
        await self.model.async_client.aclose()
