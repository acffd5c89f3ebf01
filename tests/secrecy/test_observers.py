"""Observers of HTTP get no token: event hooks and OpenTelemetry's spans of httpx."""

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
    """An emulator for one test."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def settings(gateway: Any) -> Settings:
    """Settings of the emulator."""
    return Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)


def test_event_hooks_see_clean_urls(gateway: Any, settings: Settings) -> None:
    """Event hooks of an injected client get a request and a response whose URLs have no token."""
    texts: list[str] = []
    hooks = {
        "request": [lambda request: texts.append(f"{request.url} {request!r} {request.headers}")],
        "response": [
            lambda response: texts.append(f"{response.url} {response!r} {response.request}")
        ],
    }
    with httpx.Client(event_hooks=hooks) as http_client:
        assert Gateway(settings, http_client=http_client).list_models()
    assert len(texts) == 2
    assert gateway.api_token not in " ".join(texts)


async def _list_models(settings: Settings) -> None:
    async with AsyncGateway(settings) as client:
        await client.list_models()


def test_spans_have_no_token(gateway: Any, settings: Settings) -> None:
    """No name, attribute or event of a span has the token, sync and async."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with Gateway(settings) as client:
            client.list_models()
        asyncio.run(_list_models(settings))
        with httpx.Client() as leaking_client:
            leaking_client.get(
                f"{gateway.base_url}/v1/models", params={"api_token": gateway.api_token}
            )
    finally:
        instrumentor.uninstrument()
    sync_span, async_span, leaking_span = (span.to_json() for span in exporter.get_finished_spans())
    assert "/xai/v1/models" in sync_span
    assert gateway.api_token not in sync_span + async_span
    # The instrument records queries: a token in the URL is found.
    assert gateway.api_token in leaking_span
