"""The public interfaces of the package, each of which makes the same call.

An interface creates its component and calls it. Its result is the part of the response that an
application keeps, so that it can be compared with the result without a fault.
"""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_index.core.llms import ChatMessage

import langchain_xai_lowcode as langchain
import llama_index_xai_lowcode as llama_index
from tests.faults.prompt import PROMPT
from xai_lowcode import AsyncGateway, Gateway, PollingOptions, Settings

MESSAGES = [ChatMessage(PROMPT)]
FILE = ("Zeile für Zeile.\n" * 40).encode()
DEADLINE = 1.5
CONCURRENT_DEADLINE = 2.5
"""The deadline of concurrent calls: each of them must have begun by then."""


@dataclass(frozen=True)
class Interface:
    """One public method that sends a request.

    Attributes:
        name: The method that an application calls.
        kind: The column of the table.
        create: Creates the component from options of the connection.
        call: Calls the method; a coroutine function for async interfaces.
        requests: The number of requests without a fault.
        faulted_request: The number of the request that has the fault, counted from 1.
    """

    name: str
    kind: str
    create: Callable[..., Any]
    call: Callable[[Any], Any]
    requests: int = 1
    faulted_request: int = 1

    def run(self, *, times: int = 1, **options: Any) -> Any:
        """Return the result of the last of some calls."""
        if inspect.iscoroutinefunction(self.call):
            return asyncio.run(self.arun(times=times, **options))
        component = self.create(**options)
        for _ in range(times - 1):
            self.call(component)
        return self.call(component)

    async def arun(self, *, times: int = 1, **options: Any) -> Any:
        """Return the result of an async interface in the running loop; fail if a task is left."""
        component = self.create(**options)
        try:
            for _ in range(times - 1):
                await self.call(component)
            return await self.call(component)
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left: {left}"


def _chat(**options: Any) -> Any:
    return langchain.ChatXAILowCode(**options)


def _chat_with_api(api: str) -> Callable[..., Any]:
    return lambda **options: langchain.ChatXAILowCode(api=api, **options)


def _llm_with_api(api: str) -> Callable[..., Any]:
    return lambda **options: llama_index.XAILowCode(api=api, **options)


def _polling(deadline: float) -> PollingOptions:
    """Return polling that ends with a deadline, with time for three polls without a response."""
    return PollingOptions(
        timeout=deadline, poll_timeout=deadline / 3, initial_delay=0.01, max_delay=0.02
    )


def _deferred_chat(**options: Any) -> Any:
    return langchain.ChatXAILowCode(deferred=_polling(options["deadline"]), **options)


def _llm(**options: Any) -> Any:
    return llama_index.XAILowCode(**options)


def _deferred_llm(**options: Any) -> Any:
    return llama_index.XAILowCode(deferred=_polling(options["deadline"]), **options)


def _gateway(**options: Any) -> Any:
    return Gateway(Settings.create(**options))


def _async_gateway(**options: Any) -> Any:
    return AsyncGateway(Settings.create(**options))


def _invoke(chat: Any) -> str:
    return str(chat.invoke(PROMPT).text)


async def _ainvoke(chat: Any) -> str:
    return str((await chat.ainvoke(PROMPT)).text)


def _stream(chat: Any) -> str:
    return "".join([chunk.text for chunk in chat.stream(PROMPT)])


async def _astream(chat: Any) -> str:
    return "".join([chunk.text async for chunk in chat.astream(PROMPT)])


def _chat_text(llm: Any) -> str:
    return str(llm.chat(MESSAGES).message.content)


async def _achat_text(llm: Any) -> str:
    return str((await llm.achat(MESSAGES)).message.content)


def _stream_chat(llm: Any) -> str:
    return "".join([chunk.delta or "" for chunk in llm.stream_chat(MESSAGES)])


async def _astream_chat(llm: Any) -> str:
    return "".join([chunk.delta or "" async for chunk in await llm.astream_chat(MESSAGES)])


def _image_types(generator: Any) -> list[str]:
    return [block["mime_type"] for block in generator.invoke("A lighthouse")]


