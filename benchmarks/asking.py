"""What every contender is asked, and what it must be able to do."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

TOKEN = "at_" + "0" * 32
QUESTION = [{"role": "user", "content": "Hello?"}]
HISTORY = [
    {
        "role": "assistant" if number % 2 else "user",
        "content": f"Message {number} of a long conversation about towers, lamps and the sea.",
    }
    for number in range(499)
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": "Looks something up.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                "required": ["a"],
            },
        },
    }
    for number in range(20)
]


class Contender:
    """One implementation to measure. A request that it does not support raises NotImplementedError.

    ``measure`` leaves such a cell of the table empty.
    """

    name = ""
    slow = False
    """Whether a quick run leaves it out."""

    def invoke(self) -> Any:
        """Request one short response."""
        raise NotImplementedError

    def stream(self) -> int:
        """Request one stream, read it to its end, and count its chunks."""
        raise NotImplementedError

    def first(self) -> Iterator[Any]:
        """Request one stream, and yield its chunks."""
        raise NotImplementedError

    def history(self) -> Any:
        """Request a response to 500 messages with 20 tools."""
        raise NotImplementedError

    def picture(self) -> Any:
        """Request one image of 1.5 MB."""
        raise NotImplementedError

    async def ainvoke(self) -> Any:
        """Request one short response."""
        raise NotImplementedError

    async def astream(self) -> int:
        """Request one stream, and count its chunks."""
        raise NotImplementedError


async def gather(ask: Callable[[], Awaitable[Any]], times: int) -> None:
    """Asks so many times at once."""
    await asyncio.gather(*(ask() for _ in range(times)))
