"""The async client: performs the steps of a call flow; see ``sync_client``."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from xai_lowcode._internal import json
from xai_lowcode._internal.validation import check_http_client
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse, call_flow
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.retry import RetryState
from xai_lowcode.protocol.steps import (
    AcquireSlot,
    Call,
    Flow,
    Outcome,
    RunBlocking,
    SendRequest,
    Sleep,
)
from xai_lowcode.settings import Settings
from xai_lowcode.transport.concurrency import NO_SLOT, Slot, get_rate_limiter, rebuild
from xai_lowcode.transport.config import TransportConfig, create_context
from xai_lowcode.transport.exceptions import (
    failed_attempt,
    map_stream_exception,
    strip_tracebacks,
)
from xai_lowcode.transport.request_builder import RequestBuilder
from xai_lowcode.transport.response import (
    DONE,
    BodyLimits,
    abort,
    read_response,
    should_stream_body,
    stream_started,
)

T = TypeVar("T")

# A stream to be read: its response, the limits of its body, and its concurrency slot.
OpenStream = tuple[Any, BodyLimits, Slot]


class AsyncAPIClient:
    """Calls the gateway's endpoints from coroutines.

    One connection pool per running event loop, made on first use and closed with the loop, so that
    one client serves several ``asyncio.run``. A pickled or copied client has the same settings and
    pools of its own.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.AsyncClient`` to send with instead of own ones; it stays yours.
        session: What its calls have in common, to share it between clients of one gateway.
        rate_limiter: Asked before each request, where no session is given: LangChain's or
            LlamaIndex's, or any object with their ``acquire`` and ``aacquire``/``async_acquire``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http_client: Any = None,
        session: CallContext | None = None,
        rate_limiter: Any = None,
    ) -> None:
        self.settings = settings
        self.session = session or create_context(settings, rate_limiter)
        self._builder = RequestBuilder(settings)
        self._injected = check_http_client(http_client, field="http_async_client", is_async=True)
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self.settings, get_rate_limiter(self.session))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the running loop's idle connections; those in use are closed when their calls end.

        The client may be used again afterwards.
        """
        transport = self._transports.get(asyncio.get_running_loop())
        if transport is not None:
            await transport.close_idle()

    async def call(
        self,
        operation: Endpoint[T],
        *,
        body: Any = None,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Calls an endpoint and returns its parsed answer; see ``Client.call``."""
        content = None if body is None else json.dumps(body)
        return await self.run(
            call_and_parse(Call(operation, content, ids or {}, query or {}), self.session)
        )

    async def run(self, flow: Flow[T]) -> T:
        """Does what a flow asks for, one step after the other, and returns its result."""
        result, _ = await self._drive(flow)
        return result

    async def stream(
        self,
        call: Call[Any],
        session: CallContext | None = None,
        attempts: RetryState | None = None,
    ) -> AsyncGenerator[bytes, bool | None]:
        """Makes a call and yields its answer's bytes as they come; see the sync client."""
        settled, reading = await self._drive(call_flow(call, session or self.session, attempts))
        if reading is None:
            yield settled.body
            return
        response, limits, place = reading
        aborted = False
        try:
            async with aclosing(aiter(response.stream)) as chunks:
                async for chunk in chunks:
                    limits.check(chunk)
                    if (yield chunk) is DONE:
                        return
        except GeneratorExit:
            # Nothing may be awaited: a loop that ends closes all its generators at the same time.
            aborted = abort(response)
            raise
        except Exception as exception:
            error = map_stream_exception(exception)
            if error is None:
                raise
        else:
            return
        finally:
            try:
                if not aborted:
                    await response.aclose()
            finally:
                place.leave()
        raise error

    async def _drive(self, flow: Flow[T]) -> tuple[T, OpenStream | None]:
        outcome: Any = None
        reading: OpenStream | None = None
        place = NO_SLOT
        try:
            while True:
                step = flow.send(outcome)
                match step:
                    case SendRequest():
                        outcome, opened = await self._send(step)
                        if opened is None:
                            place.leave()
                        else:
                            reading = (*opened, place)
                    case AcquireSlot():
                        outcome, place = await step.limits.aenter(step.within, rated=step.rated)
                    case Sleep():
                        await asyncio.sleep(step.seconds)
                        outcome = None
                    case RunBlocking():
                        outcome = await asyncio.to_thread(step.run)
        except StopIteration as finished:
            return finished.value, reading
        except BaseException:
            place.leave()
            raise

    async def _send(self, step: SendRequest) -> tuple[Outcome, tuple[Any, BodyLimits] | None]:
        progress = response = None
        max_bytes = self.settings.max_response_bytes
        limits = BodyLimits(max_bytes, step.within)
        try:
            # Covers what no timeout of a phase bounds: the name lookup, and heads that drip.
            async with asyncio.timeout(step.within):
                if self._injected is None:
                    transport = await self._transport()
                    request, progress = self._builder.build(step)
                    response = await transport.handle_async_request(request)
                else:
                    client = self._injected
                    request, progress = self._builder.build_with(client, step)
                    response = await client.send(request, stream=True, follow_redirects=False)
                if should_stream_body(step.call, response):
                    return stream_started(response), (response, limits)
                try:
                    chunks = []
                    async with aclosing(aiter(response.stream)) as arriving:
                        async for chunk in arriving:
                            limits.check(chunk)
                            chunks.append(chunk)
                finally:
                    await response.aclose()
            return read_response(response, b"".join(chunks), max_bytes), None
        except BaseException as exception:
            idempotent = step.call.operation.idempotent
            outcome = failed_attempt(exception, progress, response, idempotent=idempotent)
            if outcome is None:
                strip_tracebacks(exception)
                raise
        return outcome, None

    async def _transport(self) -> Any:
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)
        if transport is None:
            for ended in [known for known in self._transports if known.is_closed()]:
                # Its transport was closed with it, and would keep it alive.
                del self._transports[ended]
            # httpcore takes long to import, and is not needed before.
            from xai_lowcode.transport.pool import AsyncPooledTransport  # noqa: PLC0415 - as said

            transport = AsyncPooledTransport(TransportConfig(self.settings))
            self._transports[loop] = transport
            await transport.close_with(self)
        return transport
