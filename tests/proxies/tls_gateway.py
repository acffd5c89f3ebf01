"""An https gateway: TLS in front of an emulator, with a record of the requests."""

import ssl

from tests.proxies.servers import Address, Connection, Head, RequestReader, Server


class TLSGateway(Server):
    """Decrypts data and forwards it to a gateway without TLS.

    Args:
        context: The TLS context with the certificate.
        emulator: The address of the gateway without TLS.

    Attributes:
        heads: The decrypted requests.
        server_names: The names that clients sent in their TLS handshakes.
    """

    def __init__(self, context: ssl.SSLContext, emulator: Address) -> None:
        super().__init__()
        self.heads: list[Head] = []
        self.server_names: list[str | None] = []
        self._context, self._emulator = context, emulator
        context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)

    def base_url(self, host: str = "127.0.0.1") -> str:
        """Return the base URL of a client that uses no proxy."""
        return f"https://{host}:{self.port}/xai"

    @property
    def lines(self) -> list[str]:
        """Return the decrypted request lines."""
        return [head.line for head in self.heads]

    def handle(self, connection: Connection) -> None:
        """Serve one connection."""
        connection.start_tls(self._context)
        upstream = self.connect(self._emulator)

        def record(head: Head) -> bytes:
            self.heads.append(head)
            return head.render(head.target, ())

        try:
            self.relay(connection, upstream, RequestReader(record).feed)
        finally:
            upstream.close()
