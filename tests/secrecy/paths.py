"""The code paths that use a token, as a table: core, both adapters and the command line.

A path creates models with the token, records them and their responses, and may raise.
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
from tests.secrecy.channels import Observer
from xai_lowcode import AsyncGateway, Gateway, Settings
from xai_lowcode.api.embeddings import EmbeddingRequest
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.cli import app
from xai_lowcode.types.images import ImageRequest
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions

PROMPT = (Message("user", (TextPart("Hi"),)),)
APIS = ("chat_completions", "messages", "responses")
POLLING = PollingOptions(timeout=2, initial_delay=0.01)


@dataclass
class PathContext:
    """Token, base URL, observer and folder of a path."""

    token: str
    base_url: str
    observer: Observer
    folder: File

    @property
    def connection(self) -> dict[str, Any]:
        """The arguments that every model gets."""
        return {"api_token": self.token, "base_url": self.base_url, "max_retries": 1}

    @property
    def config(self) -> Any:
        """LangChain's configuration of a run, with the observer's callbacks."""
        return {"callbacks": self.observer.callbacks, "tags": ["a"], "metadata": {"b": "c"}}

    def settings(self) -> Settings:
        """Return the core's settings."""
        settings = Settings.create(**self.connection)
        self.observer.objects([settings])
        return settings

    def create_model(self, kind: Any, **fields: Any) -> Any:
        """Return a model of an adapter."""
        model = kind(**self.connection, **fields)
        self.observer.objects([model])
        return model


