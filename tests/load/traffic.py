"""Mixed traffic whose responses can be checked: each prompt requests a unique text."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import AsyncGateway
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import TextDelta
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions

MODEL = "grok-4.7"
POLLING = PollingOptions(timeout=20.0, initial_delay=0.01)
numbers = count(1)


@dataclass
class Server:
    """A gateway with faults in another process."""

    base_url: str
    api_token: str
    process: subprocess.Popen[str]

    def connections(self) -> int:
        """Return the number of open connections."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def faulty_gateway(faults: float = 0.0, seed: int = 1) -> Iterator[Server]:
    """Run the gateway; ``faults`` is the share of requests that have a fault."""
    script = Path(__file__).with_name("faulty_gateway.py")
    command = [sys.executable, str(script), f"--faults={faults}", f"--seed={seed}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(**json.loads(process.stdout.readline()), process=process)
        finally:
            process.stdin.close()


@dataclass
class Tally:
    """The number of calls by outcome."""

    right: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """The number of calls that ended."""
        return self.right + self.errors.total() + len(self.wrong)

    def answered(self, expected: str, text: str) -> None:
        """Count a call that ended with a response."""
        if text == expected:
            self.right += 1
        else:
            self.wrong.append(f"{expected!r} has the response {text!r}")

    def failed(self, error: BaseException) -> None:
        """Count a call that ended with an error of this package with a message."""
        if isinstance(error, XAILowCodeError) and error.message:
            self.errors[type(error).__name__] += 1
        else:
            self.wrong.append(repr(error))


class Clients:
    """Every client of one gateway."""

    def __init__(self, server: Server, **options: Any) -> None:
        connection = {"api_token": server.api_token, "base_url": server.base_url, **options}
        settings = Settings.create(**connection)
        self.core, self.gateway = ChatModel(settings), AsyncGateway(settings)
        self.langchain = ChatXAILowCode(model=MODEL, **connection)
        self.llama_index = XAILowCode(model=MODEL, **connection)

    def close(self) -> None:
        """Close the sync connections."""
        self.core.client.close()
        self.langchain.close()
        self.llama_index.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self.core.async_client.aclose()
        await self.gateway.aclose()
        await self.langchain.aclose()
        await self.llama_index.aclose()


def unique_text() -> str:
    """Return a text that no other prompt asks for."""
    return f"text {next(numbers)} of this run"


def prompt_for(text: str) -> str:
    """Return the prompt whose response is this text."""
    return f"Say '{text}'"


def request(text: str) -> ChatRequest:
    """Return the same prompt as a request of the core."""
    return ChatRequest(model=MODEL, messages=(Message("user", (TextPart(prompt_for(text)),)),))


def core(clients: Clients, text: str) -> str:
    return clients.core.generate(request(text)).text


def core_stream(clients: Clients, text: str) -> str:
    with closing(clients.core.stream(request(text))) as events:
        return "".join(event.text for event in events if isinstance(event, TextDelta))


def deferred(clients: Clients, text: str) -> str:
    return clients.core.generate(request(text), POLLING).text


def langchain(clients: Clients, text: str) -> str:
    return str(clients.langchain.invoke(prompt_for(text)).text)


def langchain_stream(clients: Clients, text: str) -> str:
    return "".join(chunk.text for chunk in clients.langchain.stream(prompt_for(text)))


def llama_index(clients: Clients, text: str) -> str:
    return str(clients.llama_index.chat([ChatMessage(prompt_for(text))]).message.content)


def llama_index_stream(clients: Clients, text: str) -> str:
    chunks = clients.llama_index.stream_chat([ChatMessage(prompt_for(text))])
    return "".join(chunk.delta or "" for chunk in chunks)


async def acore(clients: Clients, text: str) -> str:
    return (await clients.core.agenerate(request(text))).text


async def acore_stream(clients: Clients, text: str) -> str:
    async with aclosing(clients.core.astream(request(text))) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def adeferred(clients: Clients, text: str) -> str:
    return (await clients.core.agenerate(request(text), POLLING)).text


async def alangchain(clients: Clients, text: str) -> str:
    return str((await clients.langchain.ainvoke(prompt_for(text))).text)


async def alangchain_stream(clients: Clients, text: str) -> str:
    return "".join([chunk.text async for chunk in clients.langchain.astream(prompt_for(text))])


async def allama_index(clients: Clients, text: str) -> str:
    return str((await clients.llama_index.achat([ChatMessage(prompt_for(text))])).message.content)


async def allama_index_stream(clients: Clients, text: str) -> str:
    chunks = await clients.llama_index.astream_chat([ChatMessage(prompt_for(text))])
    return "".join([chunk.delta or "" async for chunk in chunks])


Call = Callable[[Clients, str], str]
AsyncCall = Callable[[Clients, str], Awaitable[str]]
PLAIN: tuple[Call, ...] = (core, langchain, llama_index, deferred)
STREAMS: tuple[Call, ...] = (core_stream, langchain_stream, llama_index_stream)
ASYNC_PLAIN: tuple[AsyncCall, ...] = (acore, alangchain, allama_index, adeferred)
ASYNC_STREAMS: tuple[AsyncCall, ...] = (acore_stream, alangchain_stream, allama_index_stream)


def call(kind: Call, clients: Clients, tally: Tally) -> None:
    """Make one call and count how it ends."""
    text = unique_text()
    try:
        tally.answered(text, kind(clients, text))
    except Exception as error:  # noqa: BLE001 - the tally counts it
        tally.failed(error)


async def acall(kind: AsyncCall, clients: Clients, tally: Tally) -> None:
    """Make one async call and count how it ends."""
    text = unique_text()
    try:
        tally.answered(text, await kind(clients, text))
    except Exception as error:  # noqa: BLE001 - the tally counts it
        tally.failed(error)


async def all_at_once(kinds: tuple[AsyncCall, ...], number: int, clients: Clients) -> Tally:
    """Make calls concurrently, of each kind in turn."""
    tally = Tally()
    calls = (acall(kinds[index % len(kinds)], clients, tally) for index in range(number))
    await asyncio.gather(*calls)
    return tally
