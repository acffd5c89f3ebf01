"""Check the private names of other libraries that the packages use.

``make test-floors`` and ``make test-newest`` run these tests on the oldest and the newest versions.
"""

import asyncio
import functools
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
from tests.core.fake_server import TOKEN
from xai_lowcode.settings import Settings
from xai_lowcode.transport.config import TransportConfig, tls_context
from xai_lowcode.transport.pool import AsyncPooledTransport, PooledTransport, _has_unread_data

REPLY = httpcore.Response(200, content=b"from the pool")
REQUEST = httpx.Request("GET", "http://127.0.0.1:9/")


class Pool:
    """A replacement for httpx's pool that records the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def handle_request(self, _: httpcore.Request) -> httpcore.Response:
        self.calls.append("sent")
        return REPLY

    async def handle_async_request(self, _: httpcore.Request) -> httpcore.Response:
        self.calls.append("sent")
        return REPLY

    def close(self) -> None:
        self.calls.append("closed")

    async def aclose(self) -> None:
        self.calls.append("closed")


@pytest.mark.parametrize("kind", [httpx.HTTPTransport, httpx.AsyncHTTPTransport])
def test_httpx_transports_have_only_a_pool(kind: Any) -> None:
    """The constructors of httpx's transports, which transport/pool skips, only set ``_pool``."""
    transport = kind(verify=tls_context())
    assert list(vars(transport)) == ["_pool"]
    assert hasattr(transport._pool, "handle_request") or hasattr(
        transport._pool, "handle_async_request"
    )


CONFIG = TransportConfig(Settings.create(api_token=TOKEN))


def test_httpx_sends_and_closes_through_its_pool() -> None:
    """The object in ``_pool`` handles the requests and is closed with the transport."""
    transport, pool = PooledTransport(CONFIG), Pool()
    transport._pool = pool
    assert transport.handle_request(REQUEST).read() == b"from the pool"
    transport.close()
    assert pool.calls == ["sent", "closed"]


def test_httpx_sends_and_closes_through_its_async_pool() -> None:
    """The asynchronous transport uses and closes the object in ``_pool`` too."""
    pool = Pool()

    async def use() -> None:
        transport = AsyncPooledTransport(CONFIG)
        transport._pool = pool
        assert (await transport.handle_async_request(REQUEST)).status_code == 200
        await transport.aclose()

    asyncio.run(use())
    assert pool.calls == ["sent", "closed"]


class Stream(httpcore.NetworkStream, httpcore.AsyncNetworkStream):
    """Network stream with one response and the given bytes after it."""

    def __init__(self, more: bytes) -> None:
        self.incoming = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + more]

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:  # noqa: ARG002 - httpcore's signature
        return self.incoming.pop()

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        pass

    def close(self) -> None:
        pass


class AsyncStream(Stream):
    """Asynchronous version."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - as above
        return self.incoming.pop()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        pass


class Backend(httpcore.NetworkBackend):
    """Network backend that connects to a given stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def connect_tcp(self, *_: Any, **__: Any) -> Any:
        return self.stream


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """Asynchronous version."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def connect_tcp(self, *_: Any, **__: Any) -> Any:
        return self.stream


PROXY = httpcore.Proxy("http://proxy:1")


@pytest.mark.parametrize("more", [b"", b"x"])
@pytest.mark.parametrize("proxy", [None, PROXY])
def test_unread_data_of_httpcore_connections_is_detected(more: bytes, proxy: Any) -> None:
    """``_has_unread_data`` works on direct connections and through a proxy."""
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
    ("adapter_class", "framework_class", "names"),
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
def test_overridden_private_methods_exist_in_the_framework(
    adapter_class: type, framework_class: type, names: str
) -> None:
    """Each private method that an adapter overrides exists in the framework's class."""
    for name in names.split():
        assert hasattr(framework_class, name), f"{framework_class.__name__} has no {name}"
        assert inspect.getattr_static(adapter_class, name) is not inspect.getattr_static(
            framework_class, name
        )


def test_pydantics_state_has_the_keys_that_are_replaced() -> None:
    """The pickling of llama_index_xai_lowcode replaces these two keys of pydantic's state."""

    class Model(BaseModel):
        name: str = ""
        _hidden: int = PrivateAttr(default=1)

    state = Model(name="x").__getstate__()
    assert state["__dict__"] == {"name": "x"}
    assert state["__pydantic_private__"] == {"_hidden": 1}


def test_uvicorns_protocol_has_the_attributes_that_the_emulator_uses() -> None:
    """emulator/server.py reads and sets these attributes of H11Protocol."""
    names = set(inspect.signature(H11Protocol.__init__).parameters)
    assert {"config", "server_state", "app_state"} <= names
    source = inspect.getsource(H11Protocol)
    for name in ("self.cycle", "self.app", "self.access_log", "self.transport"):
        assert f"{name}:" in source or f"{name} =" in source, name


def test_langchain_caches_the_dump_of_a_chat_model() -> None:
    """``_client_fields`` removes it from the model's dict when a field changes."""
    cached = inspect.getattr_static(BaseChatModel, "_serialized")
    assert isinstance(cached, functools.cached_property)
    assert cached.attrname == "_serialized"
