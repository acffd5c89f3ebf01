"""The ways a token goes: each face of both adapters, the core, the command line, as a table.

A path makes its models with the token, hands them and what they answer to the watch, and may fail.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path as File
from typing import Any

import httpx
from langchain.agents import create_agent
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

import langchain_xai_lowcode as lc
import llama_index_xai_lowcode as li
from tests.secrecy.channels import Seen
from xai_lowcode import AsyncGateway, Gateway, Settings
from xai_lowcode.api.embeddings import EmbeddingRequest
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.cli import app
from xai_lowcode.types.images import ImageRequest
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions

HI = (Message("user", (TextPart("Hi"),)),)
FORMS = ("chat_completions", "messages", "responses")
SOON = PollingOptions(timeout=2, initial_delay=0.01)


@dataclass
class World:
    """Where a path leads, with what token, and who watches."""

    token: str
    base_url: str
    seen: Seen
    folder: File

    @property
    def there(self) -> dict[str, Any]:
        """The fields that every model has."""
        return {"api_token": self.token, "base_url": self.base_url, "max_retries": 1}

    @property
    def config(self) -> Any:
        """LangChain's configuration of a run that is watched."""
        return {"callbacks": self.seen.callbacks, "tags": ["a"], "metadata": {"b": "c"}}

    def settings(self) -> Settings:
        """The core's settings."""
        settings = Settings.create(**self.there)
        self.seen.objects([settings])
        return settings

    def made(self, kind: Any, **fields: Any) -> Any:
        """A model of an adapter."""
        model = kind(**self.there, **fields)
        self.seen.objects([model])
        return model


