"""What watches HTTP from outside sees no token: event hooks and OpenTelemetry's httpx spans."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from xai_lowcode import AsyncGateway, Gateway, Settings
from xai_lowcode.emulator import running


@pytest.fixture
def gateway() -> Iterator[Any]:
    """An emulator of its own, whose token is the canary."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def settings(gateway: Any) -> Settings:
    """Settings that lead there."""
    return Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)


def test_event_hooks_see_clean_urls(gateway: Any, settings: Settings) -> None:
    """Hooks of an injected client get a request and a response whose URLs hold no token."""
    seen: list[str] = []
    hooks = {
        "request": [lambda request: seen.append(f"{request.url} {request!r} {request.headers}")],
        "response": [
            lambda response: seen.append(f"{response.url} {response!r} {response.request}")
        ],
    }
    with httpx.Client(event_hooks=hooks) as http_client:
        assert Gateway(settings, http_client=http_client).list_models()
    assert len(seen) == 2
    assert gateway.api_token not in " ".join(seen)


async def _list_models(settings: Settings) -> None:
    async with AsyncGateway(settings) as twin:
        await twin.list_models()


def test_spans_hold_no_token(gateway: Any, settings: Settings) -> None:
    """Every attribute, name and event of the spans is free of it, sync and async."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with Gateway(settings) as client:
            client.list_models()
        asyncio.run(_list_models(settings))
        with httpx.Client() as leaky:
            leaky.get(f"{gateway.base_url}/v1/models", params={"api_token": gateway.api_token})
    finally:
        instrumentor.uninstrument()
    ours, twins, leaked = (span.to_json() for span in exporter.get_finished_spans())
    assert "/xai/v1/models" in ours
    assert gateway.api_token not in ours + twins
    # The instrument does record queries: a token in the URL would have been seen.
    assert gateway.api_token in leaked
