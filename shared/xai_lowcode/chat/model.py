"""A chat model behind the gateway: chat requests in, chat responses or stream events out.

It drops options that the model rejects, selects the dialect, and enforces stop sequences. Both
adapters use this class and convert their framework's types only.
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    aclosing,
    closing,
    suppress,
)
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from xai_lowcode._internal import json
from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode._internal.validation import check_type
from xai_lowcode.chat.dialect_selection import (
    RejectionScope,
    detect_dialect,
    find_rejection,
    record_served,
    select_dialect,
    to_chat_completions,
)
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.openai_format import adapt_server_tool
from xai_lowcode.chat.profiles import get_effort_hint, get_profile, parse_rejected_option
from xai_lowcode.chat.rejected_schemas import RelaxedSchemas
from xai_lowcode.chat.reserved_names import ReservedNames, restore_response
from xai_lowcode.chat.stored_responses import (
    without_rejected_items,
    without_rejected_reasoning,
    without_stored,
)
from xai_lowcode.chat.unsupported_parts import render_request
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    InvalidResponseError,
    XAILowCodeError,
)
from xai_lowcode.protocol.call_flow import call_flow, wait_before_retry
from xai_lowcode.protocol.retry import RetryState
from xai_lowcode.protocol.steps import Call, Flow, Success
from xai_lowcode.settings import ClientOptions, RateLimiter, Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.concurrency import RequestLimits
from xai_lowcode.transport.config import create_context
from xai_lowcode.transport.rate_limit import rebuild_client
from xai_lowcode.transport.response import DONE
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.messages import MIN_UPLOAD_SIZE, ImagePart, Message, ToolResultPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions, ServerTool
from xai_lowcode.types.responses import ChatResponse

if TYPE_CHECKING:
    import httpx

    from xai_lowcode.api.tokens import TokenCounter
    from xai_lowcode.chat.stream_reader import StreamReader
    from xai_lowcode.types.events import StreamEvent

M = TypeVar("M")

import_before_fork(
    "xai_lowcode.api.deferred",
    "xai_lowcode.api.documents",
    "xai_lowcode.api.tokens",
    "xai_lowcode.chat.stop_sequences",
    "xai_lowcode.chat.stream_reader",
)

# Values that do not change the response, so that dropping them needs no warning.
_NEUTRAL_VALUES: dict[str, float] = {
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "parallel_tool_calls": True,
    "stream_usage": True,
    "use_encrypted_content": True,
}

_StreamRequest = tuple[Call[Any], "StreamReader", ChatRequest]

# Options that are added to requests of callers who have not set them.
_ADDED_OPTIONS = frozenset({"stream_usage", "use_encrypted_content"})


class ChatModel:
    """Grok behind the gateway, for requests of any model name.

    Args:
        settings: Token, base URL, timeouts, retries; default: created from ``options``.
        http_client: An ``httpx.Client`` to send with instead of an own connection pool.
        http_async_client: An ``httpx.AsyncClient`` for the async methods.
        rate_limiter: Asked before each request; see ``SyncAPIClient``.
        rate_limited_by_framework: Whether the framework asks the rate limiter before ``generate``
            and ``stream``. It is then asked here for retries, polling and other endpoints only.
        options: ``api_token``, ``base_url``, ``timeout`` and the other arguments of
            ``Settings.create``; default: those of the environment.

    Attributes:
        client: The sync client, also for other endpoints on the same connections.
        async_client: The async client.
        context: The context of calls before which the framework asks its rate limiter.

    Example:
        >>> from xai_lowcode import ChatModel, ChatRequest, Message
        >>> model = ChatModel(api_token="at_r0123456789abcdef")
        >>> message = Message.from_text("user", "Say hello.")
        >>> request = ChatRequest(model="grok-4.7", messages=[message])
        >>> model.generate(request).text  # doctest: +SKIP
        'Hello!'
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        http_client: "httpx.Client | None" = None,
        http_async_client: "httpx.AsyncClient | None" = None,
        rate_limiter: RateLimiter | None = None,
        rate_limited_by_framework: bool = False,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.settings = settings = Settings.of(settings, options)
        self._context = create_context(settings)
        self.context = replace(self._context, rate_limited_by_framework=rate_limited_by_framework)
        shared: dict[str, Any] = {
            "context": self._context,
            "limits": RequestLimits(settings.max_concurrency, rate_limiter),
        }
        self._http_clients = {"http_client": http_client, "http_async_client": http_async_client}
        self.client = SyncAPIClient(settings, http_client=http_client, **shared)
        self.async_client = AsyncAPIClient(settings, http_client=http_async_client, **shared)
        self._warned: set[str] = set()
        self._rejected: dict[str, frozenset[str]] = {}
        self._relaxed_schemas = RelaxedSchemas()
        self._reserved_names = ReservedNames()

    def __reduce__(self) -> tuple[Any, ...]:
        rate_limited = self.context.rate_limited_by_framework
        kind = partial(type(self), rate_limited_by_framework=rate_limited)
        return rebuild_client, (kind, self.settings, self.client.limits.rate_limiter)

    def __copy__(self) -> Self:
        rebuild, arguments = self.__reduce__()
        copied: Self = rebuild(*arguments, **self._http_clients)
        return copied

    def __deepcopy__(self, _memo: object) -> Self:
        return self.__copy__()

    @cached_property
    def tokens(self) -> "TokenCounter":
        """Counts tokens with the service's tokenizer, and caches the counts."""
        from xai_lowcode.api.tokens import TokenCounter  # noqa: PLC0415 - most programs count none

        return TokenCounter(self.client, self.async_client)

    def generate(self, request: ChatRequest, polling: PollingOptions | None = None) -> ChatResponse:
        """Send a request and return its response.

        Args:
            request: The request.
            polling: How to poll for a deferred completion; None for a request that is not deferred.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            XAILowCodeError: The call failed; see ``errors``.
        """
        # An interruption ends the flow at once, and with it the progress it displays.
        with closing(self._generate(request, polling)) as flow:
            return self.client.execute(flow)

    async def agenerate(
        self, request: ChatRequest, polling: PollingOptions | None = None
    ) -> ChatResponse:
        """Send a request and return its response; see ``generate``."""
        with closing(self._generate(request, polling)) as flow:
            return await self.async_client.execute(flow)

    def stream(self, request: ChatRequest) -> "Generator[StreamEvent, None, None]":
        """Send a request and return the events of its response as they arrive.

        An invalid request raises at once, everything else raises while iterating. An error that the
        stream reports before any content is retried like a 5xx; later errors are not. Closing the
        generator closes the connection.

        Raises:
            UsageError: The request is invalid; nothing was sent.
            StreamInterruptedError: The stream ended early. The events before it are what was
                received.
            XAILowCodeError: The call failed; see ``errors``.
        """
        return self._stream(request, self._prepare_stream(request))

    def astream(self, request: ChatRequest) -> "AsyncGenerator[StreamEvent, None]":
        """Send a request and return the events of its response; see ``stream``."""
        return self._astream(request, self._prepare_stream(request))

    def upload_documents(
        self, messages: Sequence[M], *, min_size: int = MIN_UPLOAD_SIZE, **options: Any
    ) -> AbstractContextManager[list[M]]:
        """Upload the large documents of messages, and delete them at the end.

        Args:
            messages: The messages; they are not changed.
            min_size: Bytes from which a document is uploaded. Smaller ones stay in the messages.
            options: See ``xai_lowcode.api.documents.upload_documents``.

        Returns:
            A context manager that returns the messages with the ids of the uploaded documents.
        """
        from xai_lowcode.api.documents import upload_documents  # noqa: PLC0415 - rarely needed

        return upload_documents(self.client, messages, min_size=min_size, **options)

    def aupload_documents(
        self, messages: Sequence[M], *, min_size: int = MIN_UPLOAD_SIZE, **options: Any
    ) -> AbstractAsyncContextManager[list[M]]:
        """Upload the large documents of messages; see ``upload_documents``."""
        from xai_lowcode.api.documents import aupload_documents  # noqa: PLC0415 - rarely needed

        return aupload_documents(self.async_client, messages, min_size=min_size, **options)

    def _stream(
        self, request: ChatRequest, prepared: _StreamRequest
    ) -> "Generator[StreamEvent, None, None]":
        context, retry_state = self.context, self.context.new_retry_state()
        rejected_by: list[RejectionScope] = []
        while True:
            call, reader, _ = prepared
            try:
                with closing(self.client.stream(call, context, retry_state)) as chunks:
                    for chunk in chunks:
                        yield from reader.feed(chunk)
                        if reader.finished:
                            # After a stop sequence the rest is not read: the connection closes.
                            if not reader.stopped:
                                with suppress(StopIteration):
                                    chunks.send(DONE)
                            self._record_served(reader.dialect, rejected_by)
                            return
                yield from reader.close()
            except XAILowCodeError as error:
                # The frames of the error must not hold the chunk: it may quote the token.
                chunk = b""
                flow = self._before_retry(request, prepared, retry_state, error, rejected_by)
                request = self.client.execute(flow)
                prepared, context = self._prepare_stream(request), self._context
            else:
                self._record_served(reader.dialect, rejected_by)
                return

    async def _astream(
        self, request: ChatRequest, prepared: _StreamRequest
    ) -> "AsyncGenerator[StreamEvent, None]":
        context, retry_state = self.context, self.context.new_retry_state()
        rejected_by: list[RejectionScope] = []
        while True:
            call, reader, _ = prepared
            try:
                async with aclosing(self.async_client.stream(call, context, retry_state)) as chunks:
                    try:
                        async for chunk in chunks:
                            for event in reader.feed(chunk):
                                yield event
                            if reader.finished:
                                await _finish_stream(chunks, reader)
                                self._record_served(reader.dialect, rejected_by)
                                return
                    except XAILowCodeError:
                        await _finish_stream(chunks, reader)
                        raise
                for event in reader.close():
                    yield event
            except XAILowCodeError as error:
                # The frames of the error must not hold the chunk: it may quote the token.
                chunk = b""
                flow = self._before_retry(request, prepared, retry_state, error, rejected_by)
                request = await self.async_client.execute(flow)
                prepared, context = self._prepare_stream(request), self._context
            else:
                self._record_served(reader.dialect, rejected_by)
                return

    def _before_retry(
        self,
        request: ChatRequest,
        prepared: _StreamRequest,
        retry_state: RetryState,
        error: XAILowCodeError,
        rejected_by: list[RejectionScope],
    ) -> Flow[ChatRequest]:
        """Wait before a failed stream is requested again; raise the error if it is not.

        Returns:
            The request to send.
        """
        call, reader, sent = prepared
        revised = None
        if not reader.response_started:
            revised = self._revise(request, sent, reader.dialect, error, rejected_by)
        if revised is not None:
            return revised
        failure = error.redact_token(self._context.token).with_traceback(None)
        if not isinstance(failure, APIStatusError) or not reader.failed_before_content(failure):
            raise failure from error.__cause__
        yield from wait_before_retry(call, self._context, retry_state, failure)
        return request

    def _generate(self, request: ChatRequest, polling: PollingOptions | None) -> Flow[ChatResponse]:
        check_type("request", request, ChatRequest)
        if polling is not None:
            check_type("polling", polling, PollingOptions)
            request = replace(request, deferred=True)
        rejected_by: list[RejectionScope] = []
        context, retry_state = self.context, self.context.new_retry_state()
        while True:
            dialect = select_dialect(request, self.settings.base_url)
            supported = self._drop_unsupported(request, dialect)
            sent, names = self._reserved_names.replace(supported)
            call = _build_call(dialect, sent, stream=False)
            try:
                success = yield from call_flow(call, context, retry_state)
            except APIStatusError as error:
                revised = self._revise(request, supported, dialect, error, rejected_by)
                if revised is None:
                    raise
                request = revised
            else:
                success = yield from self._poll(success, polling)
                try:
                    response = self._context.parse(partial(_parse_response, dialect), success)
                except APIStatusError as error:
                    # A response that failed: xAI reports it with status 200.
                    revised = self._revise(request, supported, dialect, error, rejected_by)
                    if revised is None:
                        yield from wait_before_retry(call, self._context, retry_state, error)
                    request = revised or request
                else:
                    break
            context = self._context
        self._record_served(dialect, rejected_by)
        response = replace(restore_response(response, names), headers=success.headers)
        stops = _client_side_stops(request, supported)
        if not stops:
            return response
        from xai_lowcode.chat.stop_sequences import truncate_response  # noqa: PLC0415 - rarely needed

        return truncate_response(response, stops)

    def _poll(self, success: Success, polling: PollingOptions | None) -> Flow[Success]:
        if polling is None or _is_completion(success.body):
            return success
        from xai_lowcode.api.deferred import parse_request_id, poll  # noqa: PLC0415 - rarely needed

        request_id = parse_request_id(success, self._context)
        return (yield from poll(request_id, polling, self._context))

    def _prepare_stream(self, request: ChatRequest) -> _StreamRequest:
        from xai_lowcode.chat.stream_reader import StreamReader  # noqa: PLC0415 - many programs do not stream

        check_type("request", request, ChatRequest)
        dialect = select_dialect(request, self.settings.base_url)
        supported = self._drop_unsupported(request, dialect)
        sent, names = self._reserved_names.replace(supported)
        reader = StreamReader(
            dialect,
            token=self._context.token,
            stops=_client_side_stops(request, supported),
            choices=request.n or 1,
            tool_names=names,
        )
        return _build_call(dialect, sent, stream=True), reader, supported

    def _drop_unsupported(self, request: ChatRequest, dialect: Dialect) -> ChatRequest:
        """Return the request without options and constraints that are not supported.

        Stop sequences are dropped without a warning, since they are enforced client-side.
        """
        request = self._relaxed_schemas.apply(request)
        if request.is_stored:
            self._warn_of_stored_images(request)
        rejected = get_profile(request.model).unsupported | self._rejected.get(
            request.model, frozenset()
        )
        dropped: dict[str, Any] = {}
        if request.server_tools:
            dropped["server_tools"] = tuple(map(self._adapt_server_tool, request.server_tools))
        for name in rejected | dialect.unsupported:
            # Neutral values too: the model rejects the name, whatever the value.
            value = getattr(request, name)
            if value not in (None, ()):
                dropped[name] = () if name == "stop" else None
                if name != "stop" and value != _NEUTRAL_VALUES.get(name):
                    self._warn_not_sent(request.model if name in rejected else dialect.name, name)
        return replace(request, **dropped) if dropped else request

    def _adapt_server_tool(self, tool: ServerTool) -> ServerTool:
        adapted, omitted = adapt_server_tool(tool)
        for name in omitted:
            self._warn_not_sent(tool.type, name)
        return adapted

    def _warn_of_stored_images(self, request: ChatRequest) -> None:
        if any(map(_has_image, request.messages[request.stored_messages :])):
            self._warn(
                "store: the messages contain images, and xAI advises store=False for requests with"
                " images."
            )

    def _revise(
        self,
        request: ChatRequest,
        sent: ChatRequest,
        dialect: Dialect,
        error: XAILowCodeError,
        rejected_by: list[RejectionScope],
    ) -> ChatRequest | None:
        """Return the request to send instead of one that was rejected; None if there is none.

        The rejected request was not processed, so sending another one is not billed twice.

        Args:
            request: The request of the caller.
            sent: The request that was sent, with the caller's names of the tools.
            dialect: Its dialect.
            error: Its error.
            rejected_by: What does not serve Responses is appended.
        """
        if isinstance(error, BadRequestError):
            if self._record_rejection(sent, error) or self._reserved_names.record(sent, error):
                return request
            effort_hint = get_effort_hint(sent.model, sent.reasoning_effort, error.message)
            error.hint = error.hint or effort_hint
            revised = (
                self._relaxed_schemas.revise(request, sent, error)
                or without_rejected_reasoning(request, error)
                or without_rejected_items(request, error)
            )
            if revised is not None:
                return revised
        if dialect.name == "responses":
            subject = find_rejection(request, self.settings.base_url, error)
            if subject is not None and (revised := to_chat_completions(request)):
                rejected_by.append(subject)
                return revised
        return without_stored(request, error)

    def _record_rejection(self, sent: ChatRequest, error: BadRequestError) -> bool:
        """Record an option that the model rejected; return whether to retry without it."""
        option = parse_rejected_option(error.message)
        if option is None:
            return False
        value = getattr(sent, option)
        if value is None or value == () or (value is False and option in _ADDED_OPTIONS):
            return False
        rejected = self._rejected.get(sent.model, frozenset())
        self._rejected[sent.model] = rejected | {option}
        return True

    def _record_served(self, dialect: Dialect, rejected_by: list[RejectionScope]) -> None:
        record_served(self.settings.base_url, dialect, rejected_by[-1] if rejected_by else None)

    def _warn_not_sent(self, subject: str, name: str) -> None:
        self._warn(f"{name}: not supported by {subject}; it is not sent.")

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            warn_user(text)


