"""The public interfaces that call the gateway, as a table: both adapters and ``Gateway``.

Each row creates a model and calls one of its methods; ``call`` does so with options, sync or async.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_index.core.llms import ChatMessage

import langchain_xai_lowcode as lc
import llama_index_xai_lowcode as li
from xai_lowcode import AsyncGateway, Gateway, Settings

TOKEN = "at_-canary-of=the&mine"
QUOTED_TOKEN = "at_-canary-of%3Dthe%26mine"
CONTENT = b"Some notes."

# The names of the option for an injected client.
_CLIENTS = ("http_client", "http_async_client")

ClientFactory = Callable[..., Any]
"""Creates a client to inject: an async one if its argument ``is_async`` is true."""


@dataclass(frozen=True)
class Interface:
    """One public method that calls the gateway.

    Attributes:
        create: Creates the model from options.
        send: Calls the method once; returns its result, or a coroutine.
        client_option: The option for an injected client.
        path: The path of the request; empty if there are several.
        is_async: Whether the method is async.
    """

    create: Callable[..., Any]
    send: Callable[[Any], Any]
    client_option: str
    path: str
    is_async: bool = False


def call(
    interface: Interface,
    *,
    client: ClientFactory | None = None,
    times: int = 1,
    concurrency: int = 1,
    inspect: Callable[[Any], None] = lambda _object: None,
    **options: Any,
) -> list[Any]:
    """Create a model, call it, close it, and return its results.

    Args:
        interface: The method.
        client: Creates an injected client; None for the package's own.
        times: The number of successive calls.
        concurrency: The number of concurrent calls, of async interfaces only.
        inspect: Called with the model, with an injected client, and with each result.
        options: The options of the model; ``api_token`` and ``max_retries`` have defaults.
    """
    options = {"api_token": TOKEN, "max_retries": 0, **options}
    if interface.is_async:
        return asyncio.run(_call_async(interface, client, times, concurrency, inspect, options))
    injected = client(is_async=False) if client else None
    try:
        if injected:
            options[interface.client_option] = injected
        model = interface.create(**options)
        try:
            inspect(model)
            results = [interface.send(model) for _ in range(times)]
        finally:
            model.close()
        inspect([injected, *results])
        return results
    finally:
        if injected:
            injected.close()


async def _call_async(
    interface: Interface,
    client: ClientFactory | None,
    times: int,
    concurrency: int,
    inspect: Callable[[Any], None],
    options: dict[str, Any],
) -> list[Any]:
    injected = client(is_async=True) if client else None
    try:
        if injected:
            options[interface.client_option] = injected
        model = interface.create(**options)
        try:
            inspect(model)
            results = []
            for _ in range(times):
                results += await asyncio.gather(
                    *(interface.send(model) for _ in range(concurrency))
                )
        finally:
            await model.aclose()
        inspect([injected, *results])
        return results
    finally:
        if injected:
            await injected.aclose()


def _langchain_image(**options: Any) -> Any:
    return lc.XAIImageGenerator(response_format="b64_json", **options)


def _gateway(**options: Any) -> Any:
    client = options.pop("http_client", None)
    return Gateway(Settings.create(**options), http_client=client)


def _async_gateway(**options: Any) -> Any:
    client = options.pop("http_client", None)
    return AsyncGateway(Settings.create(**options), http_client=client)


async def _langchain_ainvoke(model: Any) -> str:
    return str((await model.ainvoke("Hi")).text)


async def _langchain_astream(model: Any) -> str:
    return "".join([str(chunk.text) async for chunk in model.astream("Hi")])


async def _langchain_aimage(model: Any) -> str:
    (image,) = await model.ainvoke("A cat")
    return str(image["base64"])


async def _llama_index_achat(model: Any) -> str:
    return str(await model.achat([ChatMessage("Hi")]))


async def _llama_index_astream(model: Any) -> str:
    chunks = [chunk async for chunk in await model.astream_chat([ChatMessage("Hi")])]
    return "".join(chunk.delta for chunk in chunks)


async def _llama_index_aimage(model: Any) -> bytes:
    (image,) = await model.agenerate("A cat", response_format="b64_json")
    return bytes(image.image)


def _files(model: Any) -> bytes:
    record = model.upload_file(CONTENT, name="notes.txt")
    return bytes(model.download_file(record.id).content)


async def _async_files(model: Any) -> bytes:
    record = await model.upload_file(CONTENT, name="notes.txt")
    return bytes((await model.download_file(record.id)).content)


_CHAT = "/xai/v1/responses"
_IMAGES = "/xai/v1/images/generations"

SYNC: dict[str, Interface] = {
    "langchain invoke": Interface(
        lc.ChatXAILowCode, lambda model: model.invoke("Hi").text, _CLIENTS[0], _CHAT
    ),
    "langchain stream": Interface(
        lc.ChatXAILowCode,
        lambda model: "".join(chunk.text for chunk in model.stream("Hi")),
        _CLIENTS[0],
        _CHAT,
    ),
    "langchain image": Interface(
        _langchain_image, lambda model: model.invoke("A cat")[0]["base64"], _CLIENTS[0], _IMAGES
    ),
    "llama_index chat": Interface(
        li.XAILowCode, lambda model: str(model.chat([ChatMessage("Hi")])), _CLIENTS[0], _CHAT
    ),
    "llama_index stream": Interface(
        li.XAILowCode,
        lambda model: "".join(chunk.delta for chunk in model.stream_chat([ChatMessage("Hi")])),
        _CLIENTS[0],
        _CHAT,
    ),
    "llama_index image": Interface(
        li.XAIImageGenerator,
        lambda model: model.generate("A cat", response_format="b64_json")[0].image,
        _CLIENTS[0],
        _IMAGES,
    ),
    "gateway files": Interface(_gateway, _files, "http_client", ""),
}
ASYNC: dict[str, Interface] = {
    "langchain ainvoke": Interface(
        lc.ChatXAILowCode, _langchain_ainvoke, _CLIENTS[1], _CHAT, is_async=True
    ),
    "langchain astream": Interface(
        lc.ChatXAILowCode, _langchain_astream, _CLIENTS[1], _CHAT, is_async=True
    ),
    "langchain aimage": Interface(
        _langchain_image, _langchain_aimage, _CLIENTS[1], _IMAGES, is_async=True
    ),
    "llama_index achat": Interface(
        li.XAILowCode, _llama_index_achat, _CLIENTS[1], _CHAT, is_async=True
    ),
    "llama_index astream": Interface(
        li.XAILowCode, _llama_index_astream, _CLIENTS[1], _CHAT, is_async=True
    ),
    "llama_index aimage": Interface(
        li.XAIImageGenerator, _llama_index_aimage, _CLIENTS[1], _IMAGES, is_async=True
    ),
    "async gateway files": Interface(
        _async_gateway, _async_files, "http_client", "", is_async=True
    ),
}
INTERFACES = {**SYNC, **ASYNC}
# A selection with both adapters, sync and async, where all interfaces would test nothing more.
FEW = ("langchain invoke", "langchain ainvoke", "llama_index chat", "llama_index achat")
# The other models, which share their connections with those above.
OTHER_MODELS: dict[str, Interface] = {
    "langchain embeddings": Interface(
        lc.XAILowCodeEmbeddings, lambda model: model.embed_query("Hi"), "http_client", ""
    ),
    "langchain aembeddings": Interface(
        lc.XAILowCodeEmbeddings,
        lambda model: model.aembed_query("Hi"),
        "http_async_client",
        "",
        is_async=True,
    ),
    "langchain image tool": Interface(
        lc.XAIImageGenerationTool,
        lambda model: model.invoke({"prompt": "A cat"}),
        "http_client",
        "",
    ),
    "llama_index embedding": Interface(
        li.XAILowCodeEmbedding, lambda model: model.get_text_embedding("Hi"), "http_client", ""
    ),
    "llama_index aembedding": Interface(
        li.XAILowCodeEmbedding,
        lambda model: model.aget_text_embedding("Hi"),
        _CLIENTS[1],
        "",
        is_async=True,
    ),
}
