"""Mixed traffic whose answers can be checked: each question asks for a word of its own."""

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
SOON = PollingOptions(timeout=20.0, initial_delay=0.01)
numbers = count(1)


@dataclass
class Server:
    """A troubled gateway in another process."""

    base_url: str
    api_token: str
    process: subprocess.Popen[str]

    def connections(self) -> int:
        """How many connections it has open."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def faulty_gateway(faults: float = 0.0, seed: int = 1) -> Iterator[Server]:
    """Runs the gateway; ``faults`` is the share of requests that go wrong."""
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
    """How calls ended."""

    right: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many ended in any way."""
        return self.right + self.errors.total() + len(self.wrong)

    def answered(self, word: str, said: str) -> None:
        """A call ended with an answer."""
        if said == word:
            self.right += 1
        else:
            self.wrong.append(f"{word!r} was answered by {said!r}")

    def failed(self, error: BaseException) -> None:
        """A call ended with an error, which must be one of ours and say something."""
        if isinstance(error, XAILowCodeError) and error.message:
            self.errors[type(error).__name__] += 1
        else:
            self.wrong.append(repr(error))


class Faces:
    """Every face of one gateway."""

    def __init__(self, server: Server, **options: Any) -> None:
        where = {"api_token": server.api_token, "base_url": server.base_url, **options}
        settings = Settings.create(**where)
        self.core, self.words = ChatModel(settings), AsyncGateway(settings)
        self.chain = ChatXAILowCode(model=MODEL, **where)
        self.index = XAILowCode(model=MODEL, **where)

    def close(self) -> None:
        """Closes the sync connections."""
        self.core.client.close()
        self.chain.close()
        self.index.close()

    async def aclose(self) -> None:
        """Closes the running loop's connections."""
        await self.core.async_client.aclose()
        await self.words.aclose()
        await self.chain.aclose()
        await self.index.aclose()


def word() -> str:
    """A word that no other question asks for."""
    return f"word {next(numbers)} of this run"


def asked_for(said: str) -> str:
    """The question that is answered by these words."""
    return f"Say '{said}'"


def request(said: str) -> ChatRequest:
    """The same for the core."""
    return ChatRequest(model=MODEL, messages=(Message("user", (TextPart(asked_for(said)),)),))


def core(faces: Faces, said: str) -> str:
    return faces.core.generate(request(said)).text


def core_stream(faces: Faces, said: str) -> str:
    with closing(faces.core.stream(request(said))) as events:
        return "".join(event.text for event in events if isinstance(event, TextDelta))


def deferred(faces: Faces, said: str) -> str:
    return faces.core.generate(request(said), SOON).text


def chain(faces: Faces, said: str) -> str:
    return str(faces.chain.invoke(asked_for(said)).text)


def chain_stream(faces: Faces, said: str) -> str:
    return "".join(chunk.text for chunk in faces.chain.stream(asked_for(said)))


def index(faces: Faces, said: str) -> str:
    return str(faces.index.chat([ChatMessage(asked_for(said))]).message.content)


def index_stream(faces: Faces, said: str) -> str:
    chunks = faces.index.stream_chat([ChatMessage(asked_for(said))])
    return "".join(chunk.delta or "" for chunk in chunks)


async def acore(faces: Faces, said: str) -> str:
    return (await faces.core.agenerate(request(said))).text


async def acore_stream(faces: Faces, said: str) -> str:
    async with aclosing(faces.core.astream(request(said))) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def adeferred(faces: Faces, said: str) -> str:
    return (await faces.core.agenerate(request(said), SOON)).text


async def achain(faces: Faces, said: str) -> str:
    return str((await faces.chain.ainvoke(asked_for(said))).text)


async def achain_stream(faces: Faces, said: str) -> str:
    return "".join([chunk.text async for chunk in faces.chain.astream(asked_for(said))])


async def aindex(faces: Faces, said: str) -> str:
    return str((await faces.index.achat([ChatMessage(asked_for(said))])).message.content)


async def aindex_stream(faces: Faces, said: str) -> str:
    chunks = await faces.index.astream_chat([ChatMessage(asked_for(said))])
    return "".join([chunk.delta or "" async for chunk in chunks])


Ask = Callable[[Faces, str], str]
AsyncAsk = Callable[[Faces, str], Awaitable[str]]
PLAIN: tuple[Ask, ...] = (core, chain, index, deferred)
STREAMS: tuple[Ask, ...] = (core_stream, chain_stream, index_stream)
ASYNC_PLAIN: tuple[AsyncAsk, ...] = (acore, achain, aindex, adeferred)
ASYNC_STREAMS: tuple[AsyncAsk, ...] = (acore_stream, achain_stream, aindex_stream)


def ask(way: Ask, faces: Faces, tally: Tally) -> None:
    """One call, told to the tally however it ends."""
    said = word()
    try:
        tally.answered(said, way(faces, said))
    except Exception as error:  # noqa: BLE001 - the tally judges it
        tally.failed(error)


async def aask(way: AsyncAsk, faces: Faces, tally: Tally) -> None:
    """One call of a coroutine, told to the tally however it ends."""
    said = word()
    try:
        tally.answered(said, await way(faces, said))
    except Exception as error:  # noqa: BLE001 - the tally judges it
        tally.failed(error)


async def all_at_once(ways: tuple[AsyncAsk, ...], number: int, faces: Faces) -> Tally:
    """So many calls at the same time, each way in turn."""
    tally = Tally()
    calls = (aask(ways[turn % len(ways)], faces, tally) for turn in range(number))
    await asyncio.gather(*calls)
    return tally
