"""A chat model behind the gateway: request in, reply or events out.

Leaves out what a model is known to refuse, speaks the dialect that fits, enforces stop strings.
Both adapters stand on this one class, and differ only in the words of their framework.
"""

import warnings
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from xai_lowcode._internal import json
from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.dialect_selection import select_dialect
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.profiles import get_profile, parse_rejected_option
from xai_lowcode.chat.stop_sequences import truncate_response
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.errors import APIStatusError, BadRequestError, XAILowCodeError
from xai_lowcode.protocol.call_flow import call_flow, wait_before_retry
from xai_lowcode.protocol.retry import RetryState
from xai_lowcode.protocol.steps import Call, Flow, Success
from xai_lowcode.settings import Settings
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.concurrency import get_rate_limiter, rebuild
from xai_lowcode.transport.config import create_context
from xai_lowcode.transport.response import DONE
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest, PollingOptions
from xai_lowcode.types.responses import ChatResponse

if TYPE_CHECKING:
    from xai_lowcode.api.tokens import TokenCounter

import_before_fork("xai_lowcode.api.deferred", "xai_lowcode.api.tokens")

# Values that leave everything as it is, so that leaving them out needs no word.
_SAYS_NOTHING: dict[str, float] = {
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "parallel_tool_calls": True,
}

_Opening = tuple[Call[Any], StreamReader]


