"""The emulator that the tests of the LangChain adapter talk to, and models connected to it."""

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
    """The emulator, with nothing recorded; models made without arguments are connected to it."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", _emulator.api_token)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", _emulator.base_url)
    _emulator.reset()
    return _emulator


@pytest.fixture
def chat(gateway: Any) -> Callable[..., ChatXAILowCode]:
    """Makes chat models that are connected to the emulator."""
    assert gateway.base_url
    return ChatXAILowCode
