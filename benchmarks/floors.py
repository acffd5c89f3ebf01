"""What nobody can do without: the gateway called with httpx by hand, and the bare frameworks.

The bare frameworks are models that answer with a constant: what they cost is the framework's own.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
from asking import HISTORY, QUESTION, TOOLS, Contender


class HttpxByHand(Contender):
    """What somebody writes who has read the API's pages and wants no package."""

    name = "httpx by hand"

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        self.url = f"{address}/v1/{ {'chat_completions': 'chat/completions'}.get(api, api) }"
        self.pictures = f"{address}/v1/images/generations"
        self.api = api
        self.client = httpx.Client(timeout=60)
        self.async_client = httpx.AsyncClient(timeout=httpx.Timeout(60, pool=None))

    def body(self, messages: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """The request."""
        key = "input" if self.api == "responses" else "messages"
        limit = {"max_tokens": 1000} if self.api == "messages" else {}
        return {"model": "grok-4.7", key: messages, **limit, **more}

    def invoke(self) -> Any:
        """One short answer."""
        return self.read(self.client.post(self.url, json=self.body(QUESTION)))

    def stream(self) -> int:
        """One stream, to its end."""
        with self.client.stream("POST", self.url, json=self.body(QUESTION, stream=True)) as answer:
            return sum(1 for line in answer.iter_lines() if self.word(line) is not None)

    def first(self) -> Iterator[Any]:
        """One stream, a word at a time."""
        with self.client.stream("POST", self.url, json=self.body(QUESTION, stream=True)) as answer:
            for line in answer.iter_lines():
                if (word := self.word(line)) is not None:
                    yield word

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        return self.read(self.client.post(self.url, json=self.body(HISTORY, tools=TOOLS)))

    def picture(self) -> Any:
        """One picture, as bytes."""
        body = {"model": "grok-imagine-image", "prompt": "x", "response_format": "b64_json"}
        answer = json.loads(self.client.post(self.pictures, json=body).content)
        return base64.b64decode(answer["data"][0]["b64_json"])

    async def ainvoke(self) -> Any:
        """One short answer."""
        return self.read(await self.async_client.post(self.url, json=self.body(QUESTION)))

    async def astream(self) -> int:
        """One stream, to its end."""
        body, words = self.body(QUESTION, stream=True), 0
        async with self.async_client.stream("POST", self.url, json=body) as answer:
            async for line in answer.aiter_lines():
                words += self.word(line) is not None
        return words

    def read(self, answer: httpx.Response) -> Any:
        """The text of an answer."""
        body = json.loads(answer.content)
        if self.api == "chat_completions":
            return body["choices"][0]["message"]["content"]
        return body["output"] if self.api == "responses" else body["content"]

    def word(self, line: str) -> Any:
        """The text of a line of a stream; None where it has none."""
        if not line.startswith("data: ") or line == "data: [DONE]":
            return None
        chunk = json.loads(line[6:])
        if self.api == "chat_completions":
            return chunk["choices"][0]["delta"].get("content") if chunk["choices"] else None
        delta = chunk.get("delta")
        return delta.get("text") if isinstance(delta, dict) else delta


class BareLangChain(Contender):
    """A LangChain chat model whose answer is a constant."""

    name = "bare LangChain"

    def __init__(self, words: int = 200) -> None:
        from langchain_core.language_models import BaseChatModel
        from langchain_core.messages import AIMessage, AIMessageChunk
        from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

        class Constant(BaseChatModel):
            words: int

            @property
            def _llm_type(self) -> str:
                return "constant"

            def _generate(self, *_: Any, **__: Any) -> ChatResult:
                return ChatResult(generations=[ChatGeneration(message=AIMessage("words"))])

            async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
                return self._generate()

            def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
                for _ in range(self.words):
                    yield ChatGenerationChunk(message=AIMessageChunk("word "))

            async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
                for _ in range(self.words):
                    yield ChatGenerationChunk(message=AIMessageChunk("word "))

        self.model = Constant(words=words)
        self.bound = self.model.bind(tools=TOOLS)
        self.messages = langchain_history()

    def invoke(self) -> Any:
        """One constant."""
        return self.model.invoke("Hello?")

    def stream(self) -> int:
        """As many constants."""
        return sum(1 for _ in self.model.stream("Hello?"))

    def history(self) -> Any:
        """One constant for a long conversation."""
        return self.bound.invoke(self.messages)

    async def ainvoke(self) -> Any:
        """One constant."""
        return await self.model.ainvoke("Hello?")

    async def astream(self) -> int:
        """As many constants."""
        words = 0
        async for _ in self.model.astream("Hello?"):
            words += 1
        return words


class BareLlamaIndex(Contender):
    """A LlamaIndex model whose answer is a constant."""

    name = "bare LlamaIndex"

    def __init__(self, words: int = 200) -> None:
        self.model = constant_llama(words)
        self.messages = llama_history()
        self.tools = llama_tools()

    def invoke(self) -> Any:
        """One constant."""
        return self.model.chat(llama_question())

    def stream(self) -> int:
        """As many constants."""
        return sum(1 for _ in self.model.stream_chat(llama_question()))

    def history(self) -> Any:
        """One constant for a long conversation."""
        return self.model.chat_with_tools(self.tools, chat_history=self.messages)

    async def ainvoke(self) -> Any:
        """One constant."""
        return await self.model.achat(llama_question())

    async def astream(self) -> int:
        """As many constants."""
        words = 0
        async for _ in await self.model.astream_chat(llama_question()):
            words += 1
        return words


def constant_llama(words: int) -> Any:  # noqa: C901 - a class with a method for each way to ask
    """The bare model of LlamaIndex."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
    from llama_index.core.llms.callbacks import llm_chat_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM

    class Constant(FunctionCallingLLM):
        words: int = 200

        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(is_chat_model=True, is_function_calling_model=True)

        def _answer(self) -> ChatResponse:
            return ChatResponse(message=ChatMessage(role="assistant", content="words"))

        def _answers(self) -> Iterator[ChatResponse]:
            text = ""
            for _ in range(self.words):
                text += "word "
                message = ChatMessage(role="assistant", content=text)
                yield ChatResponse(message=message, delta="word ")

        @llm_chat_callback()
        def chat(self, messages: Any, **_: Any) -> ChatResponse:  # noqa: ARG002 - the base's name
            return self._answer()

        @llm_chat_callback()
        async def achat(self, messages: Any, **_: Any) -> ChatResponse:  # noqa: ARG002 - the base's name
            return self._answer()

        @llm_chat_callback()
        def stream_chat(self, messages: Any, **_: Any) -> Any:  # noqa: ARG002 - the base's name
            return self._answers()

        @llm_chat_callback()
        async def astream_chat(self, messages: Any, **_: Any) -> Any:  # noqa: ARG002 - the base's name
            async def answers() -> AsyncIterator[ChatResponse]:
                for answer in self._answers():
                    yield answer

            return answers()

        def _prepare_chat_with_tools(self, tools: Any, **given: Any) -> dict[str, Any]:
            rendered = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
            return {"messages": given.get("chat_history") or [], "tools": rendered}

        def _no(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        complete = acomplete = stream_complete = astream_complete = _no

    return Constant(words=words)


def langchain_history() -> list[Any]:
    """The long conversation, for LangChain."""
    from langchain_core.messages import AIMessage, HumanMessage

    kinds: dict[str, Any] = {"user": HumanMessage, "assistant": AIMessage}
    return [kinds[message["role"]](message["content"]) for message in HISTORY]


def llama_question() -> list[Any]:
    """The short question, for LlamaIndex."""
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(role="user", content="Hello?")]


def llama_history() -> list[Any]:
    """The long conversation, for LlamaIndex."""
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(role=m["role"], content=m["content"]) for m in HISTORY]


def llama_tools() -> list[Any]:
    """The tools, for LlamaIndex."""
    from llama_index.core.tools import FunctionTool

    def look(a: int, b: str = "x") -> str:
        """Looks something up."""
        return b * a

    return [FunctionTool.from_defaults(look, name=tool["function"]["name"]) for tool in TOOLS]