def _has_image(message: Message) -> bool:
    """Return whether a message that is not the model's contains an image."""
    return message.role != "assistant" and any(
        isinstance(part, ImagePart)
        or (
            isinstance(part, ToolResultPart) and any(isinstance(p, ImagePart) for p in part.content)
        )
        for part in message.parts
    )


async def _finish_stream(
    chunks: AsyncGenerator[bytes, bool | None], reader: "StreamReader"
) -> None:
    """Wait briefly for the end of a stream, unless it was truncated at a stop sequence."""
    if not reader.stopped:
        with suppress(StopAsyncIteration, XAILowCodeError):
            await chunks.asend(DONE)


def _parse_response(dialect: Dialect, body: Any) -> ChatResponse:
    dialect = detect_dialect(dialect, body)
    body = dialect.endpoint.parse(body)
    response = dialect.parse(body)
    if (status := body.get("status")) and not dialect.is_complete(body):
        raise InvalidResponseError(
            f"The response is not complete: its status is {status!r}.",
            body=body,
            hint="Send the request again, or stream it.",
        )
    return response


def _is_completion(body: Any) -> bool:
    """Return whether a gateway without deferred completions returned the completion at once."""
    return isinstance(body, dict) and "choices" in body


def _client_side_stops(request: ChatRequest, supported: ChatRequest) -> tuple[str, ...]:
    """Return the stop sequences to enforce here, because they are not sent."""
    return () if supported.stop else tuple(request.stop)


def _build_call(dialect: Dialect, request: ChatRequest, *, stream: bool) -> Call[Any]:
    body = json.dumps(render_request(dialect, request, stream=stream))
    return Call(dialect.endpoint, body, stream=stream)
