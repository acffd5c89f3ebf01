"""LangChain's chat model behind the words of ``core_component``."""

from typing import Any

from langchain_xai_lowcode import ChatXAILowCode
from tests.faults.prompt import PROMPT


class LangChain:
    """LangChain's chat model."""

    def __init__(self, **options: Any) -> None:
        self.model = ChatXAILowCode(**options)

    def answer(self) -> str:
        """A whole answer."""
        return str(self.model.invoke(PROMPT).text)

    async def aanswer(self) -> str:
        """The same from a coroutine."""
        return str((await self.model.ainvoke(PROMPT)).text)

    def stream(self) -> Any:
        """An answer piece by piece."""
        return self.model.stream(PROMPT)

    def astream(self) -> Any:
        """The same from a coroutine."""
        return self.model.astream(PROMPT)

    def close(self) -> None:
        """Closes the sync connections."""
        self.model.close()

    async def aclose(self) -> None:
        """Closes the loop's connections."""
        await self.model.aclose()
