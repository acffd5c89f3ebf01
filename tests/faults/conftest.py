"""An emulated gateway, and retries without delay."""

import gc
from collections.abc import Iterator
from functools import cache

import pytest

from xai_lowcode.emulator import Emulator, running
from xai_lowcode.emulator.handlers import images
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> None:
    """Exclude objects of earlier tests from garbage collection: each test here collects often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _cached_images() -> Iterator[None]:
    """Cache generated images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "generate_image", cache(images.generate_image))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove tokens, base URLs and proxies from the environment."""
    for name in (TOKEN_VARIABLE, BASE_URL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _no_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without delay, unless the gateway sets one."""
    monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 0.0)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Emulator]:
    """Return a gateway whose deferred completions are ready at once."""
    with running(deferred_polls=0) as emulator:
        yield emulator
