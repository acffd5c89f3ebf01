"""``XAILowCode``: Grok as a LlamaIndex LLM."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from pydantic import Field, ValidationInfo, field_serializer, field_validator

from llama_index_xai_lowcode._client_fields import ClientFields
from llama_index_xai_lowcode._credential_guard import CredentialGuardMixin
from llama_index_xai_lowcode._documents import reads_files, replace_files
from llama_index_xai_lowcode._request import PreparedRequest, prepare_request
from llama_index_xai_lowcode._responses import to_completion, to_response
from llama_index_xai_lowcode._structured_output import StructuredPrediction
from llama_index_xai_lowcode._tools import render_tools, to_selections, to_server_tool
from llama_index_xai_lowcode.server_tools import XAIServerTool
from xai_lowcode._internal.constructors import Unchecked, store_signature
from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.openai_format import render_server_tool
from xai_lowcode.chat.options import (
    KNOWN_OPTIONS,
    polling_options,
    refuse_deferred_stream,
    warn_unknown_options,
)
from xai_lowcode.chat.profiles import DEFAULT_MODEL, get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import MIN_UPLOAD_SIZE
from xai_lowcode.types.requests import PollingOptions, ServerTool, check_number

if TYPE_CHECKING:
    from dataclasses import InitVar

    from xai_lowcode.types.requests import ReasoningSummary, ServiceTier

F = TypeVar("F")

import_before_fork("llama_index_xai_lowcode._stream")

_REQUEST_FIELDS = (
    "temperature",
    "max_tokens",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
    "api",
    "store",
    "include",
    "use_previous_response_id",
)
# Options of an MCP server that authenticate the user to it.
_CREDENTIAL_OPTIONS = frozenset({"authorization", "headers"})


class _TypedDecorator(Protocol):
    """A decorator that preserves the type of the function."""

    def __call__(self, method: F, /) -> F: ...


def _with_signature(decorator: Callable[[Any], Any]) -> _TypedDecorator:
    """LlamaIndex's instrumentation inspects the signature of the decorated method in each call."""
    return lambda method: store_signature(decorator(method))


_chat_callback = _with_signature(llm_chat_callback())
_completion_callback = _with_signature(llm_completion_callback())


