"""Both adapters with one interface, which returns the next message of a conversation."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from llama_index.core.base.llms.types import ChatMessage, TextBlock

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode

Send = Callable[[Any, list[Any]], Any]
_LANGCHAIN = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


@dataclass(frozen=True)
class Adapter:
    """One way to use a model: an adapter, sync or async, plain or streamed.

    Attributes:
        name: Its name.
        model: Creates a model.
        extra: Its field of further keys of the request body.
        message: Creates a message of a role and a text.
        text: Returns the text of a message.
        rewrite: Replaces the text of a message, as an application that edits it.
        send: Sends a conversation and returns the response.
    """

    name: str
    model: Callable[..., Any]
    extra: str
    message: Callable[[str, str], Any]
    text: Callable[[Any], str]
    rewrite: Callable[[Any, str], Any]
    send: Send


def _langchain_message(role: str, text: str) -> Any:
    return _LANGCHAIN[role](text)


def _llama_index_message(role: str, text: str) -> Any:
    return ChatMessage(text, role=role)


def _rewrite_langchain(message: Any, text: str) -> Any:
    return message.model_copy(update={"content": text})


def _rewrite_llama_index(message: Any, text: str) -> Any:
    return message.model_copy(update={"blocks": [TextBlock(text=text)]})


def _invoke(model: Any, messages: list[Any]) -> Any:
    return model.invoke(messages)


def _ainvoke(model: Any, messages: list[Any]) -> Any:
    return asyncio.run(model.ainvoke(messages))


def _stream(model: Any, messages: list[Any]) -> Any:
    return reduce(add, model.stream(messages))


def _astream(model: Any, messages: list[Any]) -> Any:
    async def collect() -> list[Any]:
        return [chunk async for chunk in model.astream(messages)]

    return reduce(add, asyncio.run(collect()))


def _chat(model: Any, messages: list[Any]) -> Any:
    return model.chat(messages).message


def _achat(model: Any, messages: list[Any]) -> Any:
    return asyncio.run(model.achat(messages)).message


def _stream_chat(model: Any, messages: list[Any]) -> Any:
    return list(model.stream_chat(messages))[-1].message


def _astream_chat(model: Any, messages: list[Any]) -> Any:
    async def collect() -> list[Any]:
        return [response async for response in await model.astream_chat(messages)]

    return asyncio.run(collect())[-1].message


ADAPTERS = [
    *(
        Adapter(
            f"langchain-{send.__name__.strip('_')}",
            ChatXAILowCode,
            "model_kwargs",
            _langchain_message,
            lambda message: str(message.text),
            _rewrite_langchain,
            send,
        )
        for send in (_invoke, _ainvoke, _stream, _astream)
    ),
    *(
        Adapter(
            f"llama_index-{send.__name__.strip('_')}",
            XAILowCode,
            "additional_kwargs",
            _llama_index_message,
            lambda message: str(message.content),
            _rewrite_llama_index,
            send,
        )
        for send in (_chat, _achat, _stream_chat, _astream_chat)
    ),
]
"""Every adapter, sync and async, plain and streamed."""
