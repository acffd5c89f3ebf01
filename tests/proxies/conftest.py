"""An https gateway, a proxy in front of it, and an environment without settings of the user."""

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
    """No proxy, certificate, token or base URL of the person who runs the tests."""
    with environment({}):
        yield


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA that is in no trust store."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """A gateway without TLS, whose only token is the canary."""
    with running(embeddings=True) as emulator:
        emulator.api_token = TOKEN
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """The gateway without TLS, as it is at the start."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture
def tls_gateway(emulator: Emulator, certificates: Certificates) -> Iterator[TLSGateway]:
    """The gateway with TLS."""
    with TLSGateway(certificates.server(), address_of(emulator)) as gateway:
        yield gateway
    assert gateway.odd == []


@pytest.fixture
def gateway_routes(emulator: Emulator, tls_gateway: TLSGateway) -> dict[str, Address]:
    """Where a proxy finds ``gateway.example``."""
    return routes(emulator, tls_gateway)


@pytest.fixture
def proxy(gateway_routes: dict[str, Address]) -> Iterator[RawProxy]:
    """An HTTP proxy; what it read was as it must be."""
    with RawProxy(gateway_routes) as server:
        yield server
    assert server.odd == []