class XAILowCode(CredentialGuardMixin, StructuredPrediction):
    """Grok through the LowCodeAPI gateway, a ``FunctionCallingLLM``.

    Keyword arguments are the fields below and the options of a call, which become part of
    ``additional_kwargs``. Unknown ones do too, with a warning. Options of a call override
    ``additional_kwargs``, which override the fields. Options that are not set are not sent. Fields
    can be assigned at any time. ``system_prompt`` and the other fields of LlamaIndex's ``LLM`` are
    supported; ``chat`` does not use ``system_prompt``.

    Raises:
        UsageError: The token is missing or invalid, a setting has an invalid value, or an unknown
            argument is a credential.

    Example:
        >>> from llama_index.core.llms import ChatMessage
        >>> from llama_index_xai_lowcode import XAILowCode
        >>> llm = XAILowCode(model="grok-4.7", api_token="at_r0123456789abcdef")
        >>> llm.metadata.context_window
        500000
        >>> llm.chat([ChatMessage("Say hello.")]).message.content  # doctest: +SKIP
        'Hello!'
        >>> for chunk in llm.stream_complete("Count to three."):  # doctest: +SKIP
        ...     print(chunk.delta, end="")
        1, 2, 3
    """

    _aliases: ClassVar[dict[str, str]] = {**ClientFields._aliases, "max_new_tokens": "max_tokens"}  # noqa: SLF001 - of the base
    # Parameters of llama-index-llms-openai-like with one possible value here: Grok is a chat model,
    # connections are reused, schemas are strict.
    _ignored: ClassVar[frozenset[str]] = ClientFields._ignored | {  # noqa: SLF001 - of the base
        *("is_chat_model", "strict", "tokenizer"),
    }

    _options: ClassVar[frozenset[str]] = KNOWN_OPTIONS

    model: str = Field(default=DEFAULT_MODEL, kw_only=False, description="Name of the model.")
    temperature: float | None = Field(default=None, description="Sampling temperature, 0 to 2.")
    max_tokens: int | None = Field(
        default=None, description="Limit of output tokens, without reasoning tokens."
    )
    reasoning_effort: str | None = Field(
        default=None, description="Reasoning effort: 'low', 'high' or another value of the model."
    )
    logprobs: bool | None = Field(
        default=None, description="Whether to return log probabilities of the output tokens."
    )
    top_logprobs: int | None = Field(
        default=None, description="Number of alternatives per output token, 0 to 8."
    )
    context_window: int | None = Field(
        default=None,
        gt=0,
        description="Context window in tokens; by default that of the model, by its name.",
    )
    server_tools: Annotated[
        Sequence[XAIServerTool | ServerTool | Mapping[str, object]], Unchecked
    ] = Field(
        default_factory=list,
        description="Server-side tools of every call, for instance [web_search()]. Dumps omit the"
        " credentials of MCP servers.",
    )
    store: bool | None = Field(
        default=None,
        description="Whether xAI stores responses, for 30 days; by default only with"
        " use_previous_response_id, or to continue a stored response.",
    )
    include: list[str] | None = Field(
        default=None,
        description="Additional output, for instance 'web_search_call.action.sources'.",
    )
    use_previous_response_id: bool | None = Field(
        default=None,
        description="Whether to send the id of the last stored response and the messages after it"
        " instead of the whole conversation, which is sent if a message before it was changed, or"
        " if xAI does not have the response any more.",
    )
    deferred: Annotated[bool | PollingOptions | None, Unchecked] = Field(
        default=False,
        exclude=True,
        description="Whether to use deferred completions: True, or xai_lowcode.PollingOptions; also"
        " an option of a call. Not supported when streaming.",
    )

    if TYPE_CHECKING:
        # Aliases, and options that are not fields.
        max_new_tokens: InitVar[int | None] = None
        max_completion_tokens: InitVar[int | None] = None
        max_output_tokens: InitVar[int | None] = None
        is_chat_model: InitVar[bool] = True
        strict: InitVar[bool] = True
        tokenizer: InitVar[object] = None
        stop: InitVar[str | Sequence[str] | None] = None
        stop_sequences: InitVar[str | Sequence[str] | None] = None
        n: InitVar[int | None] = None
        seed: InitVar[int | None] = None
        top_p: InitVar[float | None] = None
        top_k: InitVar[int | None] = None
        min_p: InitVar[float | None] = None
        presence_penalty: InitVar[float | None] = None
        frequency_penalty: InitVar[float | None] = None
        reasoning: InitVar[Mapping[str, object] | None] = None
        reasoning_summary: InitVar[ReasoningSummary | None] = None
        tools: InitVar[Sequence[object] | None] = None
        tool_choice: InitVar[str | Mapping[str, object] | None] = None
        parallel_tool_calls: InitVar[bool | None] = None
        response_format: InitVar[Mapping[str, object] | type | None] = None
        clean_schemas: InitVar[bool | None] = None
        user: InitVar[str | None] = None
        safety_identifier: InitVar[str | None] = None
        service_tier: InitVar[ServiceTier | None] = None
        prompt_cache_key: InitVar[str | None] = None
        previous_response_id: InitVar[str | None] = None
        use_encrypted_content: InitVar[bool | None] = None
        max_turns: InitVar[int | None] = None
        guidelines: InitVar[object] = None
        no_inline_citations: InitVar[bool | None] = None
        stream_usage: InitVar[bool | None] = None
        extra_body: InitVar[Mapping[str, object] | None] = None
        model_kwargs: InitVar[Mapping[str, object] | None] = None

    @field_validator("temperature", "max_tokens", "top_logprobs")
    @classmethod
    def _check_number(cls, value: Any, info: ValidationInfo) -> Any:
        return check_number(str(info.field_name), value)

    @field_validator("server_tools", mode="before")
    @classmethod
    def _parse_server_tools(cls, tools: Any) -> list[ServerTool]:
        return [_parse_server_tool(tool) for tool in tools]

    @field_serializer("server_tools")
    def _serialize_server_tools(self, tools: list[ServerTool]) -> list[dict[str, Any]]:
        return [
            {k: v for k, v in render_server_tool(tool).items() if k not in _CREDENTIAL_OPTIONS}
            for tool in tools
        ]

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in dumps and events."""
        return "XAILowCode"

    @property
    def metadata(self) -> LLMMetadata:
        """Context window, output limit and capabilities of the model."""
        # Fields are not validated when they are assigned; a call raises for what is no name.
        model = str(self.model)
        return LLMMetadata(
            context_window=self.context_window or get_profile(model).context_window,
            # -1 is no limit; LlamaIndex subtracts any other number from the context window.
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=model,
            system_role=MessageRole.SYSTEM,
        )

    def to_payload(self) -> dict[str, Any]:
        """Return what events and traces contain of the model; no secrets."""
        types = [_parse_server_tool(tool).type for tool in self.server_tools]
        return {
            "class_name": self.class_name(),
            **self.metadata.model_dump(),
            **self._request_options(),
            **({"server_tools": types} if types else {}),
        }

    # --- chat -----------------------------------------------------------------------------------

    @_chat_callback
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Send a conversation and return the response.

        Args:
            messages: The conversation; it is not changed.
            kwargs: Options of this call, such as ``temperature``, ``stop`` or ``tools``.

        Returns:
            The response. ``raw`` is xAI's response body, with the token counts that were billed.
            ``additional_kwargs`` has these counts (completion tokens include reasoning tokens),
            ``cost_usd``, ``finish_reason``, server-side tool calls as ``built_in_tool_calls``, and
            with ``n`` above 1 a list ``other_choices`` of the other responses. The message can be
            sent back as it is, also after it was in a chat store: its ``ThinkingBlock`` has what
            xAI needs, such as encrypted reasoning, in ``additional_information``. Sources are
            ``CitationBlock``s, images ``ImageBlock``s.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            XAILowCodeError: The call failed; see ``xai_lowcode.errors``.
        """
        return self._chat(messages, **kwargs)

    @_chat_callback
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Send a conversation and return the response; see ``chat``."""
        return await self._achat(messages, **kwargs)

    @_chat_callback
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Send a conversation and stream the response.

        Args:
            messages: The conversation; it is not changed.
            kwargs: Options of this call.

        Returns:
            A generator of responses: ``delta`` is the new text, ``message`` everything so far,
            ``additional_kwargs["thinking_delta"]`` the new reasoning content. The last response has
            an empty ``delta`` and equals that of ``chat``. Closing the generator closes the
            connection.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            XAILowCodeError: The call failed or the stream was interrupted; raised while iterating.
        """
        return self._stream_chat(messages, **kwargs)

    @_chat_callback
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Send a conversation and return an async generator of responses; see ``stream_chat``."""
        return await self._astream_chat(messages, **kwargs)

    # --- completion -----------------------------------------------------------------------------

    @_completion_callback
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Send a prompt as a user message and return the completion.

        Args:
            prompt: The prompt.
            formatted: Whether ``completion_to_prompt`` was already applied.
            kwargs: Options of this call; see ``chat``.
        """
        return to_completion(self._chat(self._to_messages(prompt, formatted), **kwargs))

    @_completion_callback
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Send a prompt and return the completion; see ``complete``."""
        return to_completion(await self._achat(self._to_messages(prompt, formatted), **kwargs))

    @_completion_callback
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Send a prompt and stream the completion; see ``complete`` and ``stream_chat``."""
        from llama_index_xai_lowcode._stream import iter_completions  # noqa: PLC0415 - on first use

        return iter_completions(self._stream_chat(self._to_messages(prompt, formatted), **kwargs))

    @_completion_callback
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Send a prompt and return an async generator of completions; see ``stream_complete``."""
        from llama_index_xai_lowcode._stream import aiter_completions  # noqa: PLC0415 - on first use

        responses = await self._astream_chat(self._to_messages(prompt, formatted), **kwargs)
        return aiter_completions(responses)

    # --- tools ----------------------------------------------------------------------------------

    def _prepare_chat_with_tools(  # noqa: PLR0917 - LlamaIndex's signature
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002 - the same
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the arguments of ``chat`` for a call with tools."""
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg)
        tool_choice = kwargs.pop("tool_choice", None) or ("required" if tool_required else None)
        if tools:
            kwargs["tools"] = render_tools(tools, sanitize=self._sanitizes_schemas(kwargs))
            kwargs["parallel_tool_calls"] = allow_parallel_tool_calls
            if tool_choice is not None:
                kwargs["tool_choice"] = tool_choice
        return {"messages": messages, **kwargs}

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,
        **_kwargs: Any,
    ) -> list[ToolSelection]:
        """Return the tool calls of a response, with their arguments as dicts.

        A call whose arguments are not a JSON object is returned with the arguments ``self``, which
        is the reason, and ``invalid_arguments``, which is their text. No tool runs with them: the
        call becomes an error, which an agent reports to the model.

        Args:
            response: A response, or one of the responses of a stream.
            error_on_no_tool_call: Whether to raise if there is no tool call.

        Raises:
            ValueError: There is no tool call.
        """
        # Responses of a stream before the last one have no finish reason.
        is_final = "finish_reason" in response.additional_kwargs
        selections = to_selections(response.message, is_final=is_final)
        if error_on_no_tool_call and not selections:
            raise ValueError(
                f"Expected a tool call, but the response is {response.message.content!r}."
            )
        return selections

    # --- without callbacks, so that a completion is not recorded as a chat too -------------------

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        polling = polling_options(kwargs, self.deferred)
        prepared = self._prepare(messages, kwargs)
        return to_response(self._chat_model().generate(prepared.request, polling), prepared)

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        polling = polling_options(kwargs, self.deferred)
        prepared = await self._aprepare(messages, kwargs)
        response = await self._chat_model().agenerate(prepared.request, polling)
        return to_response(response, prepared)

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        refuse_deferred_stream(kwargs.pop("deferred", self.deferred))
        from llama_index_xai_lowcode._stream import ResponseBuilder, iter_responses  # noqa: PLC0415 - on first use

        prepared = self._prepare(messages, kwargs)
        events = self._chat_model().stream(prepared.request)
        return iter_responses(events, ResponseBuilder(prepared))

    async def _astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        refuse_deferred_stream(kwargs.pop("deferred", self.deferred))
        from llama_index_xai_lowcode._stream import ResponseBuilder, aiter_responses  # noqa: PLC0415 - on first use

        prepared = await self._aprepare(messages, kwargs)
        events = self._chat_model().astream(prepared.request)
        return aiter_responses(events, ResponseBuilder(prepared))

    def _prepare(self, messages: Sequence[ChatMessage], options: dict[str, Any]) -> PreparedRequest:
        if options:
            warn_unknown_options(options, fields={*type(self).model_fields, *self._aliases})
        fields = {**self._request_options(), "server_tools": self.server_tools}
        return prepare_request(self.model, messages, fields, self.additional_kwargs, options)

    def upload_documents(
        self, messages: Sequence[ChatMessage], *, min_size: int = MIN_UPLOAD_SIZE
    ) -> AbstractContextManager[list[ChatMessage]]:
        """Upload the large documents of messages, and delete them at the end.

        Args:
            messages: The messages; they are not changed.
            min_size: Bytes from which a document is uploaded. Smaller ones stay in the messages.

        Returns:
            A context manager that returns the messages with the ids of the uploaded documents.

        Raises:
            UsageError: A document cannot be read.
            XAILowCodeError: An upload failed. What had been uploaded was deleted.
        """
        return self._chat_model().upload_documents(
            messages, min_size=min_size, replace_files=replace_files
        )

    def aupload_documents(
        self, messages: Sequence[ChatMessage], *, min_size: int = MIN_UPLOAD_SIZE
    ) -> AbstractAsyncContextManager[list[ChatMessage]]:
        """Upload the large documents of messages; see ``upload_documents``."""
        return self._chat_model().aupload_documents(
            messages, min_size=min_size, replace_files=replace_files
        )

    async def _aprepare(
        self, messages: Sequence[ChatMessage], options: dict[str, Any]
    ) -> PreparedRequest:
        if reads_files(messages):
            return await asyncio.to_thread(self._prepare, messages, options)
        return self._prepare(messages, options)

    def _request_options(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in _REQUEST_FIELDS}
        return {name: value for name, value in values.items() if value is not None}

    def _to_messages(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]


def _parse_server_tool(tool: Any) -> ServerTool:
    server_tool = to_server_tool(tool)
    if server_tool is None:
        raise UsageError(
            f"server_tools: a {type(tool).__name__} is not a server-side tool.",
            field="server_tools",
            hint="Use web_search(), x_search(), code_execution() and the like.",
        )
    return server_tool
