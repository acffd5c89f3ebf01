"""Fixtures: an emulator for every test, and functions that send requests to it."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import Emulator, running

Send = Callable[..., httpx.Response]
SHARED = Path(__file__).parents[2].parent / "shared"
# The connections are not encrypted, and creating a TLS context for each client is slow.
CONTEXT = ssl.create_default_context()


# Invented models, for rules about models that are newer than the known ones.
FURTHER_MODELS = ("grok-7-preview", "grok-9", "grok-99")


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator with default options, but with further models."""
    with running(models=FURTHER_MODELS) as emulator:
        yield emulator


@pytest.fixture
def http(gateway: Emulator) -> Iterator[httpx.Client]:
    """A client with a valid token, without proxies from the environment."""
    token = {"api_token": gateway.api_token}
    address = gateway.base_url
    with httpx.Client(base_url=address, params=token, trust_env=False, verify=CONTEXT) as client:
        yield client


@pytest.fixture
def send_chat(http: httpx.Client) -> Send:
    """Send a chat request with minimal defaults."""

    def send(prompt: str = "Hello", **body: Any) -> httpx.Response:
        complete = {"model": "grok-4", "messages": [{"role": "user", "content": prompt}], **body}
        return http.post("/v1/chat/completions", json=complete)

    return send


@pytest.fixture
def send_responses(http: httpx.Client) -> Send:
    """Send a Responses request with minimal defaults."""

    def send(given: Any = "Hello", **body: Any) -> httpx.Response:
        return http.post("/v1/responses", json={"model": "grok-4.3", "input": given, **body})

    return send


@pytest.fixture
def send_messages(http: httpx.Client) -> Send:
    """Send a Messages request with minimal defaults."""

    def send(prompt: Any = "Hello", **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": prompt}]
        complete = {"model": "grok-4.3", "max_tokens": 1000, "messages": messages, **body}
        return http.post("/v1/messages", json=complete)

    return send


@pytest.fixture
def events() -> Callable[[str], list[Any]]:
    """Parse a stream of named events, and check that the names are the types."""

    def read(text: str) -> list[Any]:
        found = []
        for block in text.strip().split("\n\n"):
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
        return found

    return read


@pytest.fixture
def chunks() -> Callable[[str], list[Any]]:
    """Parse the data lines of a stream; `[DONE]` is a string."""

    def read(text: str) -> list[Any]:
        lines = [block.removeprefix("data: ") for block in text.split("\n\n") if block]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]

    return read


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Load a recorded body of the real service; skip if there is none."""

    def read(name: str) -> Any:
        path = SHARED / name
        if not path.exists():
            pytest.skip("the recorded bodies are not here")
        return json.loads(path.read_text(encoding="utf-8"))

    return read
