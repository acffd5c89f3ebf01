"""The public methods that call the gateway, with one interface: a prompt in, the outcome out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from tests.transport import wire

TOKEN = "at_canary0123456789abcdef"
OPTIONS = {"api_token": TOKEN, "url_format": "new", "timeout": 20.0}
"""The options of all clients; no call of these tests takes as long as the timeout."""

LoopRuns = Literal["during calls", "always"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes:
        text: The prompt as the response echoes it; None if the call raised.
        partial: The part of a stream that was received before it raised.
        error: The error's message.
        classes: The names of the error's classes, the most derived one first.
        peak: The number of bytes by which the process grew during the call, if measured.
    """

    text: str | None = None
    partial: str = ""
    error: str = ""
    classes: tuple[str, ...] = ()
    peak: int | None = None

    @property
    def failed(self) -> bool:
        """Return True if the call raised an error of the package."""
        return "XAILowCodeError" in self.classes

    @property
    def timed_out(self) -> bool:
        """Return True if the call ended by a timeout."""
        return "APITimeoutError" in self.classes

    @property
    def is_connection_error(self) -> bool:
        """Return True for the error that no usable response was received."""
        return "APIConnectionError" in self.classes

    @property
    def is_invalid_response(self) -> bool:
        """Return True for the error that the response cannot be used."""
        return bool({"InvalidResponseError"} & set(self.classes))

    def __str__(self) -> str:
        if self.classes:
            return f"{self.classes[0]}: {self.error[:200]}"
        return repr(self.text)


@dataclass(frozen=True)
class Way:
    """A public method that calls the gateway.

    Attributes:
        create: Creates the component from a base URL and options.
        send: Makes a call; returns the echoed prompt, or yields it in chunks.
        kind: The kind of request.
        is_async: Whether it is a coroutine, or an async generator for streams.
    """

    create: Callable[..., Any]
    send: Callable[[Any, str], Any]
    kind: Literal["chat", "stream", "image", "get"]
    is_async: bool


def langchain(base_url: str, **options: Any) -> Any:
    """Return LangChain's chat model."""
    from langchain_xai_lowcode import ChatXAILowCode  # noqa: PLC0415 - imported only where it is used

    options = {"model": "grok-4", "api": "chat_completions", **OPTIONS, **options}
    return ChatXAILowCode(base_url=base_url, **options)


def llama_index(base_url: str, **options: Any) -> Any:
    """Return LlamaIndex's LLM."""
    from llama_index_xai_lowcode import XAILowCode  # noqa: PLC0415 - as above

    options = {"model": "grok-4", "api": "chat_completions", **OPTIONS, **options}
    return XAILowCode(base_url=base_url, **options)


def langchain_images(base_url: str, **options: Any) -> Any:
    """Return LangChain's image generator."""
    from langchain_xai_lowcode import XAIImageGenerator  # noqa: PLC0415 - as above

    return XAIImageGenerator(base_url=base_url, **{**OPTIONS, **options})


def llama_index_images(base_url: str, **options: Any) -> Any:
    """Return LlamaIndex's image generator."""
    from llama_index_xai_lowcode import XAIImageGenerator  # noqa: PLC0415 - as above

    return XAIImageGenerator(base_url=base_url, **{**OPTIONS, **options})


def gateway(base_url: str, **options: Any) -> Any:
    """Return the sync client of the endpoints."""
    from xai_lowcode import Gateway, Settings  # noqa: PLC0415 - as above

    return Gateway(Settings.create(base_url=base_url, **{**OPTIONS, **options}))


def async_gateway(base_url: str, **options: Any) -> Any:
    """Return the async client of the endpoints."""
    from xai_lowcode import AsyncGateway, Settings  # noqa: PLC0415 - as above

    return AsyncGateway(Settings.create(base_url=base_url, **{**OPTIONS, **options}))


def _messages(prompt: str) -> list[Any]:
    from llama_index.core.llms import ChatMessage  # noqa: PLC0415 - as above

    return [ChatMessage(prompt)]


async def _ainvoke(model: Any, prompt: str) -> str:
    return str((await model.ainvoke(prompt)).text)


def _stream(model: Any, prompt: str) -> Iterator[str]:
    for chunk in model.stream(prompt):
        yield str(chunk.text)


async def _astream(model: Any, prompt: str) -> AsyncIterator[str]:
    async with aclosing(model.astream(prompt)) as chunks:
        async for chunk in chunks:
            yield str(chunk.text)


async def _achat(model: Any, prompt: str) -> str:
    return str((await model.achat(_messages(prompt))).message.content)


def _stream_chat(model: Any, prompt: str) -> Iterator[str]:
    for response in model.stream_chat(_messages(prompt)):
        yield response.delta or ""


async def _astream_chat(model: Any, prompt: str) -> AsyncIterator[str]:
    async with aclosing(await model.astream_chat(_messages(prompt))) as responses:
        async for response in responses:
            yield response.delta or ""


async def _ainvoke_image(model: Any, prompt: str) -> str:
    (block,) = await model.ainvoke(prompt)
    return wire.prompt_of_image(block["url"])


