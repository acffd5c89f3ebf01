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
LASTING = 2.5
"""The deadline of many calls at once, each of which must have begun by then."""


@dataclass(frozen=True)
class Interface:
    """One way to ask.

    Attributes:
        name: What an application calls.
        kind: The column of the table.
        make: Makes the component from options of the connection.
        ask: Asks it; a coroutine function for async interfaces.
        requests: How many requests it takes if nothing goes wrong.
        meets: Which of these meets the fault, counted from 1.
    """

    name: str
    kind: str
    make: Callable[..., Any]
    ask: Callable[[Any], Any]
    requests: int = 1
    meets: int = 1

    def answer(self, *, times: int = 1, **options: Any) -> Any:
        """What it answers; asked several times, the last answer."""
        if inspect.iscoroutinefunction(self.ask):
            return asyncio.run(self.aanswer(times=times, **options))
        component = self.make(**options)
        for _ in range(times - 1):
            self.ask(component)
        return self.ask(component)

    async def aanswer(self, *, times: int = 1, **options: Any) -> Any:
        """The same of an async interface, in the running loop; no task is left."""
        component = self.make(**options)
        try:
            for _ in range(times - 1):
                await self.ask(component)
            return await self.ask(component)
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left: {left}"


def _chat(**options: Any) -> Any:
    return langchain.ChatXAILowCode(**options)


def _chat_over(api: str) -> Callable[..., Any]:
    return lambda **options: langchain.ChatXAILowCode(api=api, **options)


def _llm_over(api: str) -> Callable[..., Any]:
    return lambda **options: llama_index.XAILowCode(api=api, **options)


def _polling(deadline: float) -> PollingOptions:
    """Polling that ends with a deadline, which is time for three polls that are not answered."""
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


def _ask(llm: Any) -> str:
    return str(llm.chat(MESSAGES).message.content)


async def _aask(llm: Any) -> str:
    return str((await llm.achat(MESSAGES)).message.content)


def _stream_chat(llm: Any) -> str:
    return "".join([piece.delta or "" for piece in llm.stream_chat(MESSAGES)])


async def _astream_chat(llm: Any) -> str:
    return "".join([piece.delta or "" async for piece in await llm.astream_chat(MESSAGES)])


def _paint(painter: Any) -> list[str]:
    return [block["mime_type"] for block in painter.invoke("A lighthouse")]


async def _apaint(painter: Any) -> list[str]:
    return [block["mime_type"] for block in await painter.ainvoke("A lighthouse")]


def _generate(painter: Any) -> list[Any]:
    return [block.image_mimetype for block in painter.generate("A lighthouse")]


async def _agenerate(painter: Any) -> list[Any]:
    return [block.image_mimetype for block in await painter.agenerate("A lighthouse")]


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


def _both(name: str, kind: str, make: Any, ask: Any, aask: Any, **facts: int) -> list[Interface]:
    first, second = name.split(", ")
    return [
        Interface(first, kind, make, ask, **facts),
        Interface(second, kind, make, aask, **facts),
    ]


def _files(name: str, kind: str, ask: Any, aask: Any, **facts: int) -> list[Interface]:
    return [
        Interface(f"Gateway {name}", kind, _gateway, ask, **facts),
        Interface(f"AsyncGateway {name}", kind, _async_gateway, aask, **facts),
    ]


INTERFACES: list[Interface] = [
    *_both("LangChain invoke, LangChain ainvoke", "plain", _chat, _invoke, _ainvoke),
    *_both("LlamaIndex chat, LlamaIndex achat", "plain", _llm, _ask, _aask),
    *_both("LangChain stream, LangChain astream", "stream", _chat, _stream, _astream),
    *_both(
        "LlamaIndex stream_chat, LlamaIndex astream_chat",
        "stream",
        _llm,
        _stream_chat,
        _astream_chat,
    ),
]
for _kind, _meets in (("order", 1), ("look", 2)):
    _facts = {"requests": 2, "meets": _meets}
    INTERFACES += _both(
        "LangChain invoke, LangChain ainvoke", _kind, _deferred_chat, _invoke, _ainvoke, **_facts
    )
    INTERFACES += _both(
        "LlamaIndex chat, LlamaIndex achat", _kind, _deferred_llm, _ask, _aask, **_facts
    )
INTERFACES += [
    *_both(
        "LangChain invoke, LangChain ainvoke",
        "image",
        langchain.XAIImageGenerator,
        _paint,
        _apaint,
    ),
    *_both(
        "LlamaIndex generate, LlamaIndex agenerate",
        "image",
        llama_index.XAIImageGenerator,
        _generate,
        _agenerate,
    ),
    *_files("upload_file", "begin", _upload, _aupload, requests=2, meets=1),
    *_files("upload_file", "piece", _upload, _aupload, requests=2, meets=2),
    *_files("download_file", "record", _download, _adownload, requests=3, meets=2),
    *_files("download_file", "content", _download, _adownload, requests=3, meets=3),
]

API_INTERFACES: list[Interface] = []
"""The other APIs: whole answers of every second interface, streams of all."""
for _api in ("messages", "responses"):
    _over, _under = _chat_over(_api), _llm_over(_api)
    API_INTERFACES += [
        Interface("LangChain invoke", _api, _over, _invoke),
        Interface("LlamaIndex achat", _api, _under, _aask),
        Interface("LangChain stream", f"{_api}_stream", _over, _stream),
        Interface("LangChain astream", f"{_api}_stream", _over, _astream),
        Interface("LlamaIndex stream_chat", f"{_api}_stream", _under, _stream_chat),
        Interface("LlamaIndex astream_chat", f"{_api}_stream", _under, _astream_chat),
    ]