class ChatModel:
    """Asks Grok through the gateway.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.Client`` to use instead of an own one.
        http_async_client: An ``httpx.AsyncClient`` to use instead of own ones.
        rate_limiter: Asked before each request; see ``SyncAPIClient``.
        paid: Whether a framework asks it before it has something generated or streamed, so that
            here it is asked for repeats, for deferred answers and for other endpoints only.

    Attributes:
        client: Makes the sync calls, and may make others on the same connections.
        async_client: Makes the async ones.
        first_attempt_context: What calls have in common for which a framework asked its rate limiter.

    Example:
        >>> from xai_lowcode.types.requests import Message, TextPart
        >>> model = ChatModel(Settings.create())  # doctest: +SKIP
        >>> question = Message("user", (TextPart("Say hello."),))
        >>> request = ChatRequest(model="grok-4.7", messages=(question,))
        >>> model.generate(request).text  # doctest: +SKIP
        'Hello!'
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http_client: Any = None,
        http_async_client: Any = None,
        rate_limiter: Any = None,
        paid: bool = False,
    ) -> None:
        self.settings = settings
        self._session = create_context(settings, rate_limiter)
        self.first_attempt_context = replace(self._session, paid=paid)
        self.client = SyncAPIClient(settings, http_client=http_client, session=self._session)
        self.async_client = AsyncAPIClient(
            settings, http_client=http_async_client, session=self._session
        )
        self._warned: set[tuple[str, str]] = set()
        self._learned: dict[str, frozenset[str]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(type(self), paid=self.first_attempt_context.paid)
        return rebuild, (made, self.settings, get_rate_limiter(self._session))

    @cached_property
    def tokens(self) -> "TokenCounter":
        """Counts tokens, and remembers what it was told."""
        from xai_lowcode.api.tokens import TokenCounter  # noqa: PLC0415 - most programs count none

        return TokenCounter(self.client, self.async_client)

    def generate(
        self, request: ChatRequest, deferral: "PollingOptions | None" = None
    ) -> ChatResponse:
        """Asks, and returns the whole reply.

        Args:
            request: What is asked.
            deferral: How to wait for a deferred answer; None for an answer at once.

        Raises:
            UsageError: The request cannot be made; nothing was sent.
            XAILowCodeError: The call failed; see ``errors``.
        """
        # An interruption ends the flow at once, and with it the progress it shows.
        with closing(self._answer(request, deferral)) as flow:
            return self.client.run(flow)

    async def agenerate(
        self, request: ChatRequest, deferral: "PollingOptions | None" = None
    ) -> ChatResponse:
        """Asks, and returns the whole reply; see ``generate``."""
        with closing(self._answer(request, deferral)) as flow:
            return await self.async_client.run(flow)

    def stream(self, request: ChatRequest) -> Generator[StreamEvent, None, None]:
        """Asks, and returns the events of the reply as they come.

        What is wrong with the request is raised at once, what goes wrong later by the generator.
        An error that the stream reports before any content is retried like a 5xx; afterwards
        nothing is. What was received before a ``StreamInterruptedError`` are the events that were
        yielded. Closing the generator closes the connection.
        """
        return self._read(request, self._opening(request))

    def astream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Asks, and returns the events of the reply as they come; see ``stream``."""
        return self._aread(request, self._opening(request))

    def _read(self, request: ChatRequest, opening: _Opening) -> Generator[StreamEvent, None, None]:
        session, attempts = self.first_attempt_context, self.first_attempt_context.attempts()
        while True:
            call, reader = opening
            try:
                with closing(self.client.stream(call, session, attempts)) as pieces:
                    for piece in pieces:
                        yield from reader.feed(piece)
                        if reader.finished:
                            # What follows a stop string is not read, and its connection dropped.
                            if not reader.stopped:
                                with suppress(StopIteration):
                                    pieces.send(DONE)
                            return
                yield from reader.close()
            except XAILowCodeError as error:
                # No frame of the error is to hold what was read: it may quote the token.
                piece = b""
                self.client.run(self._before_next(request, opening, attempts, error))
                opening, session = self._opening(request), self._session
            else:
                return

    async def _aread(
        self, request: ChatRequest, opening: _Opening
    ) -> AsyncGenerator[StreamEvent, None]:
        session, attempts = self.first_attempt_context, self.first_attempt_context.attempts()
        while True:
            call, reader = opening
            try:
                async with aclosing(self.async_client.stream(call, session, attempts)) as pieces:
                    try:
                        async for piece in pieces:
                            for event in reader.feed(piece):
                                yield event
                            if reader.finished:
                                await _finish_stream(pieces, reader)
                                return
                    except XAILowCodeError:
                        await _finish_stream(pieces, reader)
                        raise
                for event in reader.close():
                    yield event
            except XAILowCodeError as error:
                # No frame of the error is to hold what was read: it may quote the token.
                piece = b""
                await self.async_client.run(self._before_next(request, opening, attempts, error))
                opening, session = self._opening(request), self._session
            else:
                return

    def _before_next(
        self, request: ChatRequest, opening: _Opening, attempts: RetryState, error: XAILowCodeError
    ) -> Flow[None]:
        """Do what precedes the next attempt at a stream that failed; raise if there is none."""
        call, reader = opening
        if not self._may_ask_again(request, reader, error):
            failed = error.redact_token(self._session.token).with_traceback(None)
            if not isinstance(failed, APIStatusError) or not reader.failed_before_content(failed):
                raise failed from error.__cause__
            yield from wait_before_retry(call, self._session, attempts, failed)

    def _answer(
        self, request: ChatRequest, deferral: "PollingOptions | None"
    ) -> Flow[ChatResponse]:
        if deferral is not None:
            request = replace(request, deferred=True)
        dialect = select_dialect(request)
        session, attempts = self.first_attempt_context, self.first_attempt_context.attempts()
        while True:
            accepted = self._accepted(request, dialect)
            call = _build_call(dialect, accepted, stream=False)
            try:
                settled = yield from call_flow(call, session, attempts)
            except BadRequestError as refusal:
                if not self._learn(request, refusal):
                    raise
            else:
                settled = yield from self._collected(settled, deferral)
                try:
                    reply = self._session.read(partial(_parse_response, dialect), settled)
                except APIStatusError as failure:
                    # A response that failed: xAI reports it with status 200.
                    if not self._refuses_option(request, failure):
                        yield from wait_before_retry(call, self._session, attempts, failure)
                else:
                    break
            session = self._session
        reply = replace(reply, headers=settled.headers)
        stops = _client_side_stops(request, accepted)
        return truncate_response(reply, stops) if stops else reply

    def _collected(self, settled: Success, deferral: "PollingOptions | None") -> Flow[Success]:
        if deferral is None or _is_completion(settled.body):
            return settled
        from xai_lowcode.api.deferred import poll, request_id_of  # noqa: PLC0415 - few wait for it

        ticket = request_id_of(settled, self._session)
        return (yield from poll(ticket, deferral, self._session))

    def _opening(self, request: ChatRequest) -> _Opening:
        dialect = select_dialect(request)
        accepted = self._accepted(request, dialect)
        reader = StreamReader(
            dialect,
            token=self._session.token,
            stops=_client_side_stops(request, accepted),
            answers=request.n or 1,
        )
        return _build_call(dialect, accepted, stream=True), reader

    def _accepted(self, request: ChatRequest, dialect: Dialect) -> ChatRequest:
        """The request without what its model, or the wire form, does not take.

        Stop strings go without a word, since they are enforced here.
        """
        refuses = get_profile(request.model).refuses | self._learned.get(request.model, frozenset())
        unset: dict[str, Any] = {}
        for name in refuses | dialect.unsupported:
            # A zero too: the model refuses the name, whatever the figure.
            value = getattr(request, name)
            if value not in (None, ()):
                unset[name] = () if name == "stop" else None
                if name != "stop" and value != _SAYS_NOTHING.get(name):
                    self._warn(request.model if name in refuses else dialect.name, name)
        return replace(request, **unset) if unset else request

    def _may_ask_again(
        self, request: ChatRequest, reader: StreamReader, error: XAILowCodeError
    ) -> bool:
        return not reader.begun and self._refuses_option(request, error)

    def _refuses_option(self, request: ChatRequest, error: XAILowCodeError) -> bool:
        return isinstance(error, BadRequestError) and self._learn(request, error)

    def _learn(self, request: ChatRequest, refusal: BadRequestError) -> bool:
        """Remembers what a model said it does not take; whether asking again without it may help.

        The refused request was not carried out, so asking again is no second answer.
        """
        option = parse_rejected_option(refusal.message)
        if option is None or getattr(request, option) in (None, ()):
            return False
        known = self._learned.get(request.model, frozenset())
        self._learned[request.model] = known | {option}
        return option not in known

    def _warn(self, who: str, name: str) -> None:
        if (who, name) not in self._warned:
            self._warned.add((who, name))
            warnings.warn(f"{who} refuses {name}: it is not sent.", UserWarning, stacklevel=2)


async def _finish_stream(pieces: AsyncGenerator[bytes, bool | None], reader: StreamReader) -> None:
    """Ends a stream while there is time to do it properly, unless it was cut at a stop string."""
    if not reader.stopped:
        with suppress(StopAsyncIteration, XAILowCodeError):
            await pieces.asend(DONE)


def _parse_response(dialect: Dialect, body: Any) -> ChatResponse:
    return dialect.parse(dialect.operation.parse(body))


def _is_completion(body: Any) -> bool:
    """Whether a gateway that does not know of deferred answers gave one at once."""
    return isinstance(body, dict) and "choices" in body


def _client_side_stops(request: ChatRequest, accepted: ChatRequest) -> tuple[str, ...]:
    """The stop strings that are left to us."""
    return () if accepted.stop else tuple(request.stop)


def _build_call(dialect: Dialect, request: ChatRequest, *, stream: bool) -> Call[Any]:
    body = json.dumps(dialect.render(request, stream=stream))
    return Call(dialect.operation, body, stream=stream)
