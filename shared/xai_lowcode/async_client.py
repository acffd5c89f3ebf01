"""The async driver of ``exchange``: the sync one's words with ``await``; decides nothing."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

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
    AsyncProbe,
    Deadline,
    abandon,
    answer,
    arrives_in_pieces,
    opened,
    own_async_client,
    session_of,
)

T = TypeVar("T")

# A stream to be read: its response, by when, and the place it holds.
Reading = tuple[Any, Deadline, Place]


class AsyncClient:
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
        session: Session | None = None,
        rate_limiter: Any = None,
    ) -> None:
        self.settings = settings
        self.session = session or session_of(settings, rate_limiter)
        self._mailer = Mailer(settings)
        self._injected = http_client
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        return remade, (type(self), self.settings, limiter_in(self.session))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the running loop's pool; the client may be used again afterwards."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.keeper.aclose()

    async def call(
        self,
        operation: Operation[T],
        *,
        body: Any = None,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Calls an endpoint and returns its parsed answer; see ``Client.call``."""
        content = None if body is None else codec.dump(body)
        return await self.run(ask(Call(operation, content, ids or {}, query or {}), self.session))

    async def run(self, flow: Flow[T]) -> T:
        """Does what a flow asks for, one step after the other, and returns its result."""
        result, _ = await self._drive(flow)
        return result

    async def stream(
        self, call: Call[Any], session: Session | None = None
    ) -> AsyncGenerator[bytes, bool | None]:
        """Makes a call and yields its answer's bytes as they come.

        Closing the iterator drops the connection. Sending ``ENOUGH`` says that the answer is
        complete: its end is waited for a moment, and the connection may be used again.
        """
        settled, reading = await self._drive(exchange(call, session or self.session))
        if reading is None:
            yield settled.body
            return
        response, deadline, place = reading
        left = False
        try:
            async with aclosing(aiter(response.stream)) as pieces:
                async for piece in pieces:
                    deadline.check()
                    if (yield piece) is ENOUGH:
                        return
        except GeneratorExit:
            # Nothing may be awaited: a loop that ends closes all its generators at the same time.
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
                    await response.aclose()
            finally:
                place.leave()
        raise error

    async def _drive(self, flow: Flow[T]) -> tuple[T, Reading | None]:
        outcome: Any = None
        reading: Reading | None = None
        place = NOWHERE
        try:
            while True:
                step = flow.send(outcome)
                match step:
                    case Send():
                        outcome, opened = await self._send(step)
                        if opened is None:
                            place.leave()
                        else:
                            reading = (*opened, place)
                    case Enter():
                        outcome, place = await step.limits.aenter(step.within, rated=step.rated)
                    case Wait():
                        await asyncio.sleep(step.seconds)
                        outcome = None
                    case Work():
                        outcome = await asyncio.to_thread(step.run)
        except StopIteration as finished:
            return finished.value, reading
        except BaseException:
            place.leave()
            raise

    async def _send(self, step: Send) -> tuple[Outcome, tuple[Any, Deadline] | None]:
        client, probe, deadline = await self._http(), AsyncProbe(), Deadline(step.within)
        request = self._mailer.request(client, step, probe)
        response = None
        try:
            response = await client.send(request, stream=True, follow_redirects=False)
            if arrives_in_pieces(step.call, response):
                return opened(response), (response, deadline)
            try:
                pieces = []
                async with aclosing(aiter(response.stream)) as arriving:
                    async for piece in arriving:
                        deadline.check()
                        pieces.append(piece)
            finally:
                await response.aclose()
            return answer(response, b"".join(pieces)), None
        except BaseException as exception:
            outcome = dropped(exception, probe, response)
            if outcome is None:
                bare(exception)
                raise
        return outcome, None

    async def _http(self) -> Any:
        if self._injected is not None:
            return self._injected
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for ended in [known for known in self._pools if known.is_closed()]:
                # Its pool was closed with it, and would keep it alive.
                del self._pools[ended]
            pool = self._pools[loop] = _Pool(self.settings)
            await anext(pool.keeper)
        return pool.client


class _Pool:
    """One loop's httpx client, and the generator that closes it.

    A loop that ends (as ``asyncio.run``'s does) closes the async generators begun on it. One of
    these keeps the pool, so that it goes with its loop and leaves no socket behind.
    """

    __slots__ = ("client", "keeper")

    def __init__(self, settings: Settings) -> None:
        self.client = own_async_client(settings)
        self.keeper = _keep(self.client)


async def _keep(client: Any) -> AsyncGenerator[Any, None]:
    try:
        yield client
    finally:
        await client.aclose()
