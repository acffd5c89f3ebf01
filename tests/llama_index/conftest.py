"""One emulated gateway for all tests of the LlamaIndex adapter, and models that talk to it.

``ways`` gives each law both twins at once: a test says what it asks, and is run sync and async.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import Emulator, running


@pytest.fixture(scope="session")
def session_gateway() -> Iterator[Emulator]:
    """The gateway, running as long as the tests do."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(session_gateway: Emulator) -> Emulator:
    """The gateway as it is at first: no requests seen, no faults waiting."""
    session_gateway.requests.clear()
    while session_gateway.next_fault():
        pass
    session_gateway.envelope, session_gateway.streaming = "result", "live"
    return session_gateway


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token or address of the person who runs the tests."""
    monkeypatch.delenv("LOWCODEAPI_API_TOKEN", raising=False)
    monkeypatch.delenv("LOWCODEAPI_BASE_URL", raising=False)


class Models:
    """Makes models that talk to the gateway."""

    def __init__(self, gateway: Emulator) -> None:
        self._gateway = gateway

    def __call__(self, model: str = "grok-4.7", **options: Any) -> XAILowCode:
        """A model; options are its fields."""
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
    """Makes models that talk to the gateway."""
    return Models(gateway)


@pytest.fixture
def llm(model: Models) -> XAILowCode:
    """A model as most tests need it."""
    return model()


@dataclass(frozen=True)
class Way:
    """Sync or async: calls the method of that name, or its twin, and waits for all of it."""

    twin: bool

    def ask(self, thing: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method returns."""
        if not self.twin:
            return getattr(thing, method)(*args, **kwargs)
        return asyncio.run(getattr(thing, f"a{method}")(*args, **kwargs))

    def stream(self, thing: Any, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """All that a streaming method yields."""
        if not self.twin:
            return list(getattr(thing, method)(*args, **kwargs))
        return asyncio.run(collected(getattr(thing, f"a{method}")(*args, **kwargs)))


async def collected(opening: Coroutine[Any, Any, AsyncGenerator[Any, None]]) -> list[Any]:
    return [item async for item in await opening]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def way(request: pytest.FixtureRequest) -> Way:
    """Each twin in turn."""
    return Way(request.param)


def said(text: str) -> list[ChatMessage]:
    return [ChatMessage(text)]


@pytest.fixture
def hello() -> list[ChatMessage]:
    """The shortest conversation."""
    return said("Hello there")
