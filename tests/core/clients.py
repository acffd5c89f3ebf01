"""The sync and the async gateway with one blocking interface, and their settings."""

import asyncio
from typing import Any

from tests.core.fake_server import TOKEN, FakeServer
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.emulator import Emulator
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.steps import Flow
from xai_lowcode.settings import Settings


def emulator_settings(emulator: Emulator, **options: Any) -> Settings:
    """Return settings for the emulator."""
    return Settings.create(api_token=emulator.api_token, base_url=emulator.base_url, **options)


def server_settings(gateway: FakeServer, **options: Any) -> Settings:
    """Return settings for the fake server."""
    return Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)


class SyncGatewayClient:
    """The sync gateway."""

    def __init__(self, settings: Settings) -> None:
        self.client = Gateway(settings)

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Call an endpoint by its row."""
        return self.client.call(operation, **values)

    def call_method(self, method: str, /, *args: Any, **values: Any) -> Any:
        """Call an endpoint by its method."""
        return getattr(self.client, method)(*args, **values)

    def run(self, flow: Flow[Any]) -> Any:
        """Execute a flow."""
        return self.client.execute(flow)

    def files(self, **values: Any) -> list[Any]:
        """Return the records of all files."""
        return list(self.client.iterate_files(**values))

    def close(self) -> None:
        """Close the connection pool."""
        self.client.close()


class AsyncGatewayClient:
    """The async gateway, with its own event loop for all calls."""

    def __init__(self, settings: Settings) -> None:
        self.client = AsyncGateway(settings)
        self.runner = asyncio.Runner()

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Call an endpoint by its row."""
        return self.runner.run(self.client.call(operation, **values))

    def call_method(self, method: str, /, *args: Any, **values: Any) -> Any:
        """Call an endpoint by its method."""

        async def call() -> Any:
            return await getattr(self.client, method)(*args, **values)

        return self.runner.run(call())

    def run(self, flow: Flow[Any]) -> Any:
        """Execute a flow."""
        return self.runner.run(self.client.execute(flow))

    def files(self, **values: Any) -> list[Any]:
        """Return the records of all files."""

        async def read() -> list[Any]:
            return [record async for record in self.client.iterate_files(**values)]

        return self.runner.run(read())

    def close(self) -> None:
        """Close the event loop, which closes the connection pool."""
        self.runner.close()


GATEWAY_CLIENTS = (SyncGatewayClient, AsyncGatewayClient)
