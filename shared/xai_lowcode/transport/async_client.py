"""The async client: performs the steps of a call flow; see ``sync_client``."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack
from weakref import WeakKeyDictionary

from xai_lowcode._internal import json
from xai_lowcode._internal.validation import check_http_client
from xai_lowcode.errors import APITimeoutError
from xai_lowcode.protocol.call_flow import CallContext, call_and_parse, call_flow
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.retry import RetryState
from xai_lowcode.protocol.steps import (
    Call,
    Flow,
    Outcome,
    RequestFailed,
    RunBlocking,
    SendRequest,
    Sleep,
)
from xai_lowcode.settings import ClientOptions, RateLimiter, Settings
from xai_lowcode.transport.concurrency import NO_SLOT, RequestLimits, Slot
from xai_lowcode.transport.config import TransportConfig, create_context
from xai_lowcode.transport.exceptions import (
    failed_attempt,
    map_stream_exception,
    strip_tracebacks,
)
from xai_lowcode.transport.rate_limit import rebuild_client
from xai_lowcode.transport.request_builder import RequestBuilder
from xai_lowcode.transport.response import (
    DONE,
    BodyLimits,
    abort_connection,
    read_head,
    read_response,
    should_stream_body,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

OpenStream = tuple[Any, BodyLimits, Slot]
"""A stream whose body is unread: the response, the limits of its body, its concurrency slot."""


class AsyncAPIClient:
    """Calls the endpoints of the gateway from coroutines.

    It has one connection pool per running event loop, created on first use and closed with the
    loop, so that one client serves several ``asyncio.run``. A pickled or copied client has the same
    settings and pools of its own; a copy uses the same ``http_client``, a pickle has none.

    Args:
        settings: Token, base URL, timeouts, retries.
        http_client: An ``httpx.AsyncClient`` to send with instead of own pools; the caller closes
            it.
        context: Shared by the clients of one gateway; default: a new one.
        limits: Shared likewise; default: those of the settings and the rate limiter.
        rate_limiter: Asked before each request; see ``SyncAPIClient``.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        http_client: "httpx.AsyncClient | None" = None,
        context: CallContext | None = None,
        limits: RequestLimits | None = None,
        rate_limiter: RateLimiter | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.settings = settings = Settings.of(settings, options)
        self.context = context or create_context(settings)
        self.limits = limits or RequestLimits(settings.max_concurrency, rate_limiter)
        self._builder = RequestBuilder(settings, self.context.known_token)
        self._http_client = check_http_client(http_client, field="http_async_client", is_async=True)
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_client, (type(self), self.settings, self.limits.rate_limiter)

    def __copy__(self) -> Self:
        rebuild, arguments = self.__reduce__()
        copied: Self = rebuild(*arguments, http_client=self._http_client)
        return copied

    def __deepcopy__(self, _memo: object) -> Self:
        return self.__copy__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the idle connections of the running loop. Those in use are closed with their calls.

        The client may be used again afterwards.
        """
        transport = self._transports.get(asyncio.get_running_loop())
        if transport is not None:
            await transport.close_idle()

    async def call(
        self,
        endpoint: Endpoint[T],
        *,
        body: Any = None,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Call an endpoint and return its parsed response; see ``SyncAPIClient.call``."""
        content = None if body is None else json.dumps(body)
        call = Call(endpoint, content, ids or {}, query or {})
        return await self.execute(call_and_parse(call, self.context))

    async def execute(self, flow: Flow[T]) -> T:
        """Perform the steps of a flow and return its result."""
        result, _ = await self._run_flow(flow)
        return result

    async def stream(
        self,
        call: Call[Any],
        context: CallContext | None = None,
        retry_state: RetryState | None = None,
    ) -> AsyncGenerator[bytes, bool | None]:
        """Make a call and yield the bytes of its response; see ``SyncAPIClient.stream``."""
        flow = call_flow(call, context or self.context, retry_state)
        success, open_stream = await self._run_flow(flow)
        if open_stream is None:
            yield success.body
            return
        response, body_limits, slot = open_stream
        aborted = False
        try:
            async with aclosing(aiter(response.stream)) as chunks:
                async for chunk in chunks:
                    body_limits.check(chunk)
                    if (yield chunk) is DONE:
                        return
        except GeneratorExit:
            # Nothing may be awaited: a loop that ends closes all its generators at the same time.
            aborted = abort_connection(response)
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
                slot.release()
        raise error

    async def _run_flow(self, flow: Flow[T]) -> tuple[T, OpenStream | None]:
        outcome: Any = None
        open_stream: OpenStream | None = None
        try:
            while True:
                match flow.send(outcome):
                    case SendRequest() as step:
                        outcome, open_stream = await self._send(step)
                    case Sleep(seconds=seconds):
                        await asyncio.sleep(seconds)
                        outcome = None
                    case RunBlocking(run=run):
                        outcome = await asyncio.to_thread(run)
        except StopIteration as stop:
            return stop.value, open_stream
        except BaseException:
            if open_stream is not None:
                open_stream[2].release()
            raise

    async def _send(self, step: SendRequest) -> tuple[Outcome, OpenStream | None]:
        progress = response = None
        start, timeout = monotonic(), step.timeout
        try:
            slot = await self.limits.aacquire(timeout, use_rate_limiter=step.use_rate_limiter)
        except APITimeoutError as error:
            return RequestFailed(error), None
        if timeout is not None:
            timeout -= monotonic() - start
        max_bytes = self.settings.max_response_bytes
        try:
            body_limits = BodyLimits(max_bytes, timeout)
            # Covers what no timeout of a phase bounds: the name lookup, and heads that drip.
            async with asyncio.timeout(timeout):
                if self._http_client is None:
                    transport = await self._transport()
                    request = self._builder.build(step, timeout)
                    progress = request.extensions["progress"]
                    response = await transport.handle_async_request(request)
                else:
                    client = self._http_client
                    request = self._builder.build_with_client(client, step, timeout)
                    response = await client.send(request, stream=True, follow_redirects=False)
                is_stream = should_stream_body(step.call, response)
                chunks = [] if is_stream else await _read_body(response, body_limits)
            if is_stream:
                open_stream = response, body_limits, slot
                slot = NO_SLOT
                return read_head(response), open_stream
            return read_response(response, b"".join(chunks), max_bytes), None
        except BaseException as exception:
            endpoint = step.call.endpoint
            idempotent, host = endpoint.idempotent, self._builder.address(endpoint.host)
            outcome = failed_attempt(
                exception, progress, response, idempotent=idempotent, host=host
            )
            if outcome is None:
                strip_tracebacks(exception)
                raise
            return outcome, None
        finally:
            slot.release()

    async def _transport(self) -> Any:
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)
        if transport is None:
            for closed_loop in [each for each in self._transports if each.is_closed()]:
                # Its transport was closed with it, and would keep it alive.
                del self._transports[closed_loop]
            # httpcore takes long to import, and is not needed before.
            from xai_lowcode.transport.pool import AsyncPooledTransport  # noqa: PLC0415 - as said

            transport = AsyncPooledTransport(TransportConfig(self.settings))
            self._transports[loop] = transport
            await transport.close_with(self)
        return transport


async def _read_body(response: Any, body_limits: BodyLimits) -> list[bytes]:
    try:
        chunks = []
        async with aclosing(aiter(response.stream)) as stream:
            async for chunk in stream:
                body_limits.check(chunk)
                chunks.append(chunk)
        return chunks
    finally:
        await response.aclose()
