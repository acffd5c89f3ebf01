"""The sync driver of ``exchange``: sends, waits, reads; decides nothing."""

import os
import random
import threading
import weakref
from collections.abc import Generator, Mapping
from time import monotonic, sleep
from typing import Any, Self, TypeVar

import httpx

from xai_lowcode import codec
from xai_lowcode.addresses import UrlForms
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.exchange import Call, Outcome, Send, Settled, Wait, exchange
from xai_lowcode.operations import Operation
from xai_lowcode.redaction import Secret
from xai_lowcode.retry import RetryPolicy
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
)

T = TypeVar("T")


class Client:
    """Calls the gateway's endpoints.

    The connection pool is made on first use and again after a fork. Threads may share a client.
    A pickled or copied client has the same settings and a pool of its own.

    Args:
        settings: Token, address, timeouts, retries.
        http_client: An ``httpx.Client`` to send with instead of an own one; it stays yours.
        forms: Which URL forms worked, to share it between clients of one gateway.

    Example:
        >>> from xai_lowcode.operations import LIST_MODELS
        >>> client = Client(Settings.create())  # doctest: +SKIP
        >>> client.call(LIST_MODELS)[0]["id"]  # doctest: +SKIP
        'grok-4.7'
    """

    def __init__(
        self, settings: Settings, *, http_client: Any = None, forms: UrlForms | None = None
    ) -> None:
        self.settings = settings
        self._forms = forms or UrlForms(settings.url_format)
        self._policy = RetryPolicy(settings.max_retries, settings.deadline)
        self._token = Secret(settings.api_token.get_secret_value())
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
        call = Call(operation, content, ids or {}, query or {})
        settled = self.settle(call)
        try:
            return operation.parse(settled.body)
        except XAILowCodeError as error:
            error.without(self._token)
            raise

    def settle(self, call: Call[Any]) -> Settled:
        """Makes a call whose answer is read whole."""
        settled, _ = self._run(call)
        return settled

    def stream(self, call: Call[Any]) -> Generator[bytes, None, None]:
        """Makes a call and yields its answer's bytes as they come.

        Closing the iterator closes the connection.
        """
        settled, reading = self._run(call)
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

    def _run(self, call: Call[Any]) -> tuple[Settled, tuple[Any, Deadline] | None]:
        steps = exchange(
            call,
            policy=self._policy,
            forms=self._forms,
            token=self._token,
            clock=monotonic,
            jitter=random.random,
        )
        step = next(steps)
        while True:
            outcome, reading = None, None
            if isinstance(step, Wait):
                sleep(step.seconds)
            else:
                outcome, reading = self._send(call, step)
            try:
                step = steps.send(outcome)
            except StopIteration as settled:
                return settled.value, reading

    def _send(self, call: Call[Any], step: Send) -> tuple[Outcome, tuple[Any, Deadline] | None]:
        client, probe, deadline = self._http(), Probe(), Deadline(step.within)
        request = self._mailer.request(client, call, step, probe)
        response = None
        try:
            response = client.send(request, stream=True, follow_redirects=False)
            if arrives_in_pieces(call, response):
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