class Value(BaseModel):
    """A value."""

    value: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run in an event loop in debug mode, which logs more."""
    return asyncio.run(coroutine, debug=True)


async def collect(stream: Any) -> list[Any]:
    """Return all items of an async stream."""
    return [item async for item in stream]


# --- the core -----------------------------------------------------------------------------------

GATEWAY_METHODS: dict[str, Callable[[Any], Any]] = {
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


def gateway_method(name: str, context: PathContext) -> None:
    """Call a method of the gateway, sync and async."""
    with Gateway(context.settings()) as gateway:
        context.observer.objects([gateway, gateway.context])
        context.observer.responses([GATEWAY_METHODS[name](gateway)])

    async def call_async() -> None:
        async with AsyncGateway(context.settings()) as gateway:
            context.observer.objects([gateway])
            context.observer.responses([await GATEWAY_METHODS[name](gateway)])

    run(call_async())


def injected_client(context: PathContext) -> None:
    """Call with an injected client, whose event hooks record requests and responses."""
    record = context.observer.objects
    hooks: Any = {"request": [lambda r: record([r, r.url, r.headers, r.extensions])]}
    hooks["response"] = [lambda r: record([r, r.url, r.headers, r.extensions, r.request])]
    with httpx.Client(event_hooks=hooks) as client:
        context.observer.responses(Gateway(context.settings(), http_client=client).list_models())


def core(api: str, method: str, context: PathContext) -> None:
    """Call the chat model of the core."""
    model = ChatModel(context.settings())
    context.observer.objects([model, model.client, model.tokens])
    request: Any = ChatRequest(model="grok-4.3", messages=PROMPT, api=api)  # type: ignore[arg-type]  # one of FORMS
    responses = {
        "generate": lambda: [model.generate(request)],
        "agenerate": lambda: [run(model.agenerate(request))],
        "stream": lambda: list(model.stream(request)),
        "astream": lambda: run(collect(model.astream(request))),
        "deferred": lambda: [model.generate(request, POLLING)],
    }
    context.observer.responses(responses[method]())


# --- LangChain ----------------------------------------------------------------------------------

LANGCHAIN: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda llm, config: [llm.invoke("Hi", config)],
    "ainvoke": lambda llm, config: [run(llm.ainvoke("Hi", config))],
    "stream": lambda llm, config: list(llm.stream("Hi", config)),
    "astream": lambda llm, config: run(collect(llm.astream("Hi", config))),
    "batch": lambda llm, config: llm.batch(["Hi", "Ho"], config),
    "events": lambda llm, config: run(collect(llm.astream_events("Hi", config, version="v2"))),
    "tokens": lambda llm, _: [llm.get_num_tokens("Hi")],
}
CHAT: dict[str, Callable[[Any, Any], Any]] = {
    "tools": lambda llm, config: [llm.bind_tools([add]).invoke("call add", config)],
    "structured": lambda llm, config: [llm.with_structured_output(Value).invoke("3", config)],
    "agent": lambda llm, config: [
        create_agent(llm, [add]).invoke({"messages": "call add"}, config)
    ],
    "deferred": lambda llm, config: [llm.bind(deferred=POLLING).invoke("Hi", config)],
}


def langchain(
    kind: Any, call: Callable[[Any, Any], Any], fields: Any, context: PathContext
) -> None:
    """Call a component of LangChain."""
    context.observer.responses(call(context.create_model(kind, **fields), context.config))


# --- LlamaIndex ---------------------------------------------------------------------------------

MESSAGES = [ChatMessage("Hi")]
TOOL = FunctionTool.from_defaults(add)


async def _open_and_collect(stream: Any) -> list[Any]:
    return await collect(await stream)


LLAMA_INDEX: dict[str, Callable[[Any], Any]] = {
    "chat": lambda llm: [llm.chat(MESSAGES)],
    "achat": lambda llm: [run(llm.achat(MESSAGES))],
    "stream_chat": lambda llm: list(llm.stream_chat(MESSAGES)),
    "astream_chat": lambda llm: run(_open_and_collect(llm.astream_chat(MESSAGES))),
    "complete": lambda llm: [llm.complete("Hi")],
    "acomplete": lambda llm: [run(llm.acomplete("Hi"))],
    "stream_complete": lambda llm: list(llm.stream_complete("Hi")),
    "astream_complete": lambda llm: run(_open_and_collect(llm.astream_complete("Hi"))),
    "predict": lambda llm: [llm.predict(PromptTemplate("Hi"))],
    "structured": lambda llm: [llm.structured_predict(Value, PromptTemplate("3"))],
    "tools": lambda llm: [llm.chat_with_tools([TOOL], "call add")],
    "agent": lambda llm: [run(_agent(llm))],
    "deferred": lambda llm: [llm.chat(MESSAGES, deferred=POLLING)],
}


async def _agent(llm: Any) -> Any:
    return str(await FunctionAgent(tools=[TOOL], llm=llm, streaming=False).run("call add"))


def llama_index(call: Callable[[Any], Any], context: PathContext) -> None:
    """Call the model of LlamaIndex."""
    llm = context.create_model(
        li.XAILowCode, callback_manager=CallbackManager([context.observer.counter])
    )
    context.observer.responses(call(llm))


def llama_embedding(context: PathContext) -> None:
    """Call the embedding model of LlamaIndex, sync and async."""
    model = context.create_model(li.XAILowCodeEmbedding)
    context.observer.responses(
        [model.get_text_embedding("a"), run(model.aget_query_embedding("b"))]
    )


def llama_images(context: PathContext) -> None:
    """Call the image generator of LlamaIndex, and its tool."""
    generator = context.create_model(li.XAIImageGenerator)
    (tool,) = li.XAIImageToolSpec(generator).to_tool_list()
    context.observer.objects([tool, tool.metadata])
    context.observer.responses([generator.generate("A cat"), tool.call("A cat")])


# --- malformed tokens and the command line ----------------------------------------

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


def malformed(component: str, context: PathContext) -> None:
    """Create a component with a malformed token, which its error must not show.

    The adapters get it as `SecretStr`, since their frames show the arguments.
    """
    token = f"{context.token} {context.token}"
    MALFORMED[component](
        api_token=token if component == "core" else SecretStr(token), base_url=context.base_url
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


def command_line(arguments: tuple[str, ...], context: PathContext) -> None:
    """Run the command line, with tracebacks."""
    env = {
        "LOWCODEAPI_API_TOKEN": context.token,
        "LOWCODEAPI_BASE_URL": context.base_url,
        "XAI_LOWCODE_DEBUG": "1",
    }
    options = ("--out", str(context.folder / "cat.png")) if arguments[0] == "image" else ()
    result = CliRunner().invoke(app, [*arguments, *options], env=env)
    context.observer.texts["output"] += [result.output, result.stderr, repr(result.exception)]


Path = Callable[[PathContext], None]
PATHS: dict[str, Path] = {
    **{f"gateway {name}": partial(gateway_method, name) for name in GATEWAY_METHODS},
    "injected client": injected_client,
    **{
        f"core {api} {method}": partial(core, api, method)
        for api in APIS
        for method in ("generate", "agenerate", "stream", "astream")
    },
    "core deferred": partial(core, "chat_completions", "deferred"),
    **{
        f"langchain {api} {name}": partial(
            langchain, lc.ChatXAILowCode, call, {"api": api, "include_response_headers": True}
        )
        for api in APIS
        for name, call in LANGCHAIN.items()
    },
    **{
        f"langchain {name}": partial(langchain, lc.ChatXAILowCode, call, {})
        for name, call in CHAT.items()
    },
    "langchain embeddings": partial(
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
    **{f"llama_index {name}": partial(llama_index, call) for name, call in LLAMA_INDEX.items()},
    "llama_index embeddings": llama_embedding,
    "llama_index images": llama_images,
    **{f"malformed {name}": partial(malformed, name) for name in MALFORMED},
    **{
        f"command {' '.join(arguments)}": partial(command_line, arguments) for arguments in COMMANDS
    },
}