async def _agenerate(model: Any, prompt: str) -> str:
    (block,) = await model.agenerate(prompt)
    return wire.prompt_of_image(str(block.url))


async def _aretrieve_model(client: Any, name: str) -> str:
    return str((await client.retrieve_model(name)).id)


async def _alist_models(client: Any, _prompt: str) -> str:
    (model,) = await client.list_models()
    return str(model.id)


WAYS = {
    "LangChain invoke": Way(langchain, lambda m, p: str(m.invoke(p).text), "chat", is_async=False),
    "LangChain ainvoke": Way(langchain, _ainvoke, "chat", is_async=True),
    "LangChain stream": Way(langchain, _stream, "stream", is_async=False),
    "LangChain astream": Way(langchain, _astream, "stream", is_async=True),
    "LlamaIndex chat": Way(
        llama_index, lambda m, p: str(m.chat(_messages(p)).message.content), "chat", is_async=False
    ),
    "LlamaIndex achat": Way(llama_index, _achat, "chat", is_async=True),
    "LlamaIndex stream_chat": Way(llama_index, _stream_chat, "stream", is_async=False),
    "LlamaIndex astream_chat": Way(llama_index, _astream_chat, "stream", is_async=True),
    "LangChain image invoke": Way(
        langchain_images,
        lambda m, p: wire.prompt_of_image(m.invoke(p)[0]["url"]),
        "image",
        is_async=False,
    ),
    "LangChain image ainvoke": Way(langchain_images, _ainvoke_image, "image", is_async=True),
    "LlamaIndex image generate": Way(
        llama_index_images,
        lambda m, p: wire.prompt_of_image(str(m.generate(p)[0].url)),
        "image",
        is_async=False,
    ),
    "LlamaIndex image agenerate": Way(llama_index_images, _agenerate, "image", is_async=True),
    "Gateway retrieve_model": Way(
        gateway, lambda c, p: str(c.retrieve_model(p).id), "get", is_async=False
    ),
    "AsyncGateway retrieve_model": Way(async_gateway, _aretrieve_model, "get", is_async=True),
    "Gateway list_models": Way(
        gateway, lambda c, _: str(c.list_models()[0].id), "get", is_async=False
    ),
    "AsyncGateway list_models": Way(async_gateway, _alist_models, "get", is_async=True),
}

CHAT = [name for name, way in WAYS.items() if way.kind in {"chat", "stream"}]
LANGCHAIN = [name for name in CHAT if name.startswith("LangChain")]
IMAGES = [name for name, way in WAYS.items() if way.kind == "image"]
GETS = [name for name, way in WAYS.items() if way.kind == "get"]
POSTS = [*CHAT, *IMAGES]
ECHOING = [name for name in WAYS if "list_models" not in name]
"""The methods whose response shows to which request it belongs."""


class Caller(Protocol):
    """A client of one server, in this process or in another."""

    def call(self, prompt: str) -> Outcome:
        """Make a call."""

    def close(self) -> None:
        """Close the client."""


class _LoopThread:
    """An event loop that always runs, in its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Session:
    """A component and, for async methods, the event loop of its calls.

    Args:
        way: Name of the method in ``WAYS``.
        base_url: Base URL of the server.
        loop: Whether the event loop runs between calls too. If it does not, only the operating
            system receives data between calls, as in a program that computes.
        options: Options of the component.
    """

    def __init__(
        self, way: str, base_url: str, *, loop: LoopRuns = "during calls", **options: Any
    ) -> None:
        self.way = WAYS[way]
        self.component = self.way.create(base_url, **options)
        self._runner: Any = None
        if self.way.is_async:
            self._runner = asyncio.Runner() if loop == "during calls" else _LoopThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def call(self, prompt: str) -> Outcome:
        """Make a call; an error is an outcome too."""
        chunks: list[str] = []
        try:
            if self._runner is None:
                self._send(prompt, chunks)
            else:
                self._runner.run(self._asend(prompt, chunks))
        except Exception as error:  # noqa: BLE001 - any error is an outcome
            classes = tuple(cls.__name__ for cls in type(error).__mro__)
            return Outcome(None, "".join(chunks), str(error), classes)
        text = "".join(chunks)
        return Outcome(text.removeprefix(wire.ECHO) if self._is_chat else text)

    @property
    def _is_chat(self) -> bool:
        return self.way.kind in {"chat", "stream"}

    def _send(self, prompt: str, chunks: list[str]) -> None:
        if self.way.kind == "stream":
            for chunk in self.way.send(self.component, prompt):
                chunks.append(chunk)  # noqa: PERF402 - keep the chunks before an error
        else:
            chunks.append(self.way.send(self.component, prompt))

    async def _asend(self, prompt: str, chunks: list[str]) -> None:
        if self.way.kind == "stream":
            async with aclosing(self.way.send(self.component, prompt)) as stream:
                async for chunk in stream:
                    chunks.append(chunk)  # noqa: PERF401 - as above
        else:
            chunks.append(await self.way.send(self.component, prompt))

    def close(self) -> None:
        """Close the connections, and the event loop."""
        if self._runner is None:
            self.component.close()
            return
        self._runner.run(self.component.aclose())
        self._runner.close()
