"""A network that returns scripted bytes on each connection."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import pytest

from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.settings import Settings
from xai_lowcode.transport import pool
from xai_lowcode.transport.sync_client import SyncAPIClient

TOKEN = "at_r" + "0" * 32
BODY = b'{"choices":[],"own":"%b"}'
SECOND = b"HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n" + BODY % b"second"
SETTINGS = Settings.create(
    api_token=TOKEN, base_url="http://127.0.0.1:9/xai", max_retries=0, max_response_bytes=1 << 20
)


class ScriptedNetwork(httpcore.NetworkBackend):
    """Connections that return chunks for the first request, and a valid response for later ones.

    Args:
        chunks: What arrives after the first request.
        ends: Whether the server then closes the connection; else nothing more arrives.
    """

    def __init__(self, chunks: Iterable[bytes], *, ends: bool) -> None:
        self.chunks, self.ends = list(chunks), ends
        self.requests = 0

    def connect_tcp(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        return _Stream(self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, network: ScriptedNetwork) -> None:
        self._network = network
        self._incoming: list[bytes] = []
        self._ended = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's signature
        if self._incoming:
            chunk = self._incoming.pop(0)
            if len(chunk) > max_bytes:
                self._incoming.insert(0, chunk[max_bytes:])
            return chunk[:max_bytes]
        if self._ended:
            return b""
        raise httpcore.ReadTimeout

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        if not buffer.startswith(b"POST "):
            return
        self._network.requests += 1
        if self._network.requests == 1:
            self._incoming += [chunk for chunk in self._network.chunks if chunk]
            self._ended = self._network.ends
        else:
            self._incoming.append(SECOND)

    def close(self) -> None:
        self._ended = True

    def get_extra_info(self, info: str) -> Any:
        return bool(self._incoming) or self._ended if info == "is_readable" else None


@contextmanager
def client_of(network: ScriptedNetwork) -> Iterator[SyncAPIClient]:
    """Yield a client on a scripted network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_SYNC_BACKEND", network)
        with SyncAPIClient(SETTINGS) as client:
            yield client


def check_two_calls(chunks: Iterable[bytes], *, ends: bool) -> Any:
    """Make two calls; fail if the second gets anything but its own response, or one is repeated.

    Returns:
        What the first call returned, or its error.
    """
    network = ScriptedNetwork(chunks, ends=ends)
    with client_of(network) as client:
        first: Any
        try:
            first = client.call(CREATE_CHAT_COMPLETION, body={})
        except XAILowCodeError as error:
            first = error
        assert network.requests == 1
        assert client.call(CREATE_CHAT_COMPLETION, body={})["own"] == "second"
        assert network.requests == 2
    return first
