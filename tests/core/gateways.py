"""Both gateways behind one pair of hands, and settings for the emulator and the scripted server."""

import asyncio
from typing import Any

from tests.core.loopback import TOKEN, Loopback
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.emulator import Emulator
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.steps import Flow
from xai_lowcode.settings import Settings


def settings_of(emulator: Emulator, **options: Any) -> Settings:
    """Settings for the emulator."""
    return Settings.create(api_token=emulator.api_token, base_url=emulator.base_url, **options)


def settings_for(gateway: Loopback, **options: Any) -> Settings:
    """Settings for the scripted server."""
    return Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)


class SyncGateway:
    """The sync gateway."""

    def __init__(self, settings: Settings) -> None:
        self.client = Gateway(settings)

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Calls an endpoint by its row."""
        return self.client.call(operation, **values)

    def say(self, method: str, /, *args: Any, **values: Any) -> Any:
        """Calls an endpoint by its method."""
        return getattr(self.client, method)(*args, **values)

    def run(self, flow: Flow[Any]) -> Any:
        """Does what a flow asks for."""
        return self.client.execute(flow)

    def files(self, **values: Any) -> list[Any]:
        """Iterates over all files."""
        return list(self.client.iterate_files(**values))

    def close(self) -> None:
        """Closes the pool."""
        self.client.close()


class AsyncGatewayHands:
    """The async gateway, on a loop of its own that stays between calls."""

    def __init__(self, settings: Settings) -> None:
        self.client = AsyncGateway(settings)
        self.runner = asyncio.Runner()

    def call(self, operation: Endpoint[Any], **values: Any) -> Any:
        """Calls an endpoint by its row."""
        return self.runner.run(self.client.call(operation, **values))

    def say(self, method: str, /, *args: Any, **values: Any) -> Any:
        """Calls an endpoint by its method."""

        async def speak() -> Any:
            return await getattr(self.client, method)(*args, **values)

        return self.runner.run(speak())

    def run(self, flow: Flow[Any]) -> Any:
        """Does what a flow asks for."""
        return self.runner.run(self.client.execute(flow))

    def files(self, **values: Any) -> list[Any]:
        """Iterates over all files."""

        async def read() -> list[Any]:
            return [record async for record in self.client.iterate_files(**values)]

        return self.runner.run(read())

    def close(self) -> None:
        """Ends the loop, which closes the pool."""
        self.runner.close()


BOTH_GATEWAYS = (SyncGateway, AsyncGatewayHands)
