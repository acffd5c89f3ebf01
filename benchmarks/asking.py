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
    """Somebody who can be asked. What one cannot do raises NotImplementedError."""

    name = ""
    slow = False
    """Whether a quick run has no time for it."""

    def invoke(self) -> Any:
        """Asks for one short answer."""
        raise NotImplementedError

    def stream(self) -> int:
        """Asks for one stream, reads it to its end, and counts its pieces."""
        raise NotImplementedError

    def first(self) -> Iterator[Any]:
        """Asks for one stream, a piece at a time."""
        raise NotImplementedError

    def history(self) -> Any:
        """Asks with 500 messages and 20 tools."""
        raise NotImplementedError

    def picture(self) -> Any:
        """Asks for one picture of 1.5 MB."""
        raise NotImplementedError

    async def ainvoke(self) -> Any:
        """Asks for one short answer."""
        raise NotImplementedError

    async def astream(self) -> int:
        """Asks for one stream, and counts its pieces."""
        raise NotImplementedError


async def gather(ask: Callable[[], Awaitable[Any]], times: int) -> None:
    """Asks so many times at once."""
    await asyncio.gather(*(ask() for _ in range(times)))
