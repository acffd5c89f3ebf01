"""The addresses of the test hosts, for proxies, and all servers at once, for a script."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.proxies.certificates import Certificates
from tests.proxies.interfaces import TOKEN
from tests.proxies.servers import Address
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator, running

HTTPS_URL = "https://gateway.example/xai"
HTTP_URL = "http://gateway.example/xai"
OTHER_PORT_URL = "https://gateway.example:8443/xai"


def address_of(emulator: Emulator) -> Address:
    """Return host and port of a gateway without TLS."""
    url = urlsplit(emulator.base_url)
    return url.hostname or "", url.port or 0


def routes(emulator: Emulator, gateway: TLSGateway) -> dict[str, Address]:
    """Return the addresses of the test hosts."""
    return {
        "gateway.example:443": gateway.address,
        "gateway.example:8443": gateway.address,
        f"gateway.example:{gateway.port}": gateway.address,
        "gateway.example:80": address_of(emulator),
    }


@dataclass(frozen=True)
class Hosts:
    """A gateway with and without TLS, and the CA of its certificate."""

    certificates: Certificates
    emulator: Emulator
    gateway: TLSGateway


@contextmanager
def hosts() -> Iterator[Hosts]:
    """Run the servers of the fixtures for the block."""
    with TemporaryDirectory() as folder, running() as emulator:
        emulator.api_token = TOKEN
        certificates = Certificates(Path(folder))
        with TLSGateway(certificates.server(), address_of(emulator)) as gateway:
            yield Hosts(certificates, emulator, gateway)