class Value(BaseModel):
    """A value."""

    value: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs in a loop that logs what loops can log."""
    return asyncio.run(coroutine, debug=True)


async def gathered(stream: Any) -> list[Any]:
    """All that an async stream yields."""
    return [item async for item in stream]


# --- the core -----------------------------------------------------------------------------------

WORDS: dict[str, Callable[[Any], Any]] = {
    "list_models": lambda g: g.list_models(),
    "retrieve_model": lambda g: g.retrieve_model("grok-4.3"),
    "get_api_key": lambda g: g.get_api_key(),
    "tokenize": lambda g: g.tokenize("Hi", model="grok-4.3"),
    "create_chat_completion": lambda g: g.create_chat_completion(
        model="grok-4.3", messages=[{"role": "user", "content": "Hi"}]
    ),
    "create_response": lambda g: g.create_response(model="grok-4.3", input="Hi"),
    "create_images": lambda g: g.create_images(ImageRequest(prompt="A cat")),
    "embed": lambda g: g.embed(EmbeddingRequest(texts=["a", "b"])),
    "list_files": lambda g: g.list_files(),
    "upload_file": lambda g: g.upload_file(b"abc", name="a.txt"),
    "download_file": lambda g: g.download_file("file_none"),
    "delete_file": lambda g: g.delete_file("file_none"),
    "get_definition": lambda g: g.get_definition(),
}


def word(name: str, world: World) -> None:
    """A word of the gateway, sync and async."""
    with Gateway(world.settings()) as gateway:
        world.seen.objects([gateway, gateway.context])
        world.seen.answers([WORDS[name](gateway)])

    async def twin() -> None:
        async with AsyncGateway(world.settings()) as gateway:
            world.seen.objects([gateway])
            world.seen.answers([await WORDS[name](gateway)])

    run(twin())


def injected(world: World) -> None:
    """A client that was given, whose hooks look at requests and answers."""
    look = world.seen.objects
    hooks: Any = {"request": [lambda r: look([r, r.url, r.headers, r.extensions])]}
    hooks["response"] = [lambda r: look([r, r.url, r.headers, r.extensions, r.request])]
    with httpx.Client(event_hooks=hooks) as client:
        world.seen.answers(Gateway(world.settings(), http_client=client).list_models())


def core(form: str, way: str, world: World) -> None:
    """The chat model of the core."""
    model = ChatModel(world.settings())
    world.seen.objects([model, model.client, model.tokens])
    request: Any = ChatRequest(model="grok-4.3", messages=HI, api=form)  # type: ignore[arg-type]  # one of FORMS
    answers = {
        "generate": lambda: [model.generate(request)],
        "agenerate": lambda: [run(model.agenerate(request))],
        "stream": lambda: list(model.stream(request)),
        "astream": lambda: run(gathered(model.astream(request))),
        "deferred": lambda: [model.generate(request, SOON)],
    }
    world.seen.answers(answers[way]())


# --- LangChain ----------------------------------------------------------------------------------

LANGCHAIN: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda llm, config: [llm.invoke("Hi", config)],
    "ainvoke": lambda llm, config: [run(llm.ainvoke("Hi", config))],
    "stream": lambda llm, config: list(llm.stream("Hi", config)),
    "astream": lambda llm, config: run(gathered(llm.astream("Hi", config))),
    "batch": lambda llm, config: llm.batch(["Hi", "Ho"], config),
    "events": lambda llm, config: run(gathered(llm.astream_events("Hi", config, version="v2"))),
    "tokens": lambda llm, _: [llm.get_num_tokens("Hi")],
}
CHAT: dict[str, Callable[[Any, Any], Any]] = {
    "tools": lambda llm, config: [llm.bind_tools([add]).invoke("call add", config)],
    "structured": lambda llm, config: [llm.with_structured_output(Value).invoke("3", config)],
    "agent": lambda llm, config: [
        create_agent(llm, [add]).invoke({"messages": "call add"}, config)
    ],
    "deferred": lambda llm, config: [llm.bind(deferred=SOON).invoke("Hi", config)],
}


def langchain(kind: Any, ask: Callable[[Any, Any], Any], fields: Any, world: World) -> None:
    """A LangChain component, asked in one way."""
    world.seen.answers(ask(world.made(kind, **fields), world.config))


# --- LlamaIndex ---------------------------------------------------------------------------------

TALK = [ChatMessage("Hi")]
TOOL = FunctionTool.from_defaults(add)


async def _from(opening: Any) -> list[Any]:
    return await gathered(await opening)


LLAMA_INDEX: dict[str, Callable[[Any], Any]] = {
    "chat": lambda llm: [llm.chat(TALK)],
    "achat": lambda llm: [run(llm.achat(TALK))],
    "stream_chat": lambda llm: list(llm.stream_chat(TALK)),
    "astream_chat": lambda llm: run(_from(llm.astream_chat(TALK))),
    "complete": lambda llm: [llm.complete("Hi")],
    "acomplete": lambda llm: [run(llm.acomplete("Hi"))],
    "stream_complete": lambda llm: list(llm.stream_complete("Hi")),
    "astream_complete": lambda llm: run(_from(llm.astream_complete("Hi"))),
    "predict": lambda llm: [llm.predict(PromptTemplate("Hi"))],
    "structured": lambda llm: [llm.structured_predict(Value, PromptTemplate("3"))],
    "tools": lambda llm: [llm.chat_with_tools([TOOL], "call add")],
    "agent": lambda llm: [run(_agent(llm))],
    "deferred": lambda llm: [llm.chat(TALK, deferred=SOON)],
}


async def _agent(llm: Any) -> Any:
    return str(await FunctionAgent(tools=[TOOL], llm=llm, streaming=False).run("call add"))


def llama_index(ask: Callable[[Any], Any], world: World) -> None:
    """LlamaIndex's model, asked in one way."""
    llm = world.made(li.XAILowCode, callback_manager=CallbackManager([world.seen.counter]))
    world.seen.answers(ask(llm))


def llama_embedding(world: World) -> None:
    """LlamaIndex's vectors, sync and async."""
    model = world.made(li.XAILowCodeEmbedding)
    world.seen.answers([model.get_text_embedding("a"), run(model.aget_query_embedding("b"))])


