"""Both clients behind one pair of hands, so that a law is written once and holds for both."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any

from xai_lowcode.chat.model import ChatModel
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.steps import Call
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class Pauses(list[float]):
    """Seconds that were asked for, in order."""


class SyncHands:
    """The sync client."""

    def __init__(self, settings: Settings, http_client: Any = None) -> None:
        self.client = SyncAPIClient(settings, http_client=http_client)

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Calls an endpoint."""
        return self.client.call(operation, **values)

    def stream(self, call: Call[Any]) -> list[bytes]:
        """Reads a stream to its end."""
        return list(self.client.stream(call))

    def close(self) -> None:
        """Closes the pool."""
        self.client.close()


class AsyncHands:
    """The async client, on a loop of its own that stays between calls."""

    def __init__(self, settings: Settings, http_client: Any = None) -> None:
        self.client = AsyncAPIClient(settings, http_client=http_client)
        self.runner = asyncio.Runner()

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Calls an endpoint."""
        return self.runner.run(self.client.call(operation, **values))

    def stream(self, call: Call[Any]) -> list[bytes]:
        """Reads a stream to its end."""

        async def read() -> list[bytes]:
            return [piece async for piece in self.client.stream(call)]

        return self.runner.run(read())

    def close(self) -> None:
        """Ends the loop, which closes the pool."""
        self.runner.close()


BOTH = (SyncHands, AsyncHands)


@contextmanager
def hands(kind: type[Any], settings: Settings, **options: Any) -> Iterator[Any]:
    """A client that is closed at the end."""
    with closing(kind(settings, **options)) as both:
        yield both


def generate(model: ChatModel, request: ChatRequest) -> tuple[ChatResponse, ChatResponse]:
    """The replies of both ways to ask for a whole reply."""
    return model.generate(request), asyncio.run(model.agenerate(request))


def stream(model: ChatModel, request: ChatRequest) -> tuple[list[StreamEvent], list[StreamEvent]]:
    """The events of both ways to ask for a stream."""

    async def read() -> list[StreamEvent]:
        async with aclosing(model.astream(request)) as events:
            return [event async for event in events]

    return list(model.stream(request)), asyncio.run(read())
