"""Law: without a proxy the https gateway receives the same request from each kind of client."""

import pytest

from tests.proxies.assertions import assert_origin_form
from tests.proxies.certificates import Certificates
from tests.proxies.interfaces import CONTENT, INTERFACES, call
from tests.proxies.proxy_settings import LIBRARIES, without_proxy
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator


@pytest.mark.parametrize("name", INTERFACES)
@pytest.mark.parametrize("library", ["own", "httpx", "httpx2"])
def test_every_client_reaches_the_gateway(
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    library: str,
    name: str,
) -> None:
    """The package's own client, and injected ones of httpx and httpx2, send the same requests."""
    if library not in {"own", *LIBRARIES}:
        pytest.skip(f"{library} is not installed")
    interface = INTERFACES[name]
    options = (
        {"verify": str(certificates.ca_file)}
        if library == "own"
        else {"client": without_proxy(library, certificates)}
    )
    results = call(interface, base_url=tls_gateway.base_url(), times=2, **options)
    assert results[0] == CONTENT if not interface.path else all(results)
    for head in tls_gateway.heads:
        assert_origin_form(head, interface.path)
    assert len(tls_gateway.heads) == len(emulator.requests) >= 2