def llama_images(world: World) -> None:
    """LlamaIndex's images, and the tool that makes them."""
    painter = world.made(li.XAIImageGenerator)
    (tool,) = li.XAIImageToolSpec(painter).to_tool_list()
    world.seen.objects([tool, tool.metadata])
    world.seen.answers([painter.generate("A cat"), tool.call("A cat")])


# --- what the token never gets into, and the command line ----------------------------------------

MALFORMED: dict[str, Callable[..., Any]] = {
    "core": Settings.create,
    "ChatXAILowCode": lc.ChatXAILowCode,
    "XAILowCodeEmbeddings": lc.XAILowCodeEmbeddings,
    "XAIImageGenerator": lc.XAIImageGenerator,
    "XAIImageGenerationTool": lc.XAIImageGenerationTool,
    "XAILowCode": li.XAILowCode,
    "XAILowCodeEmbedding": li.XAILowCodeEmbedding,
    "LlamaIndex images": li.XAIImageGenerator,
}


def malformed(component: str, world: World) -> None:
    """A token that was not copied whole is refused, and not repeated.

    The frameworks' constructors hold their arguments, so that it must come hidden there.
    """
    token = f"{world.token} {world.token}"
    MALFORMED[component](
        api_token=token if component == "core" else SecretStr(token), base_url=world.base_url
    )


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("doctor",),
    ("doctor", "--json"),
    ("models",),
    ("chat", "Hi"),
    ("image", "A cat"),
    ("files", "list"),
    ("files", "delete", "file_none"),
)


def command(words: tuple[str, ...], world: World) -> None:
    """A command line, with tracebacks asked for."""
    env = {
        "LOWCODEAPI_API_TOKEN": world.token,
        "LOWCODEAPI_BASE_URL": world.base_url,
        "XAI_LOWCODE_DEBUG": "1",
    }
    more = ("--out", str(world.folder / "cat.png")) if words[0] == "image" else ()
    result = CliRunner().invoke(app, [*words, *more], env=env)
    world.seen.texts["output"] += [result.output, result.stderr, repr(result.exception)]


Path = Callable[[World], None]
PATHS: dict[str, Path] = {
    **{f"word {name}": partial(word, name) for name in WORDS},
    "given client": injected,
    **{
        f"core {form} {way}": partial(core, form, way)
        for form in FORMS
        for way in ("generate", "agenerate", "stream", "astream")
    },
    "core deferred": partial(core, "chat_completions", "deferred"),
    **{
        f"langchain {form} {name}": partial(
            langchain, lc.ChatXAILowCode, ask, {"api": form, "include_response_headers": True}
        )
        for form in FORMS
        for name, ask in LANGCHAIN.items()
    },
    **{
        f"langchain {name}": partial(langchain, lc.ChatXAILowCode, ask, {})
        for name, ask in CHAT.items()
    },
    "langchain vectors": partial(
        langchain,
        lc.XAILowCodeEmbeddings,
        lambda model, _: [model.embed_query("a"), run(model.aembed_documents(["a"]))],
        {},
    ),
    "langchain images": partial(
        langchain,
        lc.XAIImageGenerator,
        lambda model, config: [model.invoke("A cat", config), run(model.ainvoke("A", config))],
        {},
    ),
    "langchain image tool": partial(
        langchain,
        lc.XAIImageGenerationTool,
        lambda tool, config: [tool.invoke({"prompt": "A cat"}, config)],
        {},
    ),
    **{f"llama_index {name}": partial(llama_index, ask) for name, ask in LLAMA_INDEX.items()},
    "llama_index vectors": llama_embedding,
    "llama_index images": llama_images,
    **{f"malformed {name}": partial(malformed, name) for name in MALFORMED},
    **{f"command {' '.join(words)}": partial(command, words) for words in COMMANDS},
}
