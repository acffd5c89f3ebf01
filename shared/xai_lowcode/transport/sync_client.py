"""The sync client: performs the steps of a call flow (send, sleep, run)."""

import os
import weakref
from collections.abc import Generator, Mapping
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

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


class SyncAPIClient:
    """Calls the endpoints of the gateway.

    The connection pool is created on first use, and again in a forked child. Threads may share a
    client. A pickled or copied client has the same settings and a pool of its own; a copy uses the
    same ``http_client``, if there is one, and a pickle has none.

    Args:
        settings: Token, base URL, timeouts, retries; default: created from ``options``.
        http_client: An ``httpx.Client`` to send with instead of an own pool; the caller closes it.
        context: Shared by the clients of one gateway; default: a new one.
        limits: Shared likewise; default: those of the settings and the rate limiter.
        rate_limiter: Asked before each request: LangChain's or LlamaIndex's, or any object with
            ``acquire`` and ``aacquire`` or ``async_acquire``.
        options: ``api_token``, ``base_url``, ``timeout`` and the other arguments of
            ``Settings.create``; default: those of the environment.

    Example:
        >>> from xai_lowcode.api.endpoints import LIST_MODELS
        >>> client = SyncAPIClient(Settings.create())  # doctest: +SKIP
        >>> client.call(LIST_MODELS)[0]["id"]  # doctest: +SKIP
        'grok-4.7'
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        http_client: "httpx.Client | None" = None,
        context: CallContext | None = None,
        limits: RequestLimits | None = None,
        rate_limiter: RateLimiter | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.settings = settings = Settings.of(settings, options)
        self.context = context or create_context(settings)
        self.limits = limits or RequestLimits(settings.max_concurrency, rate_limiter)
        self._builder = RequestBuilder(settings, self.context.known_token)
        self._http_client = check_http_client(http_client, field="http_client", is_async=False)
        # By process id: a forked child must not use its parent's connections. Without a lock: a
        # lock that another thread of the parent holds would never be released in the child.
        self._transports: dict[int, tuple[Any, weakref.finalize[Any, Any]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_client, (type(self), self.settings, self.limits.rate_limiter)

    def __copy__(self) -> Self:
        rebuild, arguments = self.__reduce__()
        copied: Self = rebuild(*arguments, http_client=self._http_client)
        return copied

    def __deepcopy__(self, _memo: object) -> Self:
        return self.__copy__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections. Those in use are closed when their calls end.

        The client may be used again afterwards.
        """
        transport = self._transports.get(os.getpid())
        if transport is not None:
            transport[0].close()

    def call(
        self,
        endpoint: Endpoint[T],
        *,
        body: Any = None,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Call an endpoint and return its parsed response.

        Args:
            endpoint: The endpoint.
            body: The JSON body, if it has one.
            ids: Values of its path parameters.
            query: Further query parameters.

        Raises:
            XAILowCodeError: See ``errors``.
        """
        content = None if body is None else json.dumps(body)
        call = Call(endpoint, content, ids or {}, query or {})
        return self.execute(call_and_parse(call, self.context))

    def execute(self, flow: Flow[T]) -> T:
        """Perform the steps of a flow and return its result."""
        result, _ = self._run_flow(flow)
        return result

    def stream(
        self,
        call: Call[Any],
        context: CallContext | None = None,
        retry_state: RetryState | None = None,
    ) -> Generator[bytes, bool | None, None]:
        """Make a call and yield the bytes of its response as they arrive.

        Closing the generator closes the connection. Sending ``DONE`` into it says that the response
        is complete: its end is waited for briefly, so that the connection can be reused.

        Args:
            call: The call.
            context: Default: the client's own.
            retry_state: The attempts so far, if this continues a call.
        """
        flow = call_flow(call, context or self.context, retry_state)
        success, open_stream = self._run_flow(flow)
        if open_stream is None:
            yield success.body
            return
        response, body_limits, slot = open_stream
        aborted = False
        try:
            for chunk in response.stream:
                body_limits.check(chunk)
                if (yield chunk) is DONE:
                    return
        except GeneratorExit:
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
                    response.close()
            finally:
                slot.release()
        raise error

    def _run_flow(self, flow: Flow[T]) -> tuple[T, OpenStream | None]:
        outcome: Any = None
        open_stream: OpenStream | None = None
        try:
            while True:
                match flow.send(outcome):
                    case SendRequest() as step:
                        outcome, open_stream = self._send(step)
                    case Sleep(seconds=seconds):
                        sleep(seconds)
                        outcome = None
                    case RunBlocking(run=run):
                        outcome = run()
        except StopIteration as stop:
            return stop.value, open_stream
        except BaseException:
            if open_stream is not None:
                open_stream[2].release()
            raise

    def _send(self, step: SendRequest) -> tuple[Outcome, OpenStream | None]:
        progress = response = None
        start, timeout = monotonic(), step.timeout
        try:
            slot = self.limits.acquire(timeout, use_rate_limiter=step.use_rate_limiter)
        except APITimeoutError as error:
            return RequestFailed(error), None
        if timeout is not None:
            timeout -= monotonic() - start
        max_bytes = self.settings.max_response_bytes
        try:
            body_limits = BodyLimits(max_bytes, timeout)
            if self._http_client is None:
                transport = self._transport()
                request = self._builder.build(step, timeout)
                progress = request.extensions["progress"]
                response = transport.handle_request(request)
            else:
                client = self._http_client
                request = self._builder.build_with_client(client, step, timeout)
                response = client.send(request, stream=True, follow_redirects=False)
            if should_stream_body(step.call, response):
                open_stream = response, body_limits, slot
                slot = NO_SLOT
                return read_head(response), open_stream
            chunks = _read_body(response, body_limits)
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

    def _transport(self) -> Any:
        entry = self._transports.get(os.getpid())
        if entry is None:
            # httpcore takes long to import, and is not needed before.
            from xai_lowcode.transport.pool import PooledTransport  # noqa: PLC0415 - as said above

            transport = PooledTransport(TransportConfig(self.settings))
            # Also when the last reference goes, so that no socket is left open.
            finalizer = weakref.finalize(self, transport.close)
            entry = self._transports.setdefault(os.getpid(), (transport, finalizer))
            if entry[0] is not transport:
                # Another thread was faster.
                finalizer()
        return entry[0]


def _read_body(response: Any, body_limits: BodyLimits) -> list[bytes]:
    try:
        chunks = []
        for chunk in response.stream:
            body_limits.check(chunk)
            chunks.append(chunk)
        return chunks
    finally:
        response.close()
