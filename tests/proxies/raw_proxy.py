"""Proxies made of sockets, which record requests and report violations of the protocol.

``RawProxy`` is an HTTP proxy (CONNECT and absolute form), optionally over TLS; ``SocksProxy`` is a
SOCKS5 proxy. Both map host names to addresses themselves.
"""

import base64
import re
import ssl
from urllib.parse import urlsplit

from tests.proxies.servers import (
    Address,
    Connection,
    Head,
    RequestReader,
    Server,
    header_violations,
)

_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+:\d+")
_TLS_HANDSHAKE = b"\x16"


class _RoutingProxy(Server):
    """What the proxies share: the addresses of hosts, and the data of tunnels.

    Attributes:
        tunnelled: The clients' bytes in tunnels, as the proxy receives them.
    """

    def __init__(self, routes: dict[str, Address], credentials: str | None = None) -> None:
        super().__init__()
        self.credentials = credentials
        self.tunnelled = b""
        self.routes = routes

    def _tunnel(self, client: Connection, upstream: Connection) -> None:
        is_first = True

        def record(data: bytes) -> bytes:
            nonlocal is_first
            if is_first and not data.startswith(_TLS_HANDSHAKE):
                self.violations.append(f"the tunnel does not begin with TLS: {data[:20]!r}")
            is_first = False
            self.tunnelled += data
            return data

        self.relay(client, upstream, record)


