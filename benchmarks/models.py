"""Models of both frameworks with no more to them than where they get their words."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from asking import HISTORY, TOOLS
from sources import Message, Source


def langchain_model(source: Source) -> Any:
    """A chat model of LangChain's."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    class Model(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "by hand"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self.bind(tools=tools)

        def _generate(self, messages: Any, stop: Any = None, _: Any = None, **more: Any) -> Any:
            del stop
            return _result(source.answer(_from_langchain(messages), **_tools(more)))

        async def _agenerate(
            self, messages: Any, stop: Any = None, _: Any = None, **more: Any
        ) -> Any:
            del stop
            return _result(await source.aanswer(_from_langchain(messages), **_tools(more)))

        def _stream(self, messages: Any, *_: Any, **__: Any) -> Iterator[Any]:
            for word in source.words(_from_langchain(messages)):
                yield ChatGenerationChunk(message=AIMessageChunk(word))

        async def _astream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
            async for word in source.awords(_from_langchain(messages)):
                yield ChatGenerationChunk(message=AIMessageChunk(word))

    def _result(text: str) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    return Model()


_ROLES = {"human": "user", "ai": "assistant"}


def _from_langchain(messages: Sequence[Any]) -> list[Message]:
    return [{"role": _ROLES[m.type], "content": m.content} for m in messages]


def _tools(more: dict[str, Any]) -> dict[str, Any]:
    return {"tools": more["tools"]} if more.get("tools") else {}


def llama_model(source: Source) -> Any:  # noqa: C901 - a class with a method for each way to ask
    """A model of LlamaIndex's."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
    from llama_index.core.llms.callbacks import llm_chat_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM

    class Model(FunctionCallingLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(is_chat_model=True, is_function_calling_model=True)

        @llm_chat_callback()
        def chat(self, messages: Any, **more: Any) -> ChatResponse:
            return _response(source.answer(_from_llama(messages), **_tools(more)))

        @llm_chat_callback()
        async def achat(self, messages: Any, **more: Any) -> ChatResponse:
            return _response(await source.aanswer(_from_llama(messages), **_tools(more)))

        @llm_chat_callback()
        def stream_chat(self, messages: Any, **_: Any) -> Any:
            def responses() -> Iterator[ChatResponse]:
                text = ""
                for word in source.words(_from_llama(messages)):
                    text += word
                    yield _response(text, word)

            return responses()

        @llm_chat_callback()
        async def astream_chat(self, messages: Any, **_: Any) -> Any:
            async def responses() -> AsyncIterator[ChatResponse]:
                text = ""
                async for word in source.awords(_from_llama(messages)):
                    text += word
                    yield _response(text, word)

            return responses()

        def _prepare_chat_with_tools(self, tools: Any, **given: Any) -> dict[str, Any]:
            rendered = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
            return {"messages": given.get("chat_history") or [], "tools": rendered}

        def _no(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        complete = acomplete = stream_complete = astream_complete = _no

    def _response(text: str, delta: str | None = None) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta)

    return Model()


def _from_llama(messages: Sequence[Any]) -> list[Message]:
    return [{"role": m.role.value, "content": m.content} for m in messages]


def langchain_history(messages: Sequence[Message] = HISTORY) -> list[Any]:
    """A conversation, for LangChain."""
    from langchain_core.messages import AIMessage, HumanMessage

    kinds: dict[str, Any] = {"user": HumanMessage, "assistant": AIMessage}
    return [kinds[message["role"]](message["content"]) for message in messages]


def llama_history(messages: Sequence[Message] = HISTORY) -> list[Any]:
    """A conversation, for LlamaIndex."""
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(role=m["role"], content=m["content"]) for m in messages]


def llama_tools(tools: Sequence[Message] = TOOLS) -> list[Any]:
    """Tools, for LlamaIndex."""
    from llama_index.core.tools import FunctionTool

    def look(a: int, b: str = "x") -> str:
        """Looks something up."""
        return b * a

    return [FunctionTool.from_defaults(look, name=tool["function"]["name"]) for tool in tools]
