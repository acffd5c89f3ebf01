"""A network of scripted bytes: what arrives on each connection is what an input says."""

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
    """Connections on which chunks arrive after the first request, and an own response after others.

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
    def __init__(self, world: ScriptedNetwork) -> None:
        self._world = world
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
        self._world.requests += 1
        if self._world.requests == 1:
            self._incoming += [chunk for chunk in self._world.chunks if chunk]
            self._ended = self._world.ends
        else:
            self._incoming.append(SECOND)

    def close(self) -> None:
        self._ended = True

    def get_extra_info(self, info: str) -> Any:
        return bool(self._incoming) or self._ended if info == "is_readable" else None


@contextmanager
def scripted(world: ScriptedNetwork) -> Iterator[SyncAPIClient]:
    """A client on a scripted network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_SYNC_BACKEND", world)
        with SyncAPIClient(SETTINGS) as client:
            yield client


def check(chunks: Iterable[bytes], *, ends: bool) -> Any:
    """Make two calls; fail if the second gets anything but its own response, or one is repeated.

    Returns:
        What the first call returned, or its error.
    """
    world = ScriptedNetwork(chunks, ends=ends)
    with scripted(world) as client:
        first: Any
        try:
            first = client.call(CREATE_CHAT_COMPLETION, body={})
        except XAILowCodeError as error:
            first = error
        assert world.requests == 1
        assert client.call(CREATE_CHAT_COMPLETION, body={})["own"] == "second"
        assert world.requests == 2
    return first
