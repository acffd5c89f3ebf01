"""Guard: what is used of other libraries beyond what they promise is there, and does what we think.

`make test-floors` and `make test-newest` run it on the oldest and on the newest versions. A failure
says which of our modules relies on what has gone.
"""

import asyncio
import inspect
from typing import Any

import httpcore
import httpx
import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.tools import BaseTool
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import BaseModel, PrivateAttr
from uvicorn.protocols.http.h11_impl import H11Protocol

import langchain_xai_lowcode
import llama_index_xai_lowcode
from tests.core.loopback import TOKEN
from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import TransportConfig, tls_context
from xai_lowcode.transport.pool import AsyncPooledTransport, PooledTransport, _has_unread_data

REPLY = httpcore.Response(200, content=b"from the pool")
REQUEST = httpx.Request("GET", "http://127.0.0.1:9/")


class Pool:
    """Stands where httpx has its pool, and notes what httpx does with it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def handle_request(self, _: httpcore.Request) -> httpcore.Response:
        self.done.append("sent")
        return REPLY

    async def handle_async_request(self, _: httpcore.Request) -> httpcore.Response:
        self.done.append("sent")
        return REPLY

    def close(self) -> None:
        self.done.append("closed")

    async def aclose(self) -> None:
        self.done.append("closed")


@pytest.mark.parametrize("kind", [httpx.HTTPTransport, httpx.AsyncHTTPTransport])
def test_httpx_makes_nothing_but_a_pool(kind: Any) -> None:
    """Httpx's constructors, which transport/pool leaves out, only make a pool."""
    transport = kind(verify=tls_context())
    assert list(vars(transport)) == ["_pool"]
    assert hasattr(transport._pool, "handle_request") or hasattr(
        transport._pool, "handle_async_request"
    )


CONFIG = TransportConfig(Settings.create(api_token=TOKEN))


def test_httpx_sends_and_closes_by_its_pool() -> None:
    """What stands in ``_pool`` gets the requests, and is closed with the transport."""
    transport, pool = PooledTransport(CONFIG), Pool()
    transport._pool = pool
    assert transport.handle_request(REQUEST).read() == b"from the pool"
    transport.close()
    assert pool.done == ["sent", "closed"]


def test_httpx_sends_and_closes_by_its_async_pool() -> None:
    """The same for the async transport."""
    pool = Pool()

    async def use() -> None:
        transport = AsyncPooledTransport(CONFIG)
        transport._pool = pool
        assert (await transport.handle_async_request(REQUEST)).status_code == 200
        await transport.aclose()

    asyncio.run(use())
    assert pool.done == ["sent", "closed"]


class Stream(httpcore.NetworkStream, httpcore.AsyncNetworkStream):
    """A network stream on which one response, and more, has come."""

    def __init__(self, more: bytes) -> None:
        self.incoming = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + more]

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:  # noqa: ARG002 - httpcore's signature
        return self.incoming.pop()

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        pass

    def close(self) -> None:
        pass


class AsyncStream(Stream):
    """The same for coroutines."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - as above
        return self.incoming.pop()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        pass


class Backend(httpcore.NetworkBackend):
    """Connects to a stream, whatever the host."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def connect_tcp(self, *_: Any, **__: Any) -> Any:
        return self.stream


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """The same for coroutines."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def connect_tcp(self, *_: Any, **__: Any) -> Any:
        return self.stream


PROXY = httpcore.Proxy("http://proxy:1")


@pytest.mark.parametrize("more", [b"", b"x"])
@pytest.mark.parametrize("proxy", [None, PROXY])
def test_httpcore_shows_what_came_after_a_response(more: bytes, proxy: Any) -> None:
    """The names that transport/pool reads are there, on direct connections and through a proxy."""
    origin = httpcore.URL("http://host/").origin
    request = httpcore.Request("GET", "http://host/", headers={"host": "host"})
    pool: Any = httpcore.ConnectionPool(proxy=proxy, network_backend=Backend(Stream(more)))
    connection = pool.create_connection(origin)
    response = connection.handle_request(request)
    assert b"".join(response.stream) == b"ok"
    response.stream.close()
    assert connection.is_idle()
    assert _has_unread_data(connection) == bool(more)

    async def read() -> None:
        backend = AsyncBackend(AsyncStream(more))
        pool: Any = httpcore.AsyncConnectionPool(proxy=proxy, network_backend=backend)
        connection = pool.create_connection(origin)
        response = await connection.handle_async_request(request)
        assert b"".join([chunk async for chunk in response.stream]) == b"ok"
        await response.stream.aclose()
        assert connection.is_idle()
        assert _has_unread_data(connection) == bool(more)

    asyncio.run(read())


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (
            langchain_xai_lowcode.ChatXAILowCode,
            BaseChatModel,
            (
                "_generate _agenerate _stream _astream _llm_type _combine_llm_outputs"
                " _get_ls_params _resolve_model_profile"
            ),
        ),
        (langchain_xai_lowcode.XAIImageGenerationTool, BaseTool, "_run _arun"),
        (
            llama_index_xai_lowcode.XAILowCode,
            FunctionCallingLLM,
            "_structured_stream_call _structured_astream_call _prepare_chat_with_tools",
        ),
        (
            llama_index_xai_lowcode.XAILowCodeEmbedding,
            BaseEmbedding,
            (
                "_get_query_embedding _get_text_embedding _get_text_embeddings"
                " _aget_query_embedding _aget_text_embedding _aget_text_embeddings"
            ),
        ),
    ],
)
def test_what_stands_in_for_a_frameworks_own_is_still_asked_for(
    ours: type, theirs: type, names: str
) -> None:
    """Each underscored name that an adapter overrides is one of the framework's, and is ours."""
    for name in names.split():
        assert hasattr(theirs, name), f"{theirs.__name__} has no {name} any more"
        assert inspect.getattr_static(ours, name) is not inspect.getattr_static(theirs, name)


def test_pydantics_state_has_the_places_that_are_written() -> None:
    """llama_index_xai_lowcode's pickles replace these two places of pydantic's state."""

    class Model(BaseModel):
        name: str = ""
        _hidden: int = PrivateAttr(default=1)

    state = Model(name="x").__getstate__()
    assert state["__dict__"] == {"name": "x"}
    assert state["__pydantic_private__"] == {"_hidden": 1}


def test_uvicorns_connection_has_what_the_emulator_uses() -> None:
    """emulator/connection reads and sets these attributes of uvicorn's protocol."""
    names = set(inspect.signature(H11Protocol.__init__).parameters)
    assert {"config", "server_state", "app_state"} <= names
    source = inspect.getsource(H11Protocol)
    for name in ("self.cycle", "self.app", "self.access_log", "self.transport"):
        assert f"{name}:" in source or f"{name} =" in source, name
