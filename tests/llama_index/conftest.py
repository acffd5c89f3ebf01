"""Fixtures of the LlamaIndex tests: the emulator, models, and sync and async calls."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from tests.llama_index.sent import APIS
from xai_lowcode.emulator import Emulator, running


@pytest.fixture(scope="session")
def session_gateway() -> Iterator[Emulator]:
    """Run the emulator for the whole session."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(session_gateway: Emulator) -> Emulator:
    """Return the emulator in its initial state: no recorded requests, no queued faults."""
    session_gateway.requests.clear()
    while session_gateway.next_fault():
        pass
    session_gateway.envelope, session_gateway.streaming = "result", "live"
    return session_gateway


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the token and base URL of the environment."""
    monkeypatch.delenv("LOWCODEAPI_API_TOKEN", raising=False)
    monkeypatch.delenv("LOWCODEAPI_BASE_URL", raising=False)


class Models:
    """Creates models that use the emulator."""

    def __init__(self, gateway: Emulator) -> None:
        self._gateway = gateway

    def __call__(self, model: str = "grok-4.7", **options: Any) -> XAILowCode:
        """Create a model; options are its fields."""
        return XAILowCode(
            **{
                "model": model,
                "api_token": self._gateway.api_token,
                "base_url": self._gateway.base_url,
                "max_retries": 0,
                **options,
            }
        )


@pytest.fixture
def model(gateway: Emulator) -> Models:
    """Return a factory of models that use the emulator."""
    return Models(gateway)


@pytest.fixture
def llm(model: Models) -> XAILowCode:
    """Return a model with default options."""
    return model()


@pytest.fixture(params=APIS)
def each_llm(request: pytest.FixtureRequest, model: Models) -> XAILowCode:
    """Return a model for each API."""
    return model(api=request.param)


@dataclass(frozen=True)
class SyncAsync:
    """Calls a method of an object, or its async variant."""

    is_async: bool

    def call(self, obj: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the result of a method."""
        if not self.is_async:
            return getattr(obj, method)(*args, **kwargs)
        return asyncio.run(getattr(obj, f"a{method}")(*args, **kwargs))

    def stream(self, obj: Any, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Return everything that a streaming method yields."""
        if not self.is_async:
            return list(getattr(obj, method)(*args, **kwargs))
        return asyncio.run(_collect(getattr(obj, f"a{method}")(*args, **kwargs)))


async def _collect(stream: Coroutine[Any, Any, AsyncGenerator[Any, None]]) -> list[Any]:
    return [item async for item in await stream]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def sync_async(request: pytest.FixtureRequest) -> SyncAsync:
    """Run the test with the sync and with the async method."""
    return SyncAsync(request.param)


@pytest.fixture
def hello() -> list[ChatMessage]:
    """Return a conversation of one message."""
    return [ChatMessage("Hello there")]