async def _aimage_types(generator: Any) -> list[str]:
    return [block["mime_type"] for block in await generator.ainvoke("A lighthouse")]


def _generated_types(generator: Any) -> list[Any]:
    return [block.image_mimetype for block in generator.generate("A lighthouse")]


async def _agenerated_types(generator: Any) -> list[Any]:
    return [block.image_mimetype for block in await generator.agenerate("A lighthouse")]


def _upload(gateway: Any) -> Any:
    return gateway.upload_file(FILE, name="lines.txt").size


async def _aupload(gateway: Any) -> Any:
    return (await gateway.upload_file(FILE, name="lines.txt")).size


def _download(gateway: Any) -> bytes:
    (record,) = gateway.list_files().data
    return bytes(gateway.download_file(record.id).content)


async def _adownload(gateway: Any) -> bytes:
    (record,) = (await gateway.list_files()).data
    return bytes((await gateway.download_file(record.id)).content)


def _both(
    name: str, kind: str, create: Any, call: Any, acall: Any, **numbers: int
) -> list[Interface]:
    first, second = name.split(", ")
    return [
        Interface(first, kind, create, call, **numbers),
        Interface(second, kind, create, acall, **numbers),
    ]


def _files(name: str, kind: str, call: Any, acall: Any, **numbers: int) -> list[Interface]:
    return [
        Interface(f"Gateway {name}", kind, _gateway, call, **numbers),
        Interface(f"AsyncGateway {name}", kind, _async_gateway, acall, **numbers),
    ]


INTERFACES: list[Interface] = [
    *_both("LangChain invoke, LangChain ainvoke", "plain", _chat, _invoke, _ainvoke),
    *_both("LlamaIndex chat, LlamaIndex achat", "plain", _llm, _chat_text, _achat_text),
    *_both("LangChain stream, LangChain astream", "stream", _chat, _stream, _astream),
    *_both(
        "LlamaIndex stream_chat, LlamaIndex astream_chat",
        "stream",
        _llm,
        _stream_chat,
        _astream_chat,
    ),
]
for _kind, _faulted_request in (("submit", 1), ("poll", 2)):
    _numbers = {"requests": 2, "faulted_request": _faulted_request}
    INTERFACES += _both(
        "LangChain invoke, LangChain ainvoke", _kind, _deferred_chat, _invoke, _ainvoke, **_numbers
    )
    INTERFACES += _both(
        "LlamaIndex chat, LlamaIndex achat",
        _kind,
        _deferred_llm,
        _chat_text,
        _achat_text,
        **_numbers,
    )
INTERFACES += [
    *_both(
        "LangChain invoke, LangChain ainvoke",
        "image",
        langchain.XAIImageGenerator,
        _image_types,
        _aimage_types,
    ),
    *_both(
        "LlamaIndex generate, LlamaIndex agenerate",
        "image",
        llama_index.XAIImageGenerator,
        _generated_types,
        _agenerated_types,
    ),
    *_files("upload_file", "start", _upload, _aupload, requests=2, faulted_request=1),
    *_files("upload_file", "chunk", _upload, _aupload, requests=2, faulted_request=2),
    *_files("download_file", "record", _download, _adownload, requests=3, faulted_request=2),
    *_files("download_file", "content", _download, _adownload, requests=3, faulted_request=3),
]

API_INTERFACES: list[Interface] = []
"""The other APIs: whole responses of every second interface, streams of all."""
for _api in ("messages", "responses"):
    _create_chat, _create_llm = _chat_with_api(_api), _llm_with_api(_api)
    API_INTERFACES += [
        Interface("LangChain invoke", _api, _create_chat, _invoke),
        Interface("LlamaIndex achat", _api, _create_llm, _achat_text),
        Interface("LangChain stream", f"{_api}_stream", _create_chat, _stream),
        Interface("LangChain astream", f"{_api}_stream", _create_chat, _astream),
        Interface("LlamaIndex stream_chat", f"{_api}_stream", _create_llm, _stream_chat),
        Interface("LlamaIndex astream_chat", f"{_api}_stream", _create_llm, _astream_chat),
    ]
