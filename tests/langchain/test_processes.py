"""Models in other processes, threads, event loops and dumps."""

import asyncio
import copy
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps, loads

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
)

pytestmark = pytest.mark.slow

MODELS: list[Callable[..., Any]] = [ChatXAILowCode, XAIImageGenerator]
THREADS = 16


def content_of(message: Any) -> str:
    """Return the text of a message, or the type of an image block."""
    if isinstance(message, list):
        return str(message[0]["type"])
    return str(getattr(message, "text", message))


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize("kind", [*MODELS, XAILowCodeEmbeddings])
def test_a_dump_has_no_token_and_can_be_loaded(gateway: Any, kind: Any) -> None:
    """A dump names the variable of the token; loaded with it, the component works."""
    component = kind(model="grok-imagine-image" if kind is XAIImageGenerator else "grok-4.6")
    dump = dumps(component)
    assert gateway.api_token not in dump
    assert "LOWCODEAPI_API_TOKEN" in dump
    loaded = loads(
        dump,
        allowed_objects=[kind],
        valid_namespaces=["langchain_xai_lowcode"],
        secrets_map={"LOWCODEAPI_API_TOKEN": gateway.api_token},
    )
    assert dumps(loaded) == dump
    assert loaded.api_token.get_secret_value() == gateway.api_token
    if kind is not XAILowCodeEmbeddings:  # the gateway has no such endpoint by default
        assert content_of(loaded.invoke("Hello")) == content_of(component.invoke("Hello"))


@pytest.mark.parametrize("kind", MODELS)
def test_copies_and_pickles_of_a_used_model_work(gateway: Any, kind: Any) -> None:
    """Copies and pickles of a model with open connections work, with its options."""
    assert gateway.base_url
    model = kind(deadline=30.0)
    expected = content_of(model.invoke("Hello"))
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):  # noqa: S301 - our own bytes
        assert copied.deadline == 30.0
        assert content_of(copied.invoke("Hello")) == expected
        assert content_of(asyncio.run(copied.ainvoke("Hello"))) == expected


class _LockedHandler(BaseCallbackHandler):
    """A callback handler with a lock, which cannot be copied, as tracers have one."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.runs = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.runs += 1

    def on_tool_start(self, *_: Any, **__: Any) -> None:
        self.runs += 1


class _LockedCache(InMemoryCache):
    """A cache with a lock, as caches with connections have one."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock()


@pytest.mark.parametrize("kind", [ChatXAILowCode, XAIImageGenerationTool])
def test_deep_copies_share_clients_callbacks_and_caches(gateway: Any, kind: Any) -> None:
    """They have locks and connections; a deep copy uses those of the original."""
    assert gateway.base_url
    handler = _LockedHandler()
    urls: list[str] = []
    hooks = {"request": [lambda request: urls.append(request.url.path)]}
    shared: dict[str, Any] = {"callbacks": [handler]}
    if kind is ChatXAILowCode:
        shared["cache"] = _LockedCache()
    with httpx.Client(event_hooks=hooks) as client:
        model = kind(http_client=client, http_async_client=httpx.AsyncClient(), **shared)
        copies = [copy.deepcopy(model), model.model_copy(deep=True), copy.deepcopy([model])[0]]
        for i, copied in enumerate(copies, 1):
            assert content_of(copied.invoke(f"Hello {i}"))
            assert (len(urls), handler.runs) == (i, i)
            for name in ("http_client", "http_async_client", *shared):
                assert getattr(copied, name) is getattr(model, name)
        assert copies[0]._gateway is not model._gateway


@pytest.mark.parametrize("kind", MODELS)
async def test_injected_clients_are_not_pickled(gateway: Any, kind: Any) -> None:
    """Injected clients are used and not pickled; the loaded model creates its own."""
    assert gateway.base_url
    requests: list[str] = []

    async def record_request(request: httpx.Request) -> None:
        requests.append(f"async {request.method}")

    hooks = {"request": [lambda request: requests.append(request.method)]}
    with httpx.Client(event_hooks=hooks) as client:
        async with httpx.AsyncClient(event_hooks={"request": [record_request]}) as async_client:
            model = kind(http_client=client, http_async_client=async_client)
            expected = content_of(model.invoke("Hello"))
            assert content_of(await model.ainvoke("Hello")) == expected
            assert requests == ["POST", "async POST"]
            copied = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    assert content_of(copied.invoke("Hello")) == expected
    assert (copied.http_client, copied.http_async_client, len(requests)) == (None, None, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("kind", MODELS)
def test_a_forked_process_uses_its_own_connections(gateway: Any, kind: Any) -> None:
    """Parent and child share no connection: both get their own responses."""
    assert gateway.base_url
    model = kind()
    expected = content_of(model.invoke("Hello"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        output = "nothing"
        try:
            contents = {content_of(model.invoke("Hello")) for _ in range(3)}
            contents.add(content_of(asyncio.run(model.ainvoke("Hello"))))
            output = "|".join(contents)
        finally:
            os.write(writer, output.encode())
            os._exit(0)
    os.close(writer)
    assert {content_of(model.invoke("Hello")) for _ in range(3)} == {expected}
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read().decode() == expected
    os.waitpid(child, 0)


@pytest.mark.parametrize("kind", MODELS)
def test_several_event_loops(gateway: Any, kind: Any) -> None:
    """A model works in consecutive event loops, and in loops of several threads."""
    assert gateway.base_url
    model = kind()

    async def call() -> set[str]:
        contents = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(2)))
        return {content_of(message) for message in contents}

    expected = asyncio.run(call())
    assert len(expected) == 1
    assert asyncio.run(call()) == expected
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: asyncio.run(call()), range(3)))
    assert found == [expected] * 3


@pytest.mark.parametrize("kind", MODELS)
def test_threads_share_a_model(gateway: Any, kind: Any) -> None:
    """Sixteen concurrent threads each get their own response."""
    assert gateway.base_url
    model, start = kind(), Barrier(THREADS)

    def call(number: int) -> str:
        start.wait(10)
        return content_of(model.invoke(f"Repeat 'number {number}.'"))

    with ThreadPoolExecutor(THREADS) as pool:
        contents = list(pool.map(call, range(THREADS)))
    if kind is not XAIImageGenerator:
        assert [f"number {number}." in message for number, message in enumerate(contents)] == [
            True
        ] * THREADS
