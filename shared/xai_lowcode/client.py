"""The sync driver of ``exchange``: sends, waits, reads; decides nothing."""

import os
import threading
import weakref
from collections.abc import Generator, Mapping
from time import sleep
from typing import Any, Self, TypeVar

import httpx

from xai_lowcode import codec
from xai_lowcode.exchange import (
    Call,
    Flow,
    Outcome,
    Send,
    Session,
    Wait,
    Work,
    ask,
    exchange,
)
from xai_lowcode.operations import Operation
from xai_lowcode.settings import Settings
from xai_lowcode.transport import (
    Deadline,
    Mailer,
    Probe,
    answer,
    arrives_in_pieces,
    broken_off,
    client_options,
    dropped,
    opened,
    session_of,
)

T = TypeVar("T")


class Client:
    """Calls the gateway's endpoints.

    The connection pool is made on first use and again after a fork. Threads may share a client.
    A pickled or copied client has the same settings and a pool of its own.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.Client`` to send with instead of an own one; it stays yours.
        session: What its calls have in common, to share it between clients of one gateway.

    Example:
        >>> from xai_lowcode.operations import LIST_MODELS
        >>> client = Client(Settings.create())  # doctest: +SKIP
        >>> client.call(LIST_MODELS)[0]["id"]  # doctest: +SKIP
        'grok-4.7'
    """

    def __init__(
        self, settings: Settings, *, http_client: Any = None, session: Session | None = None
    ) -> None:
        self.settings = settings
        self.session = session or session_of(settings)
        self._mailer = Mailer(settings)
        self._injected = http_client
        self._own: httpx.Client | None = None
        self._own_process = 0
        self._closing: weakref.finalize[Any, Any] | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of the own pool; the client may be used again afterwards."""
        with self._lock:
            closing, self._own, self._closing = self._closing, None, None
        if closing is not None and self._own_process == os.getpid():
            closing()

    def call(
        self,
        operation: Operation[T],
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
        content = None if body is None else codec.dump(body)
        return self.run(ask(Call(operation, content, ids or {}, query or {}), self.session))

    def run(self, flow: Flow[T]) -> T:
        """Does what a flow asks for, one step after the other, and returns its result."""
        result, _ = self._drive(flow)
        return result

    def stream(self, call: Call[Any]) -> Generator[bytes, None, None]:
        """Makes a call and yields its answer's bytes as they come.

        Closing the iterator closes the connection.
        """
        settled, reading = self._drive(exchange(call, self.session))
        if reading is None:
            yield settled.body
            return
        response, deadline = reading
        try:
            for piece in response.iter_bytes():
                deadline.check()
                yield piece
        except Exception as exception:
            error = broken_off(exception)
            if error is None:
                raise
        else:
            return
        finally:
            response.close()
        raise error

    def _drive(self, flow: Flow[T]) -> tuple[T, tuple[Any, Deadline] | None]:
        outcome: Any = None
        reading = None
        try:
            while True:
                step = flow.send(outcome)
                match step:
                    case Send():
                        outcome, reading = self._send(step)
                    case Wait():
                        sleep(step.seconds)
                        outcome = None
                    case Work():
                        outcome = step.run()
        except StopIteration as finished:
            return finished.value, reading

    def _send(self, step: Send) -> tuple[Outcome, tuple[Any, Deadline] | None]:
        client, probe, deadline = self._http(), Probe(), Deadline(step.within)
        request = self._mailer.request(client, step, probe)
        response = None
        try:
            response = client.send(request, stream=True, follow_redirects=False)
            if arrives_in_pieces(step.call, response):
                return opened(response), (response, deadline)
            try:
                pieces = []
                for piece in response.iter_bytes():
                    deadline.check()
                    pieces.append(piece)
            finally:
                response.close()
            return answer(response, b"".join(pieces)), None
        except Exception as exception:
            outcome = dropped(exception, probe, response)
            if outcome is None:
                raise
        return outcome, None

    def _http(self) -> Any:
        if self._injected is not None:
            return self._injected
        own = self._own
        if own is None or self._own_process != os.getpid():
            with self._lock:
                if self._own is None or self._own_process != os.getpid():
                    # After a fork the sockets belong to the parent: they are left, not closed.
                    self._own = httpx.Client(**client_options(self.settings))
                    self._own_process = os.getpid()
                    # Also when the last reference goes, so that no socket is left open.
                    self._closing = weakref.finalize(self, self._own.close)
                own = self._own
        return own
