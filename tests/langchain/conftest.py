"""Fixtures of the LangChain tests: the emulator, and models that use it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import running


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Any]:
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the emulator, reset. Models without arguments use it."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", _emulator.api_token)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", _emulator.base_url)
    _emulator.reset()
    return _emulator


@pytest.fixture
def chat(gateway: Any) -> Callable[..., ChatXAILowCode]:
    """Return the chat model class, which uses the emulator."""
    assert gateway.base_url
    return ChatXAILowCode
