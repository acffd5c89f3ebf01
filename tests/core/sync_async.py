"""The sync and the async client with one blocking interface: a test is written once for both."""

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


class Delays(list[float]):
    """The seconds of each sleep, in order."""


class SyncTestClient:
    """The sync client."""

    def __init__(self, settings: Settings, http_client: Any = None) -> None:
        self.client = SyncAPIClient(settings, http_client=http_client)

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Call an endpoint."""
        return self.client.call(operation, **values)

    def stream(self, call: Call[Any]) -> list[bytes]:
        """Return all chunks of a stream."""
        return list(self.client.stream(call))

    def close(self) -> None:
        """Close the connection pool."""
        self.client.close()


class AsyncTestClient:
    """The async client, with its own event loop for all calls."""

    def __init__(self, settings: Settings, http_client: Any = None) -> None:
        self.client = AsyncAPIClient(settings, http_client=http_client)
        self.runner = asyncio.Runner()

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Call an endpoint."""
        return self.runner.run(self.client.call(operation, **values))

    def stream(self, call: Call[Any]) -> list[bytes]:
        """Return all chunks of a stream."""

        async def read() -> list[bytes]:
            return [chunk async for chunk in self.client.stream(call)]

        return self.runner.run(read())

    def close(self) -> None:
        """Close the event loop, which closes the connection pool."""
        self.runner.close()


CLIENTS = (SyncTestClient, AsyncTestClient)


@contextmanager
def open_client(kind: type[Any], settings: Settings, **options: Any) -> Iterator[Any]:
    """Open a client, and close it at the end."""
    with closing(kind(settings, **options)) as client:
        yield client


def generate(model: ChatModel, request: ChatRequest) -> tuple[ChatResponse, ChatResponse]:
    """Return the responses of ``generate`` and ``agenerate``."""
    return model.generate(request), asyncio.run(model.agenerate(request))


def stream(model: ChatModel, request: ChatRequest) -> tuple[list[StreamEvent], list[StreamEvent]]:
    """Return the events of ``stream`` and ``astream``."""

    async def read() -> list[StreamEvent]:
        async with aclosing(model.astream(request)) as events:
            return [event async for event in events]

    return list(model.stream(request)), asyncio.run(read())
