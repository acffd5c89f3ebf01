"""LangChain's chat model with the methods of ``core_component``."""

from typing import Any

from langchain_xai_lowcode import ChatXAILowCode
from tests.faults.prompt import PROMPT


class LangChain:
    """LangChain's chat model."""

    def __init__(self, **options: Any) -> None:
        self.model = ChatXAILowCode(**options)

    def answer(self) -> str:
        """Return the text of a whole response."""
        return str(self.model.invoke(PROMPT).text)

    async def aanswer(self) -> str:
        """Return the text of a whole response, from a coroutine."""
        return str((await self.model.ainvoke(PROMPT)).text)

    def stream(self) -> Any:
        """Return the chunks of a stream."""
        return self.model.stream(PROMPT)

    def astream(self) -> Any:
        """Return the chunks of an async stream."""
        return self.model.astream(PROMPT)

    def close(self) -> None:
        """Close the sync connections."""
        self.model.close()

    async def aclose(self) -> None:
        """Close the connections of the event loop."""
        await self.model.aclose()
