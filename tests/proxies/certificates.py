"""Certificates of a CA that is in no trust store, for gateways and proxies."""

import datetime as dt
import ssl
from functools import cached_property
from pathlib import Path

import trustme

NAMES = ("gateway.example", "localhost", "127.0.0.1", "::1")


class Certificates:
    """A CA with its file, and TLS contexts of servers and clients.

    Args:
        folder: The folder of the CA's file.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._leaves: dict[tuple[tuple[str, ...], bool], trustme.LeafCert] = {}
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    @cached_property
    def client_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts the CA."""
        return ssl.create_default_context(cafile=self.ca_file)

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Return a server's context with a certificate for the names, or for all that tests use."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf(names or NAMES, expired=expired).configure_cert(context)
        return context

    def _leaf(self, names: tuple[str, ...], *, expired: bool) -> trustme.LeafCert:
        if (names, expired) not in self._leaves:
            not_after = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if expired else None
            self._leaves[names, expired] = self._ca.issue_cert(*names, not_after=not_after)
        return self._leaves[names, expired]
