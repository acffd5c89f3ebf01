"""Law: a tunnel is reused by later calls, and each concurrent call has its own tunnel."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.hosts import HTTPS_URL
from tests.proxies.interfaces import ASYNC, FEW, INTERFACES, TOKEN
from tests.proxies.proxy_settings import FEW_WAYS, HTTPS_WAYS
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.tables import cells, keeps_connections
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator

CONCURRENCY = 4
SYNC_NAMES = ("langchain invoke", "llama_index chat", "langchain image")


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_the_second_call_uses_the_same_tunnel(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """Two successive calls send one CONNECT and make one TLS handshake."""
    results = HTTPS_WAYS[way].call(
        INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL, times=2
    )
    assert len(results) == 2
    assert len(emulator.requests) >= 2
    assert len(proxy.lines) == proxy.connections == tls_gateway.connections
    assert proxy.connections in ({1} if keeps_connections(way, name) else {1, 2})


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, SYNC_NAMES, every=3))
def test_concurrent_threads_use_several_tunnels(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """Concurrent threads do not wait for each other; their tunnels are kept."""
    emulator.latency = 0.3
    interface = INTERFACES[name]

    def call_concurrently(model: Any) -> list[Any]:
        with ThreadPoolExecutor(CONCURRENCY) as threads:
            return list(threads.map(lambda _: interface.send(model), range(CONCURRENCY)))

    with HTTPS_WAYS[way].options(proxy.url, certificates) as options, ExitStack() as stack:
        options |= {"api_token": TOKEN, "base_url": HTTPS_URL}
        if factory := options.pop("client", None):
            options[interface.client_option] = stack.enter_context(factory(is_async=False))
        model = stack.enter_context(closing(interface.create(**options)))
        results = call_concurrently(model)
        assert len(proxy.lines) == tls_gateway.connections == CONCURRENCY
        results += call_concurrently(model)
    assert len(results) == 2 * CONCURRENCY
    assert len(proxy.lines) == CONCURRENCY


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, ASYNC, every=3))
def test_concurrent_coroutines_use_several_tunnels(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, way: str, name: str
) -> None:
    """Concurrent coroutines do not wait for each other; their tunnels are kept."""
    emulator.latency = 0.1
    results = HTTPS_WAYS[way].call(
        ASYNC[name], proxy.url, certificates, base_url=HTTPS_URL, times=2, concurrency=CONCURRENCY
    )
    assert len(results) == 2 * CONCURRENCY
    most = CONCURRENCY if keeps_connections(way, name) else 2 * CONCURRENCY
    assert CONCURRENCY <= len(proxy.lines) <= most


@pytest.mark.parametrize("name", INTERFACES)
def test_closing_a_model_closes_its_tunnels(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates, name: str
) -> None:
    """No connection is open after the model is closed, neither to the proxy nor behind it."""
    HTTPS_WAYS["setting"].call(INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL)
    assert proxy.connections == 1
    assert proxy.open_connections == tls_gateway.open_connections == 0


@pytest.mark.parametrize("name", FEW)
def test_a_tunnel_that_was_closed_meanwhile_is_replaced(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, name: str
) -> None:
    """If a proxy closes an idle tunnel, the next call opens another one, and is sent once."""
    interface = INTERFACES[name]
    closed = []

    def send(model: Any) -> Any:
        result = interface.send(model)
        if not closed:
            closed.append(True)
            proxy.close_connections()
        return result

    async def send_async(model: Any) -> Any:
        result = await interface.send(model)
        if not closed:
            closed.append(True)
            await asyncio.to_thread(proxy.close_connections)
        return result

    closing_interface = replace(interface, send=send_async if interface.is_async else send)
    results = HTTPS_WAYS["setting"].call(
        closing_interface, proxy.url, certificates, base_url=HTTPS_URL, times=2, max_retries=2
    )
    assert len(results) == len(emulator.requests) == 2
    assert len(proxy.lines) == 2
