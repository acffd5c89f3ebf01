"""A clean environment, retries without delay, and a certificate authority for TLS."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.transport.remote_client import RemoteClient


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide tokens, base URLs and proxies of the environment."""
    for name in ("LOWCODEAPI_API_TOKEN", "LOWCODEAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _no_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without delay."""
    monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 0.0)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return the certificate authority of all servers with TLS."""
    return trustme.CA()


@pytest.fixture(scope="session")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the authority's certificate, for SSL_CERT_FILE."""
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of servers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def remote(certificates: Path) -> Iterator[RemoteClient]:
    """Return a process that makes calls, and trusts the authority."""
    with RemoteClient(SSL_CERT_FILE=str(certificates)) as client:
        yield client
