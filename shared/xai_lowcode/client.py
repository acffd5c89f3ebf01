"""The sync driver of ``exchange``: sends, waits, reads; decides nothing."""

import os
import weakref
from collections.abc import Generator, Mapping
from time import sleep
from typing import Any, Self, TypeVar

from xai_lowcode import codec
from xai_lowcode.exchange import Session, ask, exchange
from xai_lowcode.failures import bare, broken_off, dropped
from xai_lowcode.limits import limiter_in, remade
from xai_lowcode.mailer import Mailer
from xai_lowcode.operation import Operation
from xai_lowcode.places import NOWHERE, Place
from xai_lowcode.settings import Settings
from xai_lowcode.steps import Call, Enter, Flow, Outcome, Send, Wait, Work
from xai_lowcode.transport import (
    ENOUGH,
    Deadline,
    Probe,
    abandon,
    answer,
    arrives_in_pieces,
    opened,
    own_client,
    session_of,
)

T = TypeVar("T")

# A stream to be read: its response, by when, and the place it holds.
Reading = tuple[Any, Deadline, Place]


class Client:
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
        >>> from xai_lowcode.operations import LIST_MODELS
        >>> client = Client(Settings.create())  # doctest: +SKIP
        >>> client.call(LIST_MODELS)[0]["id"]  # doctest: +SKIP
        'grok-4.7'
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http_client: Any = None,
        session: Session | None = None,
        rate_limiter: Any = None,
    ) -> None:
        self.settings = settings
        self.session = session or session_of(settings, rate_limiter)
        self._mailer = Mailer(settings)
        self._injected = http_client
        # By process: after a fork the parent's sockets are left alone. Without a lock, which would
        # stay closed in the child if another thread held it.
        self._pools: dict[int, tuple[Any, weakref.finalize[Any, Any]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return remade, (type(self), self.settings, limiter_in(self.session))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of the own pool; the client may be used again afterwards."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool[1]()

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

    def stream(
        self, call: Call[Any], session: Session | None = None
    ) -> Generator[bytes, bool | None, None]:
        """Makes a call and yields its answer's bytes as they come.

        Closing the iterator drops the connection. Sending ``ENOUGH`` says that the answer is
        complete: its end is waited for a moment, and the connection may be used again.
        """
        settled, reading = self._drive(exchange(call, session or self.session))
        if reading is None:
            yield settled.body
            return
        response, deadline, place = reading
        left = False
        try:
            for piece in response.stream:
                deadline.check()
                if (yield piece) is ENOUGH:
                    return
        except GeneratorExit:
            left = abandon(response)
            raise
        except Exception as exception:
            error = broken_off(exception)
            if error is None:
                raise
        else:
            return
        finally:
            try:
                if not left:
                    response.close()
            finally:
                place.leave()
        raise error

    def _drive(self, flow: Flow[T]) -> tuple[T, Reading | None]:
        outcome: Any = None
        reading: Reading | None = None
        place = NOWHERE
        try:
            while True:
                step = flow.send(outcome)
                match step:
                    case Send():
                        outcome, opened = self._send(step)
                        if opened is None:
                            place.leave()
                        else:
                            reading = (*opened, place)
                    case Enter():
                        outcome, place = step.limits.enter(step.within, rated=step.rated)
                    case Wait():
                        sleep(step.seconds)
                        outcome = None
                    case Work():
                        outcome = step.run()
        except StopIteration as finished:
            return finished.value, reading
        except BaseException:
            place.leave()
            raise

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
                for piece in response.stream:
                    deadline.check()
                    pieces.append(piece)
            finally:
                response.close()
            return answer(response, b"".join(pieces)), None
        except BaseException as exception:
            outcome = dropped(exception, probe, response)
            if outcome is None:
                bare(exception)
                raise
        return outcome, None

    def _http(self) -> Any:
        if self._injected is not None:
            return self._injected
        pool = self._pools.get(os.getpid())
        if pool is None:
            made = own_client(self.settings)
            # Also when the last reference goes, so that no socket is left open.
            closing = weakref.finalize(self, made.close)
            pool = self._pools.setdefault(os.getpid(), (made, closing))
            if pool[0] is not made:
                # Another thread was faster.
                closing()
        return pool[0]
