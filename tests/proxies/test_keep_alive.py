"""Law: a tunnel is kept for the calls that follow, and each concurrent call has one of its own."""

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

AT_ONCE = 4
ASKED = ("langchain invoke", "llama_index chat", "langchain image")


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, INTERFACES, every=2))
def test_the_second_call_uses_the_same_tunnel(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """Two calls, one after the other, send one CONNECT and make one TLS handshake."""
    answers = HTTPS_WAYS[way].call(
        INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL, times=2
    )
    assert len(answers) == 2
    assert len(emulator.requests) >= 2
    assert len(proxy.lines) == proxy.connections == tls_gateway.connections
    assert proxy.connections in ({1} if keeps_connections(way, name) else {1, 2})


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, ASKED, every=3))
def test_concurrent_threads_use_several_tunnels(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    way: str,
    name: str,
) -> None:
    """Threads that call at one time do not wait for each other; their tunnels are kept."""
    emulator.latency = 0.3
    interface = INTERFACES[name]

    def ask_at_once(model: Any) -> list[Any]:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(lambda _: interface.ask(model), range(AT_ONCE)))

    with HTTPS_WAYS[way].options(proxy.url, certificates) as options, ExitStack() as stack:
        options |= {"api_token": TOKEN, "base_url": HTTPS_URL}
        if factory := options.pop("client", None):
            options[interface.client_option] = stack.enter_context(factory(is_async=False))
        model = stack.enter_context(closing(interface.make(**options)))
        answers = ask_at_once(model)
        assert len(proxy.lines) == tls_gateway.connections == AT_ONCE
        answers += ask_at_once(model)
    assert len(answers) == 2 * AT_ONCE
    assert len(proxy.lines) == AT_ONCE


@pytest.mark.parametrize(("way", "name"), cells(FEW_WAYS, ASYNC, every=3))
def test_concurrent_coroutines_use_several_tunnels(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, way: str, name: str
) -> None:
    """Coroutines that call at one time do not wait for each other; their tunnels are kept."""
    emulator.latency = 0.1
    answers = HTTPS_WAYS[way].call(
        ASYNC[name], proxy.url, certificates, base_url=HTTPS_URL, times=2, at_once=AT_ONCE
    )
    assert len(answers) == 2 * AT_ONCE
    most = AT_ONCE if keeps_connections(way, name) else 2 * AT_ONCE
    assert AT_ONCE <= len(proxy.lines) <= most


@pytest.mark.parametrize("name", INTERFACES)
def test_closing_a_model_closes_its_tunnels(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates, name: str
) -> None:
    """Nothing is open once the model is closed, neither to the proxy nor behind it."""
    HTTPS_WAYS["setting"].call(INTERFACES[name], proxy.url, certificates, base_url=HTTPS_URL)
    assert proxy.connections == 1
    assert proxy.open_connections == tls_gateway.open_connections == 0


@pytest.mark.parametrize("name", FEW)
def test_a_tunnel_that_was_closed_meanwhile_is_replaced(
    proxy: RawProxy, emulator: Emulator, certificates: Certificates, name: str
) -> None:
    """A proxy may end a tunnel that is idle: the next call opens another one, and is made once."""
    interface = INTERFACES[name]
    closed = []

    def ask(model: Any) -> Any:
        answer = interface.ask(model)
        if not closed:
            closed.append(True)
            proxy.close_connections()
        return answer

    async def ask_async(model: Any) -> Any:
        answer = await interface.ask(model)
        if not closed:
            closed.append(True)
            await asyncio.to_thread(proxy.close_connections)
        return answer

    asking = replace(interface, ask=ask_async if interface.is_async else ask)
    answers = HTTPS_WAYS["setting"].call(
        asking, proxy.url, certificates, base_url=HTTPS_URL, times=2, max_retries=2
    )
    assert len(answers) == len(emulator.requests) == 2
    assert len(proxy.lines) == 2
