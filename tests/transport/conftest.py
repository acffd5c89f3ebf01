"""A clean environment, no pauses between attempts, and an authority for TLS."""

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
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once."""
    monkeypatch.setattr("xai_lowcode.protocol.retry.INITIAL_DELAY", 0.0)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority of all servers with TLS."""
    return trustme.CA()


@pytest.fixture(scope="session")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate, as a file for SSL_CERT_FILE."""
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The context of servers with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def remote(certificates: Path) -> Iterator[RemoteClient]:
    """A process that makes calls, and trusts the authority."""
    with RemoteClient(SSL_CERT_FILE=str(certificates)) as client:
        yield client
