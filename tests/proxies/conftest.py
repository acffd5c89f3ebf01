"""An https gateway, a proxy in front of it, and a clean environment."""

from collections.abc import Iterator

import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.environment import environment
from tests.proxies.hosts import address_of, routes
from tests.proxies.interfaces import TOKEN
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator, running


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    """Remove proxies, certificates, tokens and base URLs from the environment."""
    with environment({}):
        yield


@pytest.fixture(autouse=True)
def _no_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without delay."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a CA that is in no trust store."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """Return a gateway without TLS that accepts one token, the canary."""
    with running(embeddings=True) as emulator:
        emulator.api_token = TOKEN
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """Return the gateway without TLS, in its initial state."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture
def tls_gateway(emulator: Emulator, certificates: Certificates) -> Iterator[TLSGateway]:
    """Return the gateway with TLS."""
    with TLSGateway(certificates.server(), address_of(emulator)) as gateway:
        yield gateway
    assert gateway.violations == []


@pytest.fixture
def gateway_routes(emulator: Emulator, tls_gateway: TLSGateway) -> dict[str, Address]:
    """Return the addresses of ``gateway.example``, for a proxy."""
    return routes(emulator, tls_gateway)


@pytest.fixture
def proxy(gateway_routes: dict[str, Address]) -> Iterator[RawProxy]:
    """Return an HTTP proxy; check that it read no invalid request."""
    with RawProxy(gateway_routes) as server:
        yield server
    assert server.violations == []
