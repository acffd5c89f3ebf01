"""A chat model behind the gateway: request in, reply or events out.

Chooses the dialect, leaves out what a model is known to refuse, enforces stop strings. Both
adapters stand on this one class, and differ only in the words of their framework.
"""

import warnings
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

from xai_lowcode import codec
from xai_lowcode.conversation import ChatRequest
from xai_lowcode.deferred import Deferral, collect, ticket_of
from xai_lowcode.dialects import Dialect
from xai_lowcode.dialects.chat_completions import ChatCompletions
from xai_lowcode.dialects.messages import Messages
from xai_lowcode.dialects.responses import Responses
from xai_lowcode.errors import UsageError
from xai_lowcode.events import StreamEvent
from xai_lowcode.exchange import Call, Flow, exchange
from xai_lowcode.gateway import AsyncGateway, Gateway
from xai_lowcode.profiles import profile_of
from xai_lowcode.reply import Reply
from xai_lowcode.settings import Settings
from xai_lowcode.stop import cut_reply
from xai_lowcode.streams import StreamReader
from xai_lowcode.transport import session_of

_DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (ChatCompletions(), Messages(), Responses())
}

# What only responses can carry, so that asking for it chooses them.
RESPONSES_ONLY = (
    "server_tools",
    "previous_response_id",
    "store",
    "include",
    "reasoning_summary",
    "max_turns",
)


class GatewayModel:
    """Asks Grok through the gateway.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.Client`` to use instead of an own one.
        http_async_client: An ``httpx.AsyncClient`` to use instead of own ones.

    Attributes:
        client: For any other endpoint, sync.
        async_client: For any other endpoint, async.

    Example:
        >>> from xai_lowcode.conversation import Message, TextPart
        >>> model = GatewayModel(Settings.create())  # doctest: +SKIP
        >>> question = Message("user", (TextPart("Say hello."),))
        >>> request = ChatRequest(model="grok-4.7", messages=(question,))
        >>> model.generate(request).text  # doctest: +SKIP
        'Hello!'
    """

    def __init__(
        self, settings: Settings, *, http_client: Any = None, http_async_client: Any = None
    ) -> None:
        self.settings = settings
        self._session = session_of(settings)
        self.client = Gateway(settings, http_client=http_client, session=self._session)
        self.async_client = AsyncGateway(
            settings, http_client=http_async_client, session=self._session
        )
        self._warned: set[tuple[str, str]] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    def generate(self, request: ChatRequest, deferral: Deferral | None = None) -> Reply:
        """Asks, and returns the whole reply.

        Args:
            request: What is asked.
            deferral: How to wait for a deferred answer; None for an answer at once.

        Raises:
            UsageError: The request cannot be made; nothing was sent.
            XAILowCodeError: The call failed; see ``errors``.
        """
        return self.client.run(self._answer(request, deferral))

    async def agenerate(self, request: ChatRequest, deferral: Deferral | None = None) -> Reply:
        """Asks, and returns the whole reply; see ``generate``."""
        return await self.async_client.run(self._answer(request, deferral))

    def stream(self, request: ChatRequest) -> Generator[StreamEvent, None, None]:
        """Asks, and returns the events of the reply as they come.

        What is wrong with the request is raised at once, what goes wrong later by the generator.
        Closing the generator closes the connection.
        """
        call, reader = self._opening(request)
        return self._read(call, reader)

    def astream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Asks, and returns the events of the reply as they come; see ``stream``."""
        call, reader = self._opening(request)
        return self._aread(call, reader)

    def _read(self, call: Call[Any], reader: StreamReader) -> Generator[StreamEvent, None, None]:
        with closing(self.client.stream(call)) as pieces:
            for piece in pieces:
                yield from reader.feed(piece)
                if reader.finished:
                    return
        yield from reader.close()

    async def _aread(
        self, call: Call[Any], reader: StreamReader
    ) -> AsyncGenerator[StreamEvent, None]:
        async with aclosing(self.async_client.stream(call)) as pieces:
            async for piece in pieces:
                for event in reader.feed(piece):
                    yield event
                if reader.finished:
                    return
        for event in reader.close():
            yield event

    def _answer(self, request: ChatRequest, deferral: Deferral | None) -> Flow[Reply]:
        if deferral is not None:
            request = replace(request, deferred=True)
        dialect = self._dialect(request)
        accepted = self._accepted(request, dialect)
        settled = yield from exchange(_call(dialect, accepted, stream=False), self._session)
        if deferral is not None and not _is_answered(settled.body):
            ticket = ticket_of(settled, self._session)
            settled = yield from collect(ticket, deferral, self._session)
        with self._session.redacting():
            reply = dialect.parse(dialect.operation.parse(settled.body))
        reply = replace(reply, headers=settled.headers)
        stops = _own_stops(request, accepted)
        return cut_reply(reply, stops) if stops else reply

    def _opening(self, request: ChatRequest) -> tuple[Call[Any], StreamReader]:
        dialect = self._dialect(request)
        accepted = self._accepted(request, dialect)
        reader = StreamReader(
            dialect,
            token=self._session.token,
            stops=_own_stops(request, accepted),
            answers=request.n or 1,
        )
        return _call(dialect, accepted, stream=True), reader

    def _dialect(self, request: ChatRequest) -> Dialect:
        """The wire form: the one asked for, else chat completions unless they cannot carry it."""
        needed = [name for name in RESPONSES_ONLY if getattr(request, name) not in (None, ())]
        if request.api in {"chat_completions", "messages"} and needed:
            raise UsageError(
                f"{needed[0]}: {request.api} have nothing like it.",
                field=needed[0],
                hint="Leave api out, or set it to 'responses'.",
            )
        if request.api == "auto":
            return _DIALECTS["responses" if needed else "chat_completions"]
        return _DIALECTS[request.api]

    def _accepted(self, request: ChatRequest, dialect: Dialect) -> ChatRequest:
        """The request without what its model, or the wire form, does not take.

        Stop strings go without a word, since they are enforced here.
        """
        refuses = profile_of(request.model).refuses
        unset: dict[str, Any] = {}
        for name in refuses | dialect.unsupported:
            # A zero too: the model refuses the name, whatever the figure.
            if getattr(request, name) not in (None, ()):
                unset[name] = () if name == "stop" else None
                if name != "stop" and getattr(request, name):
                    self._warn(request.model if name in refuses else dialect.name, name)
        return replace(request, **unset) if unset else request

    def _warn(self, who: str, name: str) -> None:
        if (who, name) not in self._warned:
            self._warned.add((who, name))
            warnings.warn(f"{who} refuses {name}: it is not sent.", UserWarning, stacklevel=2)


def _is_answered(body: Any) -> bool:
    """Whether a gateway that does not know of deferred answers gave one at once."""
    return isinstance(body, dict) and "choices" in body


def _own_stops(request: ChatRequest, accepted: ChatRequest) -> tuple[str, ...]:
    """The stop strings that are left to us."""
    return () if accepted.stop else tuple(request.stop)


def _call(dialect: Dialect, request: ChatRequest, *, stream: bool) -> Call[Any]:
    body = codec.dump(dialect.render(request, stream=stream))
    return Call(dialect.operation, body, stream=stream)
