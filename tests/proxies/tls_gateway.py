"""An https gateway: terminates TLS in front of an emulator, and keeps the heads of the requests."""

import ssl

from tests.proxies.servers import Address, Connection, Head, RequestReader, Server


class TLSGateway(Server):
    """Decrypts, and passes on to a gateway without TLS.

    Args:
        context: The TLS context with the certificate.
        emulator: Where the gateway without TLS is.

    Attributes:
        heads: The requests as they were sent inside of TLS.
        server_names: The names that clients sent in their TLS handshakes.
    """

    def __init__(self, context: ssl.SSLContext, emulator: Address) -> None:
        super().__init__()
        self.heads: list[Head] = []
        self.server_names: list[str | None] = []
        self._context, self._emulator = context, emulator
        context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)

    def base_url(self, host: str = "127.0.0.1") -> str:
        """What a client is configured with that needs no proxy to find it."""
        return f"https://{host}:{self.port}/xai"

    @property
    def lines(self) -> list[str]:
        """The request lines inside of TLS."""
        return [head.line for head in self.heads]

    def handle(self, connection: Connection) -> None:
        """Serves one connection."""
        connection.start_tls(self._context)
        upstream = self.connect(self._emulator)

        def keep(head: Head) -> bytes:
            self.heads.append(head)
            return head.render(head.target, ())

        try:
            self.relay(connection, upstream, RequestReader(keep).feed)
        finally:
            upstream.close()
