"""A gateway of one's own for every test, and the shortest way to talk to it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, running

Ask = Callable[..., httpx.Response]
SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator with all switches in their first position."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def http(gateway: Emulator) -> Iterator[httpx.Client]:
    """A client with a good token, and no proxies from the environment."""
    token = {"api_token": gateway.api_token}
    with httpx.Client(base_url=gateway.base_url, params=token, trust_env=False) as client:
        yield client


@pytest.fixture
def ask(http: httpx.Client) -> Ask:
    """Sends a chat request; what is not given is the shortest that is accepted."""

    def send(prompt: str = "Hello", **body: Any) -> httpx.Response:
        whole = {"model": "grok-4", "messages": [{"role": "user", "content": prompt}], **body}
        return http.post("/v1/chat/completions", json=whole)

    return send


@pytest.fixture
def chunks() -> Callable[[str], list[Any]]:
    """Reads the data lines of a stream; `[DONE]` stays a string."""

    def read(text: str) -> list[Any]:
        lines = [block.removeprefix("data: ") for block in text.split("\n\n") if block]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]

    return read


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Reads a recorded body of the real service, or skips where there are none."""

    def read(name: str) -> Any:
        path = SHARED / name
        if not path.exists():
            pytest.skip("the recorded bodies are not here")
        return json.loads(path.read_text(encoding="utf-8"))

    return read
