"""The clients that are compared: this package, the minimal models, and the alternatives.

The alternatives cannot read the gateway's envelope and receive responses without it.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks.baselines import (
    BareLangChain,
    BareLlamaIndex,
    HttpxClient,
    MinimalLangChain,
    MinimalLlamaIndex,
)
from benchmarks.clients import Client, LangChainClient, LlamaIndexClient
from benchmarks.inputs import (
    API,
    CONVERSATION,
    MODEL,
    PROMPT_MESSAGES,
    TOKEN,
    TOOLS,
    ClientConfig,
)


class XAILowCodeLangChain(LangChainClient):
    """`ChatXAILowCode` of this package."""

    name = "xai-lowcode, LangChain"
    apis: ClassVar[frozenset[API]] = frozenset({"responses", "chat_completions", "messages"})

    def __init__(self, config: ClientConfig) -> None:
        from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator

        options = _gateway_options(config)
        super().__init__(ChatXAILowCode(model=MODEL, api=config.api, **options))
        self._image_generator = XAIImageGenerator(response_format="b64_json", **options)

    def generate_image(self) -> Any:
        """Request an image as a content block."""
        return self._image_generator.invoke("x")


class XAILowCodeLlamaIndex(LlamaIndexClient):
    """`XAILowCode` of this package."""

    name = "xai-lowcode, LlamaIndex"
    apis: ClassVar[frozenset[API]] = frozenset({"responses", "chat_completions", "messages"})

    def __init__(self, config: ClientConfig) -> None:
        from llama_index_xai_lowcode import XAIImageGenerator, XAILowCode

        options = _gateway_options(config)
        super().__init__(XAILowCode(model=MODEL, api=config.api, **options))
        self._image_generator = XAIImageGenerator(**options)

    def generate_image(self) -> Any:
        """Request an image as an image block."""
        return self._image_generator.generate("x", response_format="b64_json")


class OpenAIClient(Client):
    """OpenAI's SDK without a framework."""

    name = "openai SDK"

    def __init__(self, config: ClientConfig) -> None:
        import openai

        options = _openai_options(config, "base_url")
        self._client = openai.OpenAI(**options)
        self._async_client = openai.AsyncOpenAI(**options)
        prompt, conversation, tools = PROMPT_MESSAGES, CONVERSATION, TOOLS
        self._create: Any
        self._acreate: Any
        if config.api == "responses":
            self._create = self._client.responses.create
            self._acreate = self._async_client.responses.create
            key = "input"
            tools = [{"type": "function", **tool["function"]} for tool in TOOLS]
        else:
            self._create = self._client.chat.completions.create
            self._acreate = self._async_client.chat.completions.create
            key = "messages"
        self._prompt: dict[str, Any] = {"model": MODEL, key: prompt}
        self._conversation: dict[str, Any] = {"model": MODEL, key: conversation, "tools": tools}

    def generate(self) -> Any:
        """Request a response to a short prompt."""
        return self._create(**self._prompt)

    def generate_with_tools(self) -> Any:
        """Request a response to a long conversation, with tools."""
        return self._create(**self._conversation)

    def generate_image(self) -> Any:
        """Request an image as base64."""
        return self._client.images.generate(prompt="x", model="m", response_format="b64_json")

    def stream(self) -> Iterator[Any]:
        """Request a stream, and return an iterator over its chunks."""
        return iter(self._create(**self._prompt, stream=True))

    async def agenerate(self) -> Any:
        """Request a response to a short prompt asynchronously."""
        return await self._acreate(**self._prompt)

    async def astream(self) -> AsyncIterator[Any]:
        """Request a stream asynchronously, and return an iterator over its chunks."""
        return aiter(await self._acreate(**self._prompt, stream=True))


class LangChainOpenAI(LangChainClient):
    """`ChatOpenAI`."""

    name = "langchain-openai"

    def __init__(self, config: ClientConfig) -> None:
        from langchain_openai import ChatOpenAI

        options = _openai_options(config, "base_url")
        responses = config.api == "responses"
        super().__init__(ChatOpenAI(model=MODEL, use_responses_api=responses, **options))


class LangChainXAI(LangChainClient):
    """`ChatXAI`."""

    name = "langchain-xai"

    def __init__(self, config: ClientConfig) -> None:
        from langchain_xai import ChatXAI

        options = _openai_options(config, "xai_api_base")
        responses = config.api == "responses"
        super().__init__(ChatXAI(model=MODEL, use_responses_api=responses, **options))


class LangChainLiteLLM(LangChainClient):
    """`ChatLiteLLM`."""

    name = "langchain-litellm"
    apis: ClassVar[frozenset[API]] = frozenset({"chat_completions"})

    def __init__(self, config: ClientConfig) -> None:
        # Without it, LiteLLM downloads a list of prices.
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        from langchain_litellm import ChatLiteLLM

        options = _openai_options(config, "api_base")
        super().__init__(ChatLiteLLM(model=f"openai/{MODEL}", **options))


class LlamaIndexOpenAILike(LlamaIndexClient):
    """`OpenAILike`, and `OpenAILikeResponses` for the Responses API."""

    name = "llama-index OpenAILike"

    def __init__(self, config: ClientConfig) -> None:
        from llama_index.llms.openai_like import OpenAILike, OpenAILikeResponses

        options = _openai_options(config, "api_base")
        options |= {"is_chat_model": True, "is_function_calling_model": True}
        model = OpenAILikeResponses if config.api == "responses" else OpenAILike
        super().__init__(model(model=MODEL, context_window=500_000, **options))


@dataclass(frozen=True)
class Framework:
    """A framework and the clients that are compared in it.

    Attributes:
        name: Name in the tables.
        bare: The bare framework; its CPU time is part of the baseline.
        package: This package.
        minimal: The minimal model.
        alternatives: Other integrations.
    """

    name: str
    bare: type[Client]
    package: type[Client]
    minimal: type[Client]
    alternatives: tuple[type[Client], ...]


FRAMEWORKS = (
    Framework(
        "LangChain",
        BareLangChain,
        XAILowCodeLangChain,
        MinimalLangChain,
        (LangChainOpenAI, LangChainXAI, LangChainLiteLLM),
    ),
    Framework(
        "LlamaIndex",
        BareLlamaIndex,
        XAILowCodeLlamaIndex,
        MinimalLlamaIndex,
        (LlamaIndexOpenAILike,),
    ),
)
PACKAGE_AND_BASELINES: tuple[type[Client], ...] = (
    HttpxClient,
    *(framework.bare for framework in FRAMEWORKS),
    *(framework.minimal for framework in FRAMEWORKS),
    *(framework.package for framework in FRAMEWORKS),
)
CLIENTS: tuple[type[Client], ...] = (
    *PACKAGE_AND_BASELINES,
    OpenAIClient,
    *(client for framework in FRAMEWORKS for client in framework.alternatives),
)


def _openai_options(config: ClientConfig, base_url: str) -> Any:
    """Return the options that the alternatives share; the base URL has a name of its own."""
    return {base_url: f"{config.base_url}/v1", "api_key": TOKEN, "max_retries": 0}


def _gateway_options(config: ClientConfig) -> Any:
    return {"base_url": f"{config.base_url}/xai", "api_token": TOKEN, "max_retries": 0}