class RawProxy(_RoutingProxy):
    """An HTTP proxy.

    Args:
        routes: The addresses of hosts, by ``"gateway.example:443"``.
        credentials: The required ``user:password``; None for none.
        response: The response to each request, instead of serving it, after which the connection is
            closed; no response at all if it is empty.
        silent: Whether it never responds.
        tls: The context with which clients connect by TLS.

    Attributes:
        heads: The requests that it received: CONNECT, and those in absolute form.
        clear: All bytes that it received outside of tunnels.
    """

    def __init__(
        self,
        routes: dict[str, Address],
        *,
        credentials: str | None = None,
        response: bytes | None = None,
        silent: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(routes, credentials)
        self.heads: list[Head] = []
        self.clear = b""
        self._response, self._silent, self._tls = response, silent, tls

    @property
    def url(self) -> str:
        """Return the proxy's URL, without credentials."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """Return the received request lines."""
        return [head.line for head in self.heads]

    def handle(self, connection: Connection) -> None:
        """Serve one connection."""
        if self._tls:
            connection.start_tls(self._tls)
        data = connection.read_head()
        if not data:
            return
        self.clear += data
        head = Head.parse(data)
        self.heads.append(head)
        if self._silent:
            self.wait(connection)
        elif self._response is not None:
            connection.send(self._response)
        elif head.method == "CONNECT":
            self._connect(connection, head)
        else:
            self._forward(connection, head, data)

    def _connect(self, client: Connection, head: Head) -> None:
        # httpcore sends Accept, which reveals nothing.
        self._check(head, _AUTHORITY, {"host": head.target, "accept": "*/*"})
        if client.unread:
            self.violations.append("bytes follow CONNECT before its response")
        if not self._is_allowed(client, head):
            return
        address = self.routes.get(head.target)
        if address is None:
            self.violations.append(f"no route for {head.target}")
            client.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        upstream = self.connect(address)
        try:
            client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._tunnel(client, upstream)
        finally:
            upstream.close()

    def _forward(self, client: Connection, head: Head, data: bytes) -> None:
        authority = urlsplit(head.target).netloc
        address = self.routes.get(authority if ":" in authority else f"{authority}:80")
        if address is None:
            self.violations.append(f"no route for the target of {head.line!r}")
            client.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if not self._is_allowed(client, head):
            return

        unrecorded = [head]

        def forward(request: Head) -> bytes:
            # The first request was recorded when its target was looked up.
            if unrecorded:
                unrecorded.pop()
            else:
                self.heads.append(request)
            self._check(request, re.compile(rf"http://{re.escape(authority)}/\S+"), None)
            url = urlsplit(request.target)
            target = f"{url.path}?{url.query}" if url.query else url.path
            return request.render(target, ("proxy-authorization",))

        upstream = self.connect(address)
        try:
            reader = RequestReader(forward)
            upstream.send(reader.feed(data))

            def record(data: bytes) -> bytes:
                self.clear += data
                return reader.feed(data)

            self.relay(client, upstream, record)
        finally:
            upstream.close()

    def _is_allowed(self, client: Connection, head: Head) -> bool:
        if self.credentials is None or head.all("proxy-authorization") == [self._authorization]:
            return True
        client.send(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            b'Proxy-Authenticate: Basic realm="tests"\r\nContent-Length: 0\r\n\r\n'
        )
        return False

    @property
    def _authorization(self) -> str:
        return f"Basic {base64.b64encode((self.credentials or '').encode()).decode()}"

    def _check(self, head: Head, target: re.Pattern[str], allowed: dict[str, str] | None) -> None:
        if not target.fullmatch(head.target):
            self.violations.append(f"invalid target: {head.line!r}")
        if not head.line.endswith(" HTTP/1.1"):
            self.violations.append(f"invalid version: {head.line!r}")
        host = head.target if allowed else urlsplit(head.target).netloc
        if head.all("host") != [host]:
            self.violations.append(f"header host is {head.all('host')} instead of {host!r}")
        expected: dict[str, str | None] = dict(allowed or dict.fromkeys(n for n, _ in head.headers))
        if self.credentials is not None:
            expected["proxy-authorization"] = self._authorization
        else:
            expected.pop("proxy-authorization", None)
        self.violations += header_violations(head, expected)


class SocksProxy(_RoutingProxy):
    """A SOCKS5 proxy (RFC 1928), with a user name and a password if it has credentials (RFC 1929).

    Attributes:
        lines: ``"SOCKS5 CONNECT host:port"`` for each request.
        clear: All bytes that it received outside of tunnels.
    """

    def __init__(self, routes: dict[str, Address], *, credentials: str | None = None) -> None:
        super().__init__(routes, credentials)
        self.lines: list[str] = []
        self.clear = b""

    @property
    def url(self) -> str:
        """Return the proxy's URL, without credentials."""
        return f"socks5://127.0.0.1:{self.port}"

    def handle(self, connection: Connection) -> None:
        """Serve one connection."""
        version, count = self._read(connection, 2)
        methods = self._read(connection, count)
        method = 0 if self.credentials is None else 2
        if version != 5 or method not in methods:
            self.violations.append(f"SOCKS version {version} with methods {list(methods)}")
            connection.send(b"\x05\xff")
            return
        connection.send(bytes([5, method]))
        if self.credentials is not None:
            user, password = self._text(connection, skip=1), self._text(connection)
            expected = f"{user}:{password}" == self.credentials
            connection.send(b"\x01\x00" if expected else b"\x01\x01")
            if not expected:
                return
        head = self._read(connection, 4)
        if head != b"\x05\x01\x00\x03":
            self.violations.append(f"a request without a host name: {head!r}")
            return
        host = self._text(connection)
        target = f"{host}:{int.from_bytes(self._read(connection, 2), 'big')}"
        self.lines.append(f"SOCKS5 CONNECT {target}")
        address = self.routes.get(target)
        if address is None:
            self.violations.append(f"no route for {target}")
            connection.send(b"\x05\x04\x00\x01" + bytes(6))
            return
        upstream = self.connect(address)
        try:
            connection.send(b"\x05\x00\x00\x01" + bytes(6))
            self._tunnel(connection, upstream)
        finally:
            upstream.close()

    def _text(self, connection: Connection, skip: int = 0) -> str:
        return self._read(connection, self._read(connection, skip + 1)[-1]).decode("latin-1")

    def _read(self, connection: Connection, length: int) -> bytes:
        data = connection.read_exactly(length)
        self.clear += data
        return data
