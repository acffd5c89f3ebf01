"""The baselines: httpx without a framework, the bare frameworks, and minimal models with httpx.

A bare framework is a model that returns a constant: its CPU time is that of the framework alone.
A minimal model is the smallest model that sends requests with httpx.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar

from benchmarks.backends import Backend, ConstantBackend, HttpxBackend
from benchmarks.clients import Client, LangChainClient, LlamaIndexClient
from benchmarks.inputs import API, CONVERSATION, PROMPT_MESSAGES, TOOLS, ClientConfig, Message

_ALL_APIS: frozenset[API] = frozenset({"responses", "chat_completions", "messages"})
_ROLES = {"human": "user", "ai": "assistant"}


class HttpxClient(Client):
    """httpx without a framework."""

    name = "httpx"
    apis: ClassVar[frozenset[API]] = _ALL_APIS

    def __init__(self, config: ClientConfig) -> None:
        self._backend = HttpxBackend(config)
        self._images_url = f"{config.base_url}/v1/images/generations"

    def generate(self) -> Any:
        """Request a response to a short prompt."""
        return self._backend.generate(PROMPT_MESSAGES)

    def generate_with_tools(self) -> Any:
        """Request a response to a long conversation, with tools."""
        return self._backend.generate(CONVERSATION, tools=TOOLS)

    def generate_image(self) -> bytes:
        """Request an image, and decode it."""
        body = {"model": "grok-imagine-image", "prompt": "x", "response_format": "b64_json"}
        response = json.loads(self._backend.client.post(self._images_url, json=body).content)
        return base64.b64decode(response["data"][0]["b64_json"])

    def stream(self) -> Iterator[Any]:
        """Request a stream, and return an iterator over its chunks."""
        return self._backend.stream(PROMPT_MESSAGES)

    async def agenerate(self) -> Any:
        """Request a response to a short prompt asynchronously."""
        return await self._backend.agenerate(PROMPT_MESSAGES)

    async def astream(self) -> AsyncIterator[Any]:
        """Request a stream asynchronously, and return an iterator over its chunks."""
        return self._backend.astream(PROMPT_MESSAGES)


class BareLangChain(LangChainClient):
    """A LangChain chat model that returns a constant."""

    name = "bare LangChain"
    apis: ClassVar[frozenset[API]] = _ALL_APIS

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(build_langchain_model(ConstantBackend(config.chunks)))


class BareLlamaIndex(LlamaIndexClient):
    """A LlamaIndex LLM that returns a constant."""

    name = "bare LlamaIndex"
    apis: ClassVar[frozenset[API]] = _ALL_APIS

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(build_llama_index_model(ConstantBackend(config.chunks)))


class MinimalLangChain(LangChainClient):
    """The smallest LangChain chat model that sends requests with httpx."""

    name = "minimal model, LangChain"
    apis: ClassVar[frozenset[API]] = _ALL_APIS

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(build_langchain_model(HttpxBackend(config)))


class MinimalLlamaIndex(LlamaIndexClient):
    """The smallest LlamaIndex LLM that sends requests with httpx."""

    name = "minimal model, LlamaIndex"
    apis: ClassVar[frozenset[API]] = _ALL_APIS

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(build_llama_index_model(HttpxBackend(config)))


def build_langchain_model(backend: Backend) -> Any:
    """Build a LangChain chat model that gets its text from a backend."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    class MinimalChatModel(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "minimal"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self.bind(tools=tools)

        def _generate(self, messages: Any, *_: Any, **kwargs: Any) -> ChatResult:
            return _to_result(backend.generate(_from_langchain(messages), kwargs.get("tools", ())))

        async def _agenerate(self, messages: Any, *_: Any, **kwargs: Any) -> ChatResult:
            text = await backend.agenerate(_from_langchain(messages), kwargs.get("tools", ()))
            return _to_result(text)

        def _stream(self, messages: Any, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
            for text in backend.stream(_from_langchain(messages)):
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))

        async def _astream(
            self, messages: Any, *_: Any, **__: Any
        ) -> AsyncIterator[ChatGenerationChunk]:
            async for text in backend.astream(_from_langchain(messages)):
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))

    def _to_result(text: str) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    return MinimalChatModel()


def build_llama_index_model(backend: Backend) -> Any:  # noqa: C901 - the methods of one class
    """Build a LlamaIndex LLM that gets its text from a backend."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
    from llama_index.core.llms.callbacks import llm_chat_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM

    class MinimalLLM(FunctionCallingLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(is_chat_model=True, is_function_calling_model=True)

        @llm_chat_callback()
        def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
            return _to_response(
                backend.generate(_from_llama_index(messages), kwargs.get("tools", ()))
            )

        @llm_chat_callback()
        async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
            text = await backend.agenerate(_from_llama_index(messages), kwargs.get("tools", ()))
            return _to_response(text)

        @llm_chat_callback()
        def stream_chat(self, messages: Any, **_: Any) -> Iterator[ChatResponse]:
            def generate() -> Iterator[ChatResponse]:
                text = ""
                for delta in backend.stream(_from_llama_index(messages)):
                    text += delta
                    yield _to_response(text, delta)

            return generate()

        @llm_chat_callback()
        async def astream_chat(self, messages: Any, **_: Any) -> AsyncIterator[ChatResponse]:
            async def generate() -> AsyncIterator[ChatResponse]:
                text = ""
                async for delta in backend.astream(_from_llama_index(messages)):
                    text += delta
                    yield _to_response(text, delta)

            return generate()

        def _prepare_chat_with_tools(
            self, tools: Any, user_msg: Any = None, chat_history: Any = None, *_: Any, **__: Any
        ) -> dict[str, Any]:
            del user_msg  # the benchmark passes conversations
            specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
            return {"messages": chat_history or [], "tools": specs}

        def _complete(self, *_: Any, **__: Any) -> Any:
            # The framework's base class declares these methods as abstract.
            raise NotImplementedError("the benchmark has no text completions")

        complete = acomplete = stream_complete = astream_complete = _complete

    def _to_response(text: str, delta: str | None = None) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta)

    return MinimalLLM()


def _from_langchain(messages: Sequence[Any]) -> list[Message]:
    return [{"role": _ROLES[m.type], "content": m.content} for m in messages]


def _from_llama_index(messages: Sequence[Any]) -> list[Message]:
    return [{"role": m.role.value, "content": m.content} for m in messages]
