"""``ChatXAILowCode``: Grok as a LangChain chat model.

Fields, and the framework's methods, short; the work is done by ``GatewayModel`` and the converters.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, ClassVar, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import model_validator

from langchain_xai_lowcode import _translator  # noqa: F401 - registers itself
from langchain_xai_lowcode._blocks import MODEL_PROVIDER
from langchain_xai_lowcode._chunks import ChunkMaker
from langchain_xai_lowcode._counting import TokenCounting
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._replies import to_result
from langchain_xai_lowcode._structured import Method, structured
from langchain_xai_lowcode._tools import openai_format, openai_tools, to_tool_specs
from xai_lowcode._version import __version__
from xai_lowcode.conversation import ChatRequest, check_choice
from xai_lowcode.deferred import deferral_of
from xai_lowcode.openai_forms import read_tool_choice
from xai_lowcode.profiles import profile_of
from xai_lowcode.reply import Reply


class ChatXAILowCode(TokenCounting, BaseChatModel):
    """Grok through the LowCodeAPI gateway.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Instantiate:
        >>> from langchain_xai_lowcode import ChatXAILowCode
        >>> llm = ChatXAILowCode(model="grok-4.7", temperature=0)  # doctest: +SKIP

    Invoke:
        >>> llm.invoke("Say hello.").text  # doctest: +SKIP
        'Hello!'

    Stream:
        >>> for chunk in llm.stream("Say hello."):  # doctest: +SKIP
        ...     print(chunk.text, end="")

    Tool calling:
        >>> llm.bind_tools([get_weather]).invoke("How is the weather?").tool_calls  # doctest: +SKIP

    Tools that xAI runs:
        >>> from langchain_xai_lowcode import web_search
        >>> answer = llm.bind_tools([web_search()]).invoke("What is new at x.ai?")  # doctest: +SKIP
        >>> answer.content_blocks[-1]["annotations"][0]["url"]  # doctest: +SKIP
        'https://x.ai/news'

    Structured output:
        >>> llm.with_structured_output(Person).invoke("Ada is 36.")  # doctest: +SKIP
        Person(name='Ada', age=36)

    ``stop`` works with every model: where a model refuses it, the answer is cut here. Errors are
    LangChain's (``ModelRateLimitError``…) and this package's (``xai_lowcode.errors``) at once.
    """

    _limited_by_langchain: ClassVar[bool] = True

    @model_validator(mode="after")
    def _stream_nothing_deferred(self) -> Self:
        with langchain_errors():
            if deferral_of(self.deferred) is not None:
                self.disable_streaming = True
        return self

    @model_validator(mode="after")
    def _set_xai_lowcode_version(self) -> Self:
        self._add_version("xai-lowcode", __version__)
        return self

    # --- asking ---------------------------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the base's signature
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, deferral = self._request(messages, stop, kwargs), self._deferral(kwargs)
            reply = self._gateway.generate(request, deferral)
        return self._to_result(reply, request)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - as above
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, deferral = self._request(messages, stop, kwargs), self._deferral(kwargs)
            reply = await self._gateway.agenerate(request, deferral)
        return self._to_result(reply, request)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._stream_request(messages, stop, kwargs)
            maker = ChunkMaker(stored=request.store is not False)
            with closing(self._gateway.stream(request)) as events:
                for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._stream_request(messages, stop, kwargs)
            maker = ChunkMaker(stored=request.store is not False)
            async with aclosing(self._gateway.astream(request)) as events:
                async for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    def _to_result(self, reply: Reply, request: ChatRequest) -> ChatResult:
        return to_result(
            reply,
            stored=request.store is not False,
            with_headers=self.include_response_headers,
        )

    # --- binding --------------------------------------------------------------------------------

    def bind_tools(
        self,
        tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | Mapping[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offers tools to the model; their schemas are rendered once, here.

        Args:
            tools: Functions, pydantic classes, LangChain tools, or schemas in OpenAI's form; and
                tools that xAI runs, such as ``web_search()`` or ``{"type": "web_search"}``. An
                MCP server's ``authorization`` and ``headers`` are hidden in what is bound, so that
                tracers, prints and caches do not get them.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` or True for any tool, a tool's name, or
                OpenAI's form of these.
            strict: Whether the schemas are made strict, as OpenAI defines it; xAI's always are.
            parallel_tool_calls: Whether several calls may come at once; default: xAI's, True.
            response_format: A schema that the final answer must fit, or OpenAI's form of it.
            kwargs: Further options of the calls.

        Raises:
            UsageError: ``tool_choice`` names no tool, a tool has no name, or a schema is none that
                can be sent.
        """
        with langchain_errors():
            clean = self._cleans(kwargs)
            rendered = openai_tools(tools, strict=strict, clean=clean)
            check_choice(to_tool_specs(rendered), read_tool_choice(tool_choice))
            if response_format is not None:
                response_format = openai_format(response_format, clean=clean)
        bound: dict[str, Any] = {
            "tools": rendered or None,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
        }
        given = {name: value for name, value in bound.items() if value is not None}
        return self.bind(**given, **kwargs)

    def with_structured_output(
        self,
        schema: Mapping[str, Any] | type | None = None,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Makes the model answer with an object that fits a schema.

        Args:
            schema: A pydantic class (the answer is an instance), a TypedDict or a JSON schema (the
                answer is a dict).
            method: ``"json_schema"`` constrains the answer itself, ``"function_calling"`` forces a
                tool call, ``"json_mode"`` asks for any JSON; the prompt must then describe it.
                Default: ``"json_schema"``; a tool call with ``api="messages"``, which know none.
            include_raw: Return ``{"raw", "parsed", "parsing_error"}`` instead of raising.
            strict: Whether the schema is made strict, as OpenAI defines it.
            kwargs: Further options of the calls.

        Raises:
            UsageError: The method is unknown, or needs a schema and has none, or one that cannot be
                sent.
        """
        with langchain_errors():
            return structured(
                lambda **bound: self.bind(**bound, **kwargs),
                lambda tools, **bound: self.bind_tools(tools, **bound, **kwargs),
                schema,
                method=method or ("function_calling" if self._is_plain(kwargs) else "json_schema"),
                include_raw=include_raw,
                strict=strict,
                clean=self._cleans(kwargs),
                parallel=None if self._is_plain(kwargs) else False,
            )

    def _is_plain(self, call: Mapping[str, Any]) -> bool:
        """Whether it is asked in messages, which know neither formats nor single calls."""
        return bool({"api": self.api, **self.model_kwargs, **call}["api"] == "messages")

    # --- what LangChain wants to know -----------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "xai-lowcode-chat"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        default = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or default, **kwargs)
        # The same word as in the messages: LangChain believes their usage only then.
        params["ls_provider"] = MODEL_PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        known = profile_of(self.model)
        sees = "image" in known.inputs
        return ModelProfile(
            max_input_tokens=known.context_window,
            text_inputs=True,
            image_inputs=sees,
            image_url_inputs=sees,
            image_tool_message=sees,
            audio_inputs=False,
            video_inputs=False,
            text_outputs=True,
            reasoning_output=known.reasons,
            reasoning_effort_levels=list(known.efforts),
            tool_calling=True,
            tool_choice=True,
            # Messages have no response formats.
            structured_output=self.api != "messages",
        )

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where LangChain finds the class when it loads a dump."""
        return ["langchain_xai_lowcode", "chat_models"]
