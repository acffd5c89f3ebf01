"""Grok as a LlamaIndex LLM: the methods that ask the model, each with its async twin.

What is asked is made in ``_questions``, what is answered is read in ``_responses``; the twins
differ in ``await`` alone.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool

from llama_index_xai_lowcode._documents import reads_files
from llama_index_xai_lowcode._request import PreparedRequest, prepare_request
from llama_index_xai_lowcode._responses import (
    ResponseBuilder,
    aiter_completions,
    aiter_responses,
    iter_completions,
    iter_responses,
    to_completion,
    to_response,
)
from llama_index_xai_lowcode._structured_output import StructuredPrediction
from llama_index_xai_lowcode._tools import render_tools, to_selections
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import PollingOptions, parse_polling

F = TypeVar("F")


class _Unchanged(Protocol):
    """A decorator that keeps the type of what it decorates."""

    def __call__(self, method: F, /) -> F: ...


_chat_events: _Unchanged = llm_chat_callback()
_completion_events: _Unchanged = llm_completion_callback()


class XAILowCode(StructuredPrediction):
    """Grok through the LowCodeAPI gateway, with all that LlamaIndex asks of a function calling LLM.

    Unset options are not sent. An option given to a call wins over ``additional_kwargs``, and these
    win over the fields. Any other keyword argument joins ``additional_kwargs``. Fields may be
    assigned at any time.

    Args:
        model: Name of the model; default ``"grok-4.7"``.
        temperature: Randomness, 0 to 2.
        max_tokens: Limit of visible tokens; reasoning does not count.
        reasoning_effort: How long to think: ``"low"``, ``"high"`` and what else the model knows.
        logprobs: Whether to return probabilities of tokens.
        top_logprobs: Number of alternatives for each token, 0 to 8.
        additional_kwargs: Further options (``top_p``, ``seed``, ``stop``, …), and further members
            of the request body.
        context_window: Tokens that fit into prompt and answer; default by the model's name.
        is_function_calling_model: Whether agents and programs may offer tools; default True.
        should_use_structured_outputs: Whether ``structured_predict`` asks by a JSON schema in
            LlamaIndex's default mode; by a forced tool otherwise. Default True.
        api: The wire form: ``"auto"``, ``"chat_completions"``, ``"responses"`` or ``"messages"``.
            Auto takes responses when something needs them; see docs/apis.md.
        server_tools: Tools that xAI runs itself, in every call: ``[web_search()]``. Dumps hold them
            without the keys of MCP servers.
        store: Whether xAI keeps responses; default is its own, to keep them for 30 days.
        include: What else is told, for instance ``["reasoning.encrypted_content"]``, which takes a
            model's thoughts through a tool loop where ``store`` is False.
        use_previous_response_id: Whether only what follows the last stored response is sent, with
            its id, instead of the whole conversation. An answer that was corrected since is none.
        api_token: LowCodeAPI's token (``at_…``), also as ``api_key``; default
            ``LOWCODEAPI_API_TOKEN``. Dumps, prints and events go without it; pickles contain it.
        base_url: The gateway's address, also as ``api_base``; default ``LOWCODEAPI_BASE_URL``.
        max_concurrency: Requests in flight at one time, of threads and coroutines together; default
            no limit.
        rate_limiter: Asked before each request, repeats included: LlamaIndex's, or any object with
            ``acquire()``, and ``async_acquire()`` or ``aacquire()``. Copies share it.
        allow_insecure_http: Whether plain http to another machine is accepted; default False.
        timeout: Seconds: a number, ``(connect, read, write, pool)``, each None for no limit, or an
            ``httpx.Timeout``; above 0 and at most 1,000,000. Default 20 minutes to read, since a
            reasoning model may be silent for long.
        deadline: Seconds for a whole call, retries included; default none.
        deferred: Whether answers are deferred: True, or a ``xai_lowcode.PollingOptions`` that says how to
            wait; also an option of a call. Streams cannot be deferred.
        max_retries: How often a failed call is made again; default 2, 0 for one request.
        proxy: URL of a proxy, with the scheme ``http``, ``https``, ``socks5`` or ``socks5h``;
            default that of the environment, ``""`` for none. Not in dumps and prints, but in
            pickles.
        verify: Path of a file or directory of CA certificates, or an ``ssl.SSLContext``, which is
            null in dumps and cannot be pickled. Default True: the default certificates, or those
            of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``. False for no verification, with a warning.
        max_response_bytes: Limit of the decompressed size of one response; default 256 MiB.
        url_format: The gateway's URL form, ``"auto"``, ``"new"`` or ``"old"``; default ``"auto"``.
        http_client: An ``httpx.Client`` to send with; not together with ``proxy`` or ``verify``.
        async_http_client: The same for the async methods.
        system_prompt: Put first by ``predict``, query engines and agents; not by ``chat``.
        callback_manager: LlamaIndex's callbacks; default none.

    Raises:
        UsageError: There is no token, or it cannot be one; a setting has an impossible value, or
            an unknown option is or holds a credential.

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

    # --- chat -----------------------------------------------------------------------------------

    @_chat_events
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answers a conversation.

        Args:
            messages: The conversation; it is not changed.
            kwargs: Options of this call, such as ``temperature``, ``stop`` or ``tools``.

        Returns:
            The answer. ``raw`` is xAI's body as it came; ``additional_kwargs`` has the token counts
            (reasoning is part of the completion), ``cost_usd`` and ``finish_reason``. The message
            may go back with the next question as it is, also out of a store: what xAI must see
            again, encrypted thoughts among it, is in its ``additional_kwargs``. Sources are
            ``CitationBlock``s, pictures ``ImageBlock``s; tools that xAI ran are in
            ``additional_kwargs["built_in_tool_calls"]``.

        Raises:
            UsageError: The request cannot be made; nothing was sent.
            XAILowCodeError: The call failed; see ``xai_lowcode.errors``.
        """
        return self._chat(messages, **kwargs)

    @_chat_events
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answers a conversation; see ``chat``."""
        return await self._achat(messages, **kwargs)

    @_chat_events
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answers a conversation piece by piece.

        Args:
            messages: The conversation; it is not changed.
            kwargs: Options of this call.

        Returns:
            A generator of responses: ``delta`` is the new text, ``message`` all so far,
            ``additional_kwargs["thinking_delta"]`` the new thought. The last one has no new text
            and equals the answer of ``chat``. Closing the generator closes the connection.

        Raises:
            UsageError: The request cannot be made; nothing was sent.
            XAILowCodeError: The call failed, or the stream broke off; raised while iterating.
        """
        return self._stream_chat(messages, **kwargs)

    @_chat_events
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answers a conversation piece by piece; a coroutine that returns an async generator."""
        return await self._astream_chat(messages, **kwargs)

    # --- completion -----------------------------------------------------------------------------

    @_completion_events
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answers a prompt, sent as the message of a user.

        Args:
            prompt: The prompt.
            formatted: Whether ``completion_to_prompt`` was applied already.
            kwargs: Options of this call; see ``chat``.
        """
        return to_completion(self._chat(self._prompted(prompt, formatted), **kwargs))

    @_completion_events
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Answers a prompt; see ``complete``."""
        return to_completion(await self._achat(self._prompted(prompt, formatted), **kwargs))

    @_completion_events
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Answers a prompt piece by piece; see ``complete`` and ``stream_chat``."""
        return iter_completions(self._stream_chat(self._prompted(prompt, formatted), **kwargs))

    @_completion_events
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Answers a prompt piece by piece; a coroutine that returns an async generator."""
        return aiter_completions(
            await self._astream_chat(self._prompted(prompt, formatted), **kwargs)
        )

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
        """The arguments of ``chat`` that offer tools."""
        messages = list(chat_history or ())
        if user_msg is not None:
            message = ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg
            messages.append(message)
        choice = kwargs.pop("tool_choice", None) or ("required" if tool_required else None)
        if tools:
            kwargs["tools"] = render_tools(tools, clean=self.cleans_schemas(kwargs))
            kwargs["parallel_tool_calls"] = allow_parallel_tool_calls
            if choice is not None:
                kwargs["tool_choice"] = choice
        return {"messages": messages, **kwargs}

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,
        **_kwargs: Any,
    ) -> list[ToolSelection]:
        """The tool calls of an answer, with their arguments as dicts.

        Args:
            response: The answer, or one response of a stream.
            error_on_no_tool_call: Whether an answer without calls is an error.

        Raises:
            ValueError: There are no calls.
        """
        selections = to_selections(response.message)
        if error_on_no_tool_call and not selections:
            raise ValueError(
                f"Expected a tool call, but the model said {response.message.content!r}."
            )
        return selections

    # --- inside: without events, so that a completion is not counted as a chat as well ----------

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        deferral = self._deferral(kwargs)
        question = self._question(messages, kwargs)
        return to_response(self._gateway().generate(question.request, deferral), question)

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        deferral = self._deferral(kwargs)
        question = await self._aquestion(messages, kwargs)
        return to_response(await self._gateway().agenerate(question.request, deferral), question)

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        self._refuse_deferral(kwargs)
        question = self._question(messages, kwargs)
        return iter_responses(self._gateway().stream(question.request), ResponseBuilder(question))

    async def _astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        self._refuse_deferral(kwargs)
        question = await self._aquestion(messages, kwargs)
        return aiter_responses(self._gateway().astream(question.request), ResponseBuilder(question))

    def _question(self, messages: Sequence[ChatMessage], wishes: dict[str, Any]) -> PreparedRequest:
        fields = {**self._options(), "server_tools": self.server_tools}
        return prepare_request(self.model, messages, fields, self.additional_kwargs, wishes)

    async def _aquestion(
        self, messages: Sequence[ChatMessage], wishes: dict[str, Any]
    ) -> PreparedRequest:
        if reads_files(messages):
            return await asyncio.to_thread(self._question, messages, wishes)
        return self._question(messages, wishes)

    def _refuse_deferral(self, wishes: dict[str, Any]) -> None:
        if self._deferral(wishes) is not None:
            raise UsageError(
                "deferred: a stream cannot be deferred.",
                field="deferred",
                hint="Use chat or complete, or an agent with streaming=False.",
            )

    def _deferral(self, wishes: dict[str, Any]) -> PollingOptions | None:
        return parse_polling(wishes.pop("deferred", self.deferred))

    def _prompted(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]
