"""Law: the trusted CA is configurable, and an untrusted gateway gets no request."""

import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.proxies.certificates import Certificates
from tests.proxies.environment import clean_environment
from tests.proxies.hosts import HTTPS_URL, address_of
from tests.proxies.interfaces import FEW, INTERFACES, TOKEN, call
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.tables import cells
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, CertificateVerificationError, UsageError

TRUST: dict[str, Callable[[Certificates], Any]] = {
    "path": lambda certificates: str(certificates.ca_file),
    "path object": lambda certificates: certificates.ca_file,
    "context": lambda certificates: ssl.create_default_context(cafile=certificates.ca_file),
}
# Invalid certificates: their names, whether they are expired, whether their CA is trusted.
INVALID: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    "untrusted": ((), False, False),
    "of another host": (("other.example",), False, True),
    "expired": ((), True, True),
}
ROUTES = ("direct", "tunnel")
OPENSSL = shutil.which("openssl")


def route_options(route: str, proxy: RawProxy, gateway: TLSGateway) -> dict[str, Any]:
    """Return the options of a route."""
    if route == "direct":
        return {"base_url": gateway.base_url()}
    return {"base_url": HTTPS_URL, "proxy": proxy.url}


@pytest.mark.parametrize(("route", "trust", "name"), cells(ROUTES, TRUST, INTERFACES, every=3))
def test_a_configured_ca_is_trusted(
    proxy: RawProxy,
    tls_gateway: TLSGateway,
    certificates: Certificates,
    route: str,
    trust: str,
    name: str,
) -> None:
    """``verify`` accepts a CA file or a TLS context, in each interface."""
    options = route_options(route, proxy, tls_gateway)
    (result,) = call(INTERFACES[name], verify=TRUST[trust](certificates), **options)
    assert result
    assert len(proxy.lines) == (route == "tunnel")
    assert tls_gateway.connections == 1


@pytest.mark.parametrize(("route", "name"), cells(ROUTES, INTERFACES, every=2))
def test_verification_can_be_disabled_with_a_warning(
    proxy: RawProxy, tls_gateway: TLSGateway, route: str, name: str
) -> None:
    """``verify=False`` accepts any certificate, with a warning."""
    with pytest.warns(Warning, match="(?i)verify|certificate"):
        (result,) = call(INTERFACES[name], verify=False, **route_options(route, proxy, tls_gateway))
    assert result


@pytest.mark.parametrize(
    ("route", "certificate", "name"), cells(ROUTES, INVALID, INTERFACES, every=3)
)
def test_an_invalid_certificate_is_an_error_without_retries(
    emulator: Emulator, certificates: Certificates, name: str, route: str, certificate: str
) -> None:
    """The error has a hint, no request is sent, and there is one attempt to connect."""
    names, expired, trusted = INVALID[certificate]
    context = certificates.server(*names, expired=expired)
    trust = {"verify": str(certificates.ca_file)} if trusted else {}
    with (
        TLSGateway(context, address_of(emulator)) as gateway,
        RawProxy({"gateway.example:443": gateway.address}) as proxy,
    ):
        options = route_options(route, proxy, gateway)
        with pytest.raises(APIConnectionError) as caught:
            call(INTERFACES[name], max_retries=2, **trust, **options)
    text = str(caught.value)
    assert "certificate verify failed" in text
    assert "SSL_CERT_FILE" in text or "verify" in text.replace("certificate verify failed", "")
    assert caught.value.is_retryable is False
    assert gateway.connections == 1
    assert proxy.connections == (route == "tunnel")
    assert emulator.requests == []


# It imports as an application does, whose environment is set before it starts.
PROGRAM = """
import asyncio, sys
from langchain_xai_lowcode import ChatXAILowCode

async def main(chat):
    print((await chat.ainvoke("Hi")).text)

for base_url in sys.argv[1:]:
    chat = ChatXAILowCode(base_url=base_url, max_retries=0)
    print(chat.invoke("Hi").text)
    asyncio.run(main(chat))
"""


def test_a_ca_file_of_the_environment_is_trusted(
    proxy: RawProxy, tls_gateway: TLSGateway, certificates: Certificates
) -> None:
    """A program trusts SSL_CERT_FILE, sync and async, directly and through a proxy."""
    direct = urlsplit(tls_gateway.base_url())
    variables = {
        "LOWCODEAPI_API_TOKEN": TOKEN,
        "SSL_CERT_FILE": str(certificates.ca_file),
        "HTTPS_PROXY": proxy.url,
        "NO_PROXY": str(direct.hostname),
    }
    assert urlsplit(HTTPS_URL).hostname != direct.hostname
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, direct.geturl(), HTTPS_URL],
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4
    assert len(tls_gateway.heads) == 4
    assert len(proxy.lines) == 2


@pytest.mark.skipif(OPENSSL is None, reason="openssl names the files of a folder")
@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("trusted_by", ["the file", "the directory", "neither"])
def test_both_variables_of_the_environment_apply(
    tls_gateway: TLSGateway,
    certificates: Certificates,
    name: str,
    trusted_by: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR are trusted together, as by OpenSSL."""
    other, folder = Certificates(tmp_path), tmp_path / "folder"
    folder.mkdir()
    shutil.copy(certificates.ca_file if trusted_by == "the directory" else other.ca_file, folder)
    subprocess.run([str(OPENSSL), "rehash", str(folder)], check=True, capture_output=True)
    ca_file = certificates.ca_file if trusted_by == "the file" else other.ca_file
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    fails = trusted_by == "neither"
    with pytest.raises(CertificateVerificationError) if fails else nullcontext():
        call(INTERFACES[name], base_url=tls_gateway.base_url())
    assert len(tls_gateway.heads) == (not fails)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_an_invalid_ca_file_of_the_environment_is_a_usage_error(
    tls_gateway: TLSGateway,
    name: str,
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the variable and the file, and is no connection error; nothing is sent."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(UsageError, match=r"SSL_CERT_FILE: .*ca\.pem"):
        call(INTERFACES[name], base_url=tls_gateway.base_url())
    assert not tls_gateway.heads


@pytest.mark.parametrize("name", FEW)
def test_a_key_log_that_cannot_be_written_is_a_usage_error(
    tls_gateway: TLSGateway, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names SSLKEYLOGFILE and its file, and is no connection error; nothing is sent."""
    other, folder = Certificates(tmp_path), tmp_path / "missing"
    monkeypatch.setenv("SSLKEYLOGFILE", str(folder / "keys.log"))
    # A context that was created before is used again.
    with pytest.raises(UsageError, match=r"SSLKEYLOGFILE: .*keys\.log.* cannot be written"):
        call(INTERFACES[name], verify=str(other.ca_file), base_url=tls_gateway.base_url())
    assert not tls_gateway.heads


@pytest.mark.parametrize("name", FEW)
def test_the_setting_overrides_the_environment(
    tls_gateway: TLSGateway, certificates: Certificates, name: str, tmp_path: Any
) -> None:
    """``verify`` overrides SSL_CERT_FILE."""
    other = Certificates(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(other.ca_file))
        call(INTERFACES[name], verify=str(certificates.ca_file), base_url=tls_gateway.base_url())
    assert len(tls_gateway.heads) == 1
