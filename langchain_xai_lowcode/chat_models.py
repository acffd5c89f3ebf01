"""``ChatXAILowCode``: the LangChain chat model for Grok through the LowCodeAPI gateway."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.version import VERSION
from pydantic import (
    AliasChoices,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from langchain_xai_lowcode import _output_blocks  # noqa: F401 - registers the translator
from langchain_xai_lowcode._client_fields import FOREIGN_ARGS, ClientFields
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._input import replace_files, to_messages
from langchain_xai_lowcode._output import sum_token_usage, to_result
from langchain_xai_lowcode._tools import (
    to_openai_response_format,
    to_openai_tools,
    to_response_format,
    to_tool,
    to_tool_specs,
)
from xai_lowcode._internal.constructors import Unchecked, store_signature
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode._version import __version__
from xai_lowcode.chat.openai_format import parse_tool_choice
from xai_lowcode.chat.options import (
    BODY_OPTIONS,
    KNOWN_OPTIONS,
    build_request,
    merge_options,
    polling_options,
    refuse_deferred_stream,
    warn_unknown_options,
)
from xai_lowcode.chat.profiles import DEFAULT_MODEL, get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import MIN_UPLOAD_SIZE, MODEL_PROVIDER
from xai_lowcode.types.requests import (
    NUMERIC_OPTIONS,
    OPTIONS,
    Api,
    ChatRequest,
    PollingOptions,
    ServiceTier,
    check_number,
    check_tool_choice,
    parse_polling,
)
from xai_lowcode.types.responses import ChatResponse

if TYPE_CHECKING:
    from dataclasses import InitVar

    from langchain_protocol.protocol import MessagesData

    from langchain_xai_lowcode._protocol_events import ProtocolEventBuilder, RunManager
    from langchain_xai_lowcode._stream import ChunkBuilder
    from xai_lowcode.types.requests import ReasoningSummary

HAS_TOOL_CALL_DELTAS = tuple(int(part) for part in VERSION.split(".")[:2]) >= (1, 7)
"""LangChain reads the events of ``_protocol_events``; earlier versions have other tool calls."""

import_before_fork("langchain_xai_lowcode._stream")

# Includes BaseTool, which is a Runnable; naming it would import LangChain's tools.
Tool = Mapping[str, Any] | type | Callable[..., Any] | Runnable[Any, Any]

# Keyword arguments of LangChain that reach a model and are not sent.
_INTERNAL_ARGS = ("ls_structured_output_format", "strict")
# Fields that ``xai_lowcode.chat.options`` converts.
_CONVERTED_OPTIONS = frozenset({"reasoning", "use_previous_response_id"})
# Methods that convert the same stream: to chunks, and to protocol events.
_EVENT_METHODS = {
    "_stream": "_stream_chat_model_events",
    "_astream": "_astream_chat_model_events",
}
# Options that are not checked for credentials. The keys of others such as ``extra_body`` are.
_KNOWN_OPTIONS = (KNOWN_OPTIONS - BODY_OPTIONS) | frozenset(_INTERNAL_ARGS)


class ChatXAILowCode(ClientFields, BaseChatModel):  # type: ignore[misc]  # rate_limiter
    """Chat model for xAI's Grok through the LowCodeAPI gateway.

    Setup:
        ``pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode"``,
        and set ``LOWCODEAPI_API_TOKEN`` to the token of your LowCodeAPI account.

    Key init args — completion params:
        model: Name of the model. Default ``"grok-4.7"``.
        temperature: Sampling temperature, 0 to 2.
        max_tokens: Maximum number of output tokens, without reasoning tokens.
        stop: Stop sequences; truncated client-side where the model does not support them.
        reasoning_effort: ``"low"``, ``"high"`` or another level of the model.
        api: ``"auto"``, ``"chat_completions"``, ``"responses"`` or ``"messages"``.

    Key init args — client params:
        api_token: Token of the account, alias ``api_key``. Default ``LOWCODEAPI_API_TOKEN``.
        base_url: Base URL of the gateway, alias ``api_base``. Default ``LOWCODEAPI_BASE_URL``,
            then the hosted gateway.
        timeout: Seconds: a number, a tuple or an ``httpx.Timeout``. Default: 1200 to read.
        max_retries: Maximum number of retries of a failed request. Default 2.

    See the fields for all others. Options can also be set for one call:
    ``llm.invoke("Hello", model="grok-4.3")``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import ChatXAILowCode

        llm = ChatXAILowCode(model="grok-4.7", temperature=0.2, max_retries=3)
        ```

    Invoke:
        ```python
        messages = [("system", "Translate to French."), ("human", "I love programming.")]
        print(llm.invoke(messages).text)
        ```

    Stream:
        ```python
        for chunk in llm.stream(messages):
            print(chunk.text, end="")
        ```

        The sum of the chunks is the whole message: ``full = full + chunk``.

    Async:
        ```python
        import asyncio

        async def main() -> None:
            print((await llm.ainvoke(messages)).text)
            async for chunk in llm.astream(messages):
                print(chunk.text, end="")
            print(len(await llm.abatch([messages, messages])))

        asyncio.run(main())
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"Sunny in {city}."

        message = llm.bind_tools([get_weather]).invoke("How is the weather in 'Vienna'?")
        print(message.tool_calls[0]["args"])  # {'city': 'Vienna'}
        ```

        See ``bind_tools`` for ``tool_choice``, and LangChain's ``create_agent`` for agents.

    Server-side tools:
        ```python
        from langchain_xai_lowcode import web_search

        message = llm.bind_tools([web_search()]).invoke("Search the web for Grok.")
        for citation in message.content_blocks[-1]["annotations"]:
            print(citation["url"])
        ```

    Structured output:
        ```python
        from pydantic import BaseModel

        class Person(BaseModel):
            name: str
            age: int

        print(llm.with_structured_output(Person).invoke("Who is 'Ada', who is 36?"))
        ```

    Reasoning:
        ```python
        message = llm.invoke("What is 3 ** 3?", model="grok-4.3", reasoning_effort="high")
        print([block["type"] for block in message.content_blocks])  # ['reasoning', 'text']
        ```

        Not every model returns reasoning content. Messages that go back into the history unchanged
        are sent back unchanged, with their encrypted reasoning.

    Image input:
        ```python
        import base64
        from pathlib import Path

        from langchain_core.messages import HumanMessage

        data = base64.b64encode(Path("fox.png").read_bytes()).decode()
        image = {"type": "image", "base64": data, "mime_type": "image/png"}
        print(llm.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, image])]).text)
        ```

        ``{"type": "image", "url": …}`` and OpenAI's ``image_url`` are supported too; documents are
        ``{"type": "file", …}``.

    Token usage, cost and response metadata:
        ```python
        message = llm.invoke(messages, model="grok-3", logprobs=True)
        print(message.usage_metadata["total_tokens"], message.response_metadata["cost_usd"])
        print(message.response_metadata["model_name"], message.response_metadata["finish_reason"])
        print(message.response_metadata["logprobs"]["content"][0]["token"])
        ```

        A stream reports usage in its last chunk. Output tokens include reasoning tokens. Newer
        models return no logprobs. ``get_num_tokens`` counts tokens before a request is sent.

    Each error is an instance of LangChain's class (``ModelRateLimitError`` …) and of this
    package's (``xai_lowcode.errors``). The token is in no error, print, dump or trace.
    """

    model: str = Field(
        default=DEFAULT_MODEL,
        validation_alias=AliasChoices("model", "model_name"),
        min_length=1,
        kw_only=False,
    )
    """Name of the model, sent unchanged. Default: ``"grok-4.7"``."""

    temperature: float | None = None
    """Sampling temperature, 0 to 2. Default: the model's."""

    top_p: float | None = None
    """Nucleus sampling probability, 0 to 1. Default: the model's."""

    max_tokens: int | None = Field(
        default=None,
        validation_alias=AliasChoices("max_tokens", "max_completion_tokens", "max_output_tokens"),
    )
    """Maximum number of output tokens, without reasoning tokens. Default: the model's."""

    stop: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """Stop sequences of calls that set none. Default: none."""

    n: int | None = None
    """Number of choices; not supported when streaming. Default: 1."""

    seed: int | None = None
    """Seed for mostly deterministic sampling. Default: none."""

    presence_penalty: float | None = None
    """-2 to 2. Not sent, with a warning, to reasoning models, which do not support it."""

    frequency_penalty: float | None = None
    """-2 to 2. Not sent, with a warning, to reasoning models, which do not support it."""

    logprobs: bool | None = None
    """Return log probabilities of output tokens in ``response_metadata["logprobs"]``."""

    top_logprobs: int | None = None
    """Number of alternatives for each token, 0 to 8. Requires ``logprobs``."""

    reasoning_effort: str | None = None
    """``"low"``, ``"high"`` or another level of the model. Default: the model's."""

    reasoning: Mapping[str, Any] | None = None
    """OpenAI's format: ``{"effort": "low"}``, and ``{"summary": "auto"}`` for reasoning summaries
    (Responses API). Default: none."""

    user: str | None = None
    """Identifier of the end user, for abuse detection."""

    service_tier: Annotated[ServiceTier | None, Unchecked] = None
    """Service tier: ``"default"`` or ``"priority"``."""

    prompt_cache_key: str | None = None
    """Key of requests that share xAI's prompt cache (Responses API)."""

    api: Api = "auto"
    """API to use: ``"auto"``, ``"chat_completions"``, ``"responses"`` or ``"messages"``.

    ``"auto"``, the default, is Responses, which xAI recommends, and Chat Completions for what only
    it supports: ``deferred``, ``n`` above 1, models and gateways without Responses.
    ``use_responses_api`` is an alias: True for ``"responses"``, False for ``"chat_completions"``.
    """

    use_previous_response_id: bool = False
    """Send only the messages after the last stored response, and its id (Responses API).

    A response is continued only if no message before it was added, removed or changed since, system
    messages included, and as long as xAI has it; otherwise the whole conversation is sent.
    Default: False.
    """

    store: bool | None = None
    """Let xAI store responses for 30 days (Responses API).

    Default: only with ``use_previous_response_id``, or to continue a stored response.
    """

    use_encrypted_content: bool = True
    """Request the reasoning of responses that are not stored in encrypted form, which the next
    request sends back (Responses API). Default: True."""

    include: list[str] | None = None
    """Additional output, for instance ``["web_search_call.action.sources"]`` (Responses API)."""

    max_turns: int | None = None
    """Maximum number of turns with server-side tools (Responses API)."""

    top_k: int | None = None
    """Number of tokens to sample from (Responses API). Default: the model's."""

    min_p: float | None = None
    """Minimum probability of a token to sample, relative to the most likely one, 0 to 1 (Responses
    API). Default: the model's."""

    safety_identifier: str | None = None
    """Identifier of the end user without personal data, for abuse detection."""

    guidelines: Annotated[object, Unchecked] = None
    """Content guidelines, as xAI defines them (Responses API). Default: none."""

    no_inline_citations: bool | None = None
    """Leave citations out of the text (Responses API). Default: False."""

    deferred: Annotated[bool | PollingOptions | None, Unchecked] = False
    """Use deferred completions: True, or a ``xai_lowcode.PollingOptions`` with delays and progress.

    xAI keeps the response for 24 hours. ``stream`` returns it as one chunk. Default: False.
    """

    # None, since LangChain's configurable fields set every field, and False would end streams.
    streaming: bool | None = None
    """Stream internally in ``invoke``. If it is set to False, ``stream`` does not stream either."""

    stream_usage: bool = True
    """Report token usage at the end of a stream. Default: True."""

    clean_schemas: bool = True
    """Convert JSON schemas of tools and response formats to the subset that xAI supports.

    Default: True.
    """

    include_response_headers: bool = False
    """Add xAI's HTTP headers to ``response_metadata["headers"]``, if the gateway returns them.

    Default: False.
    """

    include_total_cost: bool = False
    """Add ``total_cost``, the cost in US dollars, to ``usage_metadata``, where LangSmith reads it.

    Default: False, since LangChain adds up only integers: ``add_usage`` raises for a cost, and
    ``get_usage_metadata_callback`` loses calls that have one. For the same reason streams never
    have it, unlike protocol events: LangChain adds the usage of all chunks.
    ``response_metadata["cost_usd"]`` has the cost in any case, also in the sum of the chunks of a
    stream.
    """

    extra_body: Mapping[str, Any] | None = None
    """Further keys of the request body. Credentials are refused. Default: none."""

    if TYPE_CHECKING:
        # Aliases, and options that are not fields.
        model_name: InitVar[str] = DEFAULT_MODEL
        max_completion_tokens: InitVar[int | None] = None
        max_output_tokens: InitVar[int | None] = None
        stop_sequences: InitVar[list[str] | str | None] = None
        use_responses_api: InitVar[bool | None] = None
        reasoning_summary: InitVar[ReasoningSummary | None] = None
        tools: InitVar[Sequence[Tool] | None] = None
        server_tools: InitVar[Sequence[object] | None] = None
        tool_choice: InitVar[str | Mapping[str, object] | None] = None
        parallel_tool_calls: InitVar[bool | None] = None
        response_format: InitVar[Mapping[str, object] | type | None] = None
        previous_response_id: InitVar[str | None] = None
        additional_kwargs: InitVar[Mapping[str, object] | None] = None

    # The profile of the model's name, which ``profile`` is unless the caller has set another one.
    _default_profile: ModelProfile | None = PrivateAttr(default=None)

    _rate_limited_by_langchain: ClassVar[bool] = True
    _options: ClassVar[frozenset[str]] = KNOWN_OPTIONS

    @field_validator(*NUMERIC_OPTIONS)
    @classmethod
    def _check_number(cls, value: Any, info: ValidationInfo) -> Any:
        with langchain_errors():
            return check_number(str(info.field_name), value)

    @model_validator(mode="before")
    @classmethod
    def _read_use_responses_api(cls, values: Any) -> Any:
        """Convert ``use_responses_api``, an argument of langchain-openai, to ``api``."""
        if not isinstance(values, dict) or "use_responses_api" not in values:
            return values
        others = {name: value for name, value in values.items() if name != "use_responses_api"}
        match values["use_responses_api"]:
            case True:
                return {"api": "responses", **others}
            case False:
                return {"api": "chat_completions", **others}
            case _:
                return others

    @model_validator(mode="after")
    def _check_deferred(self) -> Self:
        self._disable_deferred_streaming()
        return self

    def _disable_deferred_streaming(self) -> None:
        with langchain_errors():
            if parse_polling(self.deferred) is not None:
                self.disable_streaming = True

    @model_validator(mode="after")
    def _set_xai_lowcode_version(self) -> Self:
        self._add_version("xai-lowcode", __version__)
        return self

    def _on_change(self, names: Collection[str]) -> None:
        super()._on_change(names)
        if "deferred" in names:
            self._disable_deferred_streaming()
        if ("model" in names or "api" in names) and self.profile == self._default_profile:
            self.profile = self._resolve_model_profile()

    # --- requests -------------------------------------------------------------------------------

    @store_signature
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the base's signature
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, polling = self._build_request(messages, stop, kwargs)
            response = self._gateway.generate(request, polling)
        return self._to_result(response, request)

    @store_signature
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - as above
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, polling = self._build_request(messages, stop, kwargs)
            response = await self._gateway.agenerate(request, polling)
        return self._to_result(response, request)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._build_stream_request(messages, stop, kwargs)
            builder = _create_chunk_builder(request)
            with closing(self._gateway.stream(request)) as events:
                for event in events:
                    if (chunk := builder.feed(event)) is not None:
                        if run_manager is not None and run_manager.handlers:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield from builder.end()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._build_stream_request(messages, stop, kwargs)
            builder = _create_chunk_builder(request)
            async with aclosing(self._gateway.astream(request)) as events:
                async for event in events:
                    if (chunk := builder.feed(event)) is not None:
                        if run_manager is not None and run_manager.handlers:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            for chunk in builder.end():
                yield chunk

    if HAS_TOOL_CALL_DELTAS:  # else LangChain makes the events from the chunks of a stream

        def _stream_chat_model_events(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: CallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> "Iterator[MessagesData]":
            with langchain_errors():
                request = self._build_stream_request(messages, stop, kwargs)
                builder, chunks = self._create_event_builders(request, run_manager)
                with closing(self._gateway.stream(request)) as events:
                    for event in events:
                        if chunks and run_manager and (chunk := chunks.feed(event)) is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield from builder.feed(event)
                yield from builder.end()

        async def _astream_chat_model_events(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: AsyncCallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> "AsyncIterator[MessagesData]":
            with langchain_errors():
                request = self._build_stream_request(messages, stop, kwargs)
                builder, chunks = self._create_event_builders(request, run_manager)
                async with aclosing(self._gateway.astream(request)) as events:
                    async for event in events:
                        if chunks and run_manager and (chunk := chunks.feed(event)) is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        for protocol_event in builder.feed(event):
                            yield protocol_event
                for protocol_event in builder.end():
                    yield protocol_event

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Let LangChain make protocol events from the chunks of a subclass with a ``_stream``."""
        super().__pydantic_init_subclass__(**kwargs)
        for stream, events in _EVENT_METHODS.items():
            if stream in cls.__dict__ and events not in cls.__dict__:
                setattr(cls, events, None)

    def _create_event_builders(
        self, request: ChatRequest, run_manager: "RunManager | None"
    ) -> "tuple[ProtocolEventBuilder, ChunkBuilder | None]":
        """Create the builder of protocol events, and that of chunks if a handler reads them."""
        from langchain_xai_lowcode._protocol_events import ProtocolEventBuilder, reads_chunks  # noqa: PLC0415 - on first use

        builder = ProtocolEventBuilder(request, run_manager, with_cost=self.include_total_cost)
        return builder, _create_chunk_builder(request) if reads_chunks(run_manager) else None

    def _build_request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> tuple[ChatRequest, PollingOptions | None]:
        """Build the request of a call: its options win over ``model_kwargs``, these over fields."""
        call_options = dict(kwargs)
        warn_unknown_options(
            call_options.keys(), internal=_INTERNAL_ARGS, fields=self._argument_names()
        )
        polling = polling_options(call_options, self.deferred)
        if stop is not None:
            call_options["stop"] = stop
        options = merge_options(
            {"extra_body": self.extra_body}, self._default_params, self.model_kwargs, call_options
        )
        for name in ("deferred", *_INTERNAL_ARGS):
            options.pop(name, None)
        request = build_request(
            to_messages(messages), options, to_tool=to_tool, to_response_format=to_response_format
        )
        return request, polling

    def _build_stream_request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> ChatRequest:
        refuse_deferred_stream(kwargs.get("deferred", self.deferred))
        request, _ = self._build_request(messages, stop, kwargs)
        if (request.n or 1) > 1:
            raise UsageError(
                "n: only 1 is supported when streaming.",
                field="n",
                hint="Use invoke or generate for more choices.",
            )
        return request

    def _to_result(self, response: ChatResponse, request: ChatRequest) -> ChatResult:
        return to_result(
            response,
            request,
            with_headers=self.include_response_headers,
            with_cost=self.include_total_cost,
        )

    # --- tools and structured output ------------------------------------------------------------

    if not TYPE_CHECKING:  # LangChain's signature has more precise types

        def bind(self, **kwargs: Any) -> Any:
            """Bind options to the model, as LangChain does; credentials are refused at once."""
            self._refuse_credentials(kwargs)
            return super().bind(**kwargs)

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: str | bool | Mapping[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, Any] | type | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools to the model. Their schemas are converted once, here.

        Args:
            tools: Functions, pydantic classes, LangChain tools or schemas in OpenAI's format; and
                server-side tools such as ``web_search()`` or ``{"type": "web_search"}``. The
                ``authorization`` and ``headers`` of an MCP server are masked in the bound options,
                so that they are in no trace, print or cache.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` or True for any tool, the name of a tool,
                or OpenAI's format of these. Default: ``"auto"``.
            strict: Make the schemas strict, as OpenAI defines it. xAI treats all as strict.
            parallel_tool_calls: Allow several tool calls in one message. Default: xAI's, True.
            response_format: Schema of the final message, or OpenAI's format of it.
            kwargs: Further options of the calls.

        Raises:
            UsageError: ``tool_choice`` names no tool, a tool has no name, a schema is not
                supported, or a further option holds a credential. Calls raise it if two tools have
                the same name.
        """
        self._refuse_credentials(kwargs)
        with langchain_errors():
            clean = self._should_clean_schemas(kwargs)
            openai_tools = to_openai_tools(tools, strict=strict, clean=clean)
            check_tool_choice(to_tool_specs(openai_tools), parse_tool_choice(tool_choice))
            if response_format is not None:
                response_format = to_openai_response_format(response_format, clean=clean)
        options: dict[str, Any] = {
            "tools": openai_tools or None,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
        }
        options = {name: value for name, value in options.items() if value is not None}
        return self.bind(**options, **kwargs)

    def with_structured_output(
        self,
        schema: Mapping[str, Any] | type | None = None,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Tool] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable whose output is an object that matches a schema.

        Args:
            schema: A pydantic class (the output is an instance); a TypedDict, a dataclass, a JSON
                schema, or OpenAI's ``{"name", "schema", "strict"}`` (the output is a dict); or
                another type such as an Enum, ``list[Person]`` or ``Cat | Dog``. A type that is not
                an object is sent as the field ``value`` of one.
            method: ``"json_schema"`` sends the schema as response format, ``"function_calling"`` as
                a tool that the model must call; ``"json_mode"`` requests any JSON object, which the
                prompt must describe. Default: ``"json_schema"``; ``"function_calling"`` with
                ``api="messages"``, which has no response formats.
            include_raw: Return ``{"raw", "parsed", "parsing_error"}`` instead of raising.
            strict: Make the schema strict, as OpenAI defines it.
            tools: Tools that the model may call instead of returning the object, which is then
                None; use ``include_raw`` to get the tool calls.
            kwargs: Further options of the calls.

        Raises:
            UsageError: ``method`` is unknown, ``schema`` is missing or not supported, or a further
                option holds a credential.
            ModelRefusalError: The model refused a request (LangChain's class; raised by calls).
            OutputParserException: A message contains no matching object and no call of one of the
                ``tools`` (raised by calls).
        """
        self._refuse_credentials(kwargs)
        from langchain_xai_lowcode._structured_output import build_structured_output  # noqa: PLC0415 - on first use

        # The Messages API has no response formats.
        api = {"api": self.api, **self.model_kwargs, **kwargs}["api"]
        has_response_formats = api != "messages"
        with langchain_errors():
            return build_structured_output(
                lambda **options: self.bind(**options, **kwargs),
                lambda tools, **options: self.bind_tools(tools, **options, **kwargs),
                schema,
                method=method or ("json_schema" if has_response_formats else "function_calling"),
                include_raw=include_raw,
                strict=strict,
                clean=self._should_clean_schemas(kwargs),
                tools=tools or (),
            )

    def _should_clean_schemas(self, kwargs: Mapping[str, Any]) -> bool:
        options = {"clean_schemas": self.clean_schemas, **self.model_kwargs, **kwargs}
        return bool(options["clean_schemas"])

    # --- documents ------------------------------------------------------------------------------

    @contextmanager
    def upload_documents(
        self, messages: LanguageModelInput, *, min_size: int = MIN_UPLOAD_SIZE
    ) -> Iterator[list[BaseMessage]]:
        """Upload the large documents of messages, and delete them at the end.

        Args:
            messages: The input of the model; it is not changed.
            min_size: Bytes from which a document is uploaded. Smaller ones stay in the messages.

        Returns:
            A context manager that returns the messages with the ids of the uploaded documents.

        Raises:
            UsageError: A document cannot be read.
            XAILowCodeError: An upload failed. What had been uploaded was deleted.
        """
        with langchain_errors():
            uploads = self._gateway.upload_documents(
                self._convert_input(messages).to_messages(),
                min_size=min_size,
                replace_files=replace_files,
            )
            with uploads as uploaded:
                yield uploaded

    @asynccontextmanager
    async def aupload_documents(
        self, messages: LanguageModelInput, *, min_size: int = MIN_UPLOAD_SIZE
    ) -> AsyncIterator[list[BaseMessage]]:
        """Upload the large documents of messages; see ``upload_documents``."""
        with langchain_errors():
            uploads = self._gateway.aupload_documents(
                self._convert_input(messages).to_messages(),
                min_size=min_size,
                replace_files=replace_files,
            )
            async with uploads as uploaded:
                yield uploaded

    # --- token counting -------------------------------------------------------------------------

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text: the service is asked, one request for a new text.

        Its tokenizer is that of the model. Counts are cached. Where the gateway cannot be reached,
        the number is an estimate (one token for four bytes), with one warning;
        ``xai_lowcode.api.tokens`` distinguishes the two.

        Args:
            text: The text.

        Raises:
            XAILowCodeError: The request failed with an error that is not transient.
        """
        if (ids := self._get_custom_token_ids(text)) is not None:
            return len(ids)
        with langchain_errors():
            return self._gateway.tokens.count(text, model=self.model, estimate=True).tokens

    async def aget_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text; see ``get_num_tokens``."""
        if (ids := self._get_custom_token_ids(text)) is not None:
            return len(ids)
        with langchain_errors():
            count = await self._gateway.tokens.acount(text, model=self.model, estimate=True)
            return count.tokens

    def get_token_ids(self, text: str) -> list[int]:
        """Return the token ids of a text: the service is asked, one request for a new text.

        Ids are cached, and never estimated.

        Args:
            text: The text.

        Raises:
            XAILowCodeError: The request failed.
        """
        if (ids := self._get_custom_token_ids(text)) is not None:
            return ids
        with langchain_errors():
            return self._gateway.tokens.ids(text, model=self.model)

    async def aget_token_ids(self, text: str) -> list[int]:
        """Return the token ids of a text; see ``get_token_ids``."""
        if (ids := self._get_custom_token_ids(text)) is not None:
            return ids
        with langchain_errors():
            return await self._gateway.tokens.aids(text, model=self.model)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return the number of tokens of messages; ``trim_messages(token_counter=llm)`` uses it.

        The service is asked: texts are counted with the model's tokenizer, those that are not
        cached together in one request for about 32 kB, as far as that does not change their count,
        else several requests at once. Message overhead and images are estimated; see
        ``xai_lowcode.api.tokens``.

        Args:
            messages: The messages.
            tools: Tools of the request, as in ``bind_tools``.

        Raises:
            UsageError: A message has no equivalent in xAI's APIs.
            XAILowCodeError: The request failed with an error that is not transient.
        """
        with langchain_errors():
            count_args = self._count_args(messages, tools)
            return self._gateway.tokens.count_messages(**count_args).tokens

    async def aget_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return the number of tokens of messages; see ``get_num_tokens_from_messages``."""
        with langchain_errors():
            count_args = self._count_args(messages, tools)
            return (await self._gateway.tokens.acount_messages(**count_args)).tokens

    def _count_args(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None
    ) -> dict[str, Any]:
        clean = self._should_clean_schemas({})
        specs = to_tool_specs(to_openai_tools(tools or (), strict=None, clean=clean))
        return {
            "messages": to_messages(messages),
            "model": self.model,
            "tools": specs,
            "estimate": True,
        }

    def _get_custom_token_ids(self, text: str) -> list[int] | None:
        """Return the result of LangChain's field ``custom_get_token_ids``, if it is set."""
        custom = getattr(self, "custom_get_token_ids", None)
        return None if custom is None else custom(text)

    # --- parameters and metadata ----------------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "xai-lowcode-chat"

    @property
    def _default_params(self) -> dict[str, Any]:
        """Return the model and the request options that are set by fields."""
        return {
            name: value for name in _OPTION_FIELDS if (value := getattr(self, name)) is not None
        }

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Return parameters that distinguish models in caches and traces; the token is not one."""
        base_url = self._gateway.settings.base_url
        return {"base_url": base_url, **self._default_params, **self.model_kwargs}

    def _refuse_credentials(self, kwargs: dict[str, Any]) -> None:
        """Refuse options that are or hold a credential, before a tracer gets them.

        Args:
            kwargs: Keyword arguments of the caller. They are cleared on an error, since error
                reporters show the variables of frames.

        Raises:
            UsageError: An option of the call, or of the model, is or holds a credential.
        """
        error = (
            credential_error(kwargs, known=_KNOWN_OPTIONS, hints=FOREIGN_ARGS)
            or credential_error(self.model_kwargs, known=_KNOWN_OPTIONS, hints=FOREIGN_ARGS)
            or credential_error(self.extra_body or {}, hints=FOREIGN_ARGS)
        )
        if error is not None:
            kwargs.clear()
            with langchain_errors():
                raise error

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return sum_token_usage(llm_outputs)

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # LangChain calls this first, and passes the result to tracers.
        self._refuse_credentials(kwargs)
        return super()._get_invocation_params(stop=stop, **kwargs)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        default_stop = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or default_stop, **kwargs)
        # LangChain uses a message's usage only if this equals its model_provider.
        params["ls_provider"] = MODEL_PROVIDER
        return params

    def _get_ls_params_with_defaults(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> LangSmithParams:
        # The metadata of traces: LangSmith's price tables have xAI's models under this name.
        return {**super()._get_ls_params_with_defaults(stop=stop, **kwargs), "ls_provider": "xai"}

    def _resolve_model_profile(self) -> ModelProfile | None:
        # Fields are not validated when they are assigned; a call raises for what is no name.
        profile = get_profile(str(self.model))
        image_inputs = "image" in profile.input_modalities
        # Only Responses accepts the data of documents; the others need a URL or a file id.
        pdf_inputs = "pdf" in profile.input_modalities and self.api in {"auto", "responses"}
        fields: dict[str, Any] = {
            "name": profile.name,
            "status": "deprecated" if profile.deprecated else profile.name and "active",
            "release_date": profile.release_date,
            "open_weights": False,
            "max_input_tokens": profile.context_window,
            "text_inputs": True,
            "image_inputs": image_inputs,
            "image_url_inputs": image_inputs,
            "pdf_inputs": pdf_inputs,
            "audio_inputs": False,
            "video_inputs": False,
            "image_tool_message": image_inputs,
            "pdf_tool_message": pdf_inputs,
            "max_output_tokens": profile.max_output_tokens,
            "reasoning_output": profile.reasoning,
            "reasoning_effort_levels": list(profile.reasoning_efforts),
            "reasoning_effort_default": profile.default_reasoning_effort,
            "text_outputs": "text" in profile.output_modalities,
            "image_outputs": "image" in profile.output_modalities,
            "audio_outputs": False,
            "video_outputs": False,
            "tool_calling": profile.tool_calling,
            "tool_choice": profile.tool_calling,
            "tool_call_streaming": profile.tool_calling,
            # The Messages API has one system prompt, before all messages, and no response formats.
            "mid_conversation_system_messages": self.api != "messages",
            "mid_conversation_tools": False,
            "structured_output": self.api != "messages",
            "attachment": image_inputs or pdf_inputs,
            "temperature": "temperature" not in profile.unsupported,
        }
        # Earlier versions of LangChain have fewer keys, and warn of others.
        known = fields.keys() & ModelProfile.__annotations__.keys()
        self._default_profile = cast(
            "ModelProfile", {name: fields[name] for name in known if fields[name] is not None}
        )
        return self._default_profile


_OPTION_FIELDS = tuple(
    name
    for name in ChatXAILowCode.model_fields
    if name == "model" or name in (OPTIONS - {"deferred"}) | _CONVERTED_OPTIONS
)


def _create_chunk_builder(request: ChatRequest) -> "ChunkBuilder":
    from langchain_xai_lowcode._stream import ChunkBuilder  # noqa: PLC0415 - many programs do not stream

    return ChunkBuilder(request)
