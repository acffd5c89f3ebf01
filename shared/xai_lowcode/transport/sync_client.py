"""The sync client: performs the steps of a call flow (send, sleep, run); decides nothing."""

import os
import weakref
from collections.abc import Generator, Mapping
from time import sleep
from typing import Any, Self, TypeVar

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


class SyncAPIClient:
    """Calls the gateway's endpoints.

    The connection pool is made on first use and again after a fork. Threads may share a client.
    A pickled or copied client has the same settings and a pool of its own.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.Client`` to send with instead of an own one; it stays yours.
        session: What its calls have in common, to share it between clients of one gateway.
        rate_limiter: Asked before each request, where no session is given: LangChain's or
            LlamaIndex's, or any object with their ``acquire`` and ``aacquire``/``async_acquire``.

    Example:
        >>> from xai_lowcode.api.endpoints import LIST_MODELS
        >>> client = Client(Settings.create())  # doctest: +SKIP
        >>> client.call(LIST_MODELS)[0]["id"]  # doctest: +SKIP
        'grok-4.7'
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
        self._injected = check_http_client(http_client, field="http_client", is_async=False)
        # By process: a forked child leaves its parent's connections alone. Without a lock, which
        # would stay closed in the child if another thread held it.
        self._transports: dict[int, tuple[Any, weakref.finalize[Any, Any]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self.settings, get_rate_limiter(self.session))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the idle connections; those in use are closed when their calls end.

        The client may be used again afterwards.
        """
        transport = self._transports.get(os.getpid())
        if transport is not None:
            transport[0].close()

    def call(
        self,
        operation: Endpoint[T],
        *,
        body: Any = None,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Calls an endpoint and returns its parsed answer.

        Args:
            operation: The endpoint.
            body: The JSON body, if it has one.
            ids: Values of the ids in its path.
            query: Further query parameters.

        Raises:
            XAILowCodeError: See ``errors``.
        """
        content = None if body is None else json.dumps(body)
        return self.run(
            call_and_parse(Call(operation, content, ids or {}, query or {}), self.session)
        )

    def run(self, flow: Flow[T]) -> T:
        """Does what a flow asks for, one step after the other, and returns its result."""
        result, _ = self._drive(flow)
        return result

    def stream(
        self,
        call: Call[Any],
        session: CallContext | None = None,
        attempts: RetryState | None = None,
    ) -> Generator[bytes, bool | None, None]:
        """Makes a call and yields its answer's bytes as they come.

        Closing the iterator drops the connection. Sending ``DONE`` says that the answer is
        complete: its end is waited for a moment, and the connection may be used again.

        Args:
            call: What is asked.
            session: What the client's calls have in common, if not the client's own.
            attempts: The attempts made so far, if this continues an earlier call.
        """
        settled, reading = self._drive(call_flow(call, session or self.session, attempts))
        if reading is None:
            yield settled.body
            return
        response, limits, place = reading
        aborted = False
        try:
            for chunk in response.stream:
                limits.check(chunk)
                if (yield chunk) is DONE:
                    return
        except GeneratorExit:
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
                    response.close()
            finally:
                place.leave()
        raise error

    def _drive(self, flow: Flow[T]) -> tuple[T, OpenStream | None]:
        outcome: Any = None
        reading: OpenStream | None = None
        place = NO_SLOT
        try:
            while True:
                step = flow.send(outcome)
                match step:
                    case SendRequest():
                        outcome, opened = self._send(step)
                        if opened is None:
                            place.leave()
                        else:
                            reading = (*opened, place)
                    case AcquireSlot():
                        outcome, place = step.limits.enter(step.within, rated=step.rated)
                    case Sleep():
                        sleep(step.seconds)
                        outcome = None
                    case RunBlocking():
                        outcome = step.run()
        except StopIteration as finished:
            return finished.value, reading
        except BaseException:
            place.leave()
            raise

    def _send(self, step: SendRequest) -> tuple[Outcome, tuple[Any, BodyLimits] | None]:
        progress = response = None
        max_bytes = self.settings.max_response_bytes
        limits = BodyLimits(max_bytes, step.within)
        try:
            if self._injected is None:
                transport = self._transport()
                request, progress = self._builder.build(step)
                response = transport.handle_request(request)
            else:
                request, progress = self._builder.build_with(self._injected, step)
                response = self._injected.send(request, stream=True, follow_redirects=False)
            if should_stream_body(step.call, response):
                return stream_started(response), (response, limits)
            try:
                chunks = []
                for chunk in response.stream:
                    limits.check(chunk)
                    chunks.append(chunk)
            finally:
                response.close()
            return read_response(response, b"".join(chunks), max_bytes), None
        except BaseException as exception:
            idempotent = step.call.operation.idempotent
            outcome = failed_attempt(exception, progress, response, idempotent=idempotent)
            if outcome is None:
                strip_tracebacks(exception)
                raise
        return outcome, None

    def _transport(self) -> Any:
        held = self._transports.get(os.getpid())
        if held is None:
            # httpcore takes long to import, and is not needed before.
            from xai_lowcode.transport.pool import PooledTransport  # noqa: PLC0415 - as said above

            made = PooledTransport(TransportConfig(self.settings))
            # Also when the last reference goes, so that no socket is left open.
            closing = weakref.finalize(self, made.close)
            held = self._transports.setdefault(os.getpid(), (made, closing))
            if held[0] is not made:
                # Another thread was faster.
                closing()
        return held[0]
