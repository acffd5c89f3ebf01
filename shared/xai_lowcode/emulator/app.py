"""The gateway itself: who may come in, which route it is, and what becomes of the answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from xai_lowcode.emulator import envelope as wrapping
from xai_lowcode.emulator.fault_injection import (
    Raw,
    ended,
    error_in_200,
    gateway_refusal,
    outer_hint,
    provider_error,
    replaced,
)
from xai_lowcode.emulator.faults import CloseAfter, ErrorIn200, Fault, Refuse, Stall
from xai_lowcode.emulator.handler_types import (
    Answer,
    Ask,
    Blob,
    ProviderError,
    absent,
    invalid,
    unreadable,
)
from xai_lowcode.emulator.handlers import Room
from xai_lowcode.emulator.pages import page
from xai_lowcode.emulator.request import Arrival, BodyError, as_forwarded, as_sent, read_arrival
from xai_lowcode.emulator.response_channel import Line
from xai_lowcode.emulator.response_writer import Delivery
from xai_lowcode.emulator.routing import PREFIX, Matched, UndecodableError, arrived, matched
from xai_lowcode.emulator.state import Emulator, RecordedRequest
from xai_lowcode.emulator.uvicorn_protocol import WIRE
from xai_lowcode.emulator.validation import MismatchError

TOKEN_START = "at_"  # noqa: S105 - how a token begins, no token
NO_ROUTE = (
    "No handler found on route. Please double check your URL and consult "
    "https://api.x.ai/docs for more information."
)
LONE_SURROGATE = "Failed to parse the request body as JSON: lone surrogate in hex escape"


class GatewayError(Exception):
    """An error that the gateway makes before the provider is asked."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Gateway:
    """The ASGI application."""

    def __init__(self, desk: Emulator, closing: asyncio.Event) -> None:
        self._desk = desk
        self._closing = closing

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any
    ) -> None:
        """Answers one request."""
        line = Line(send, scope["extensions"][WIRE], self._closing)
        arrival = await read_arrival(scope, receive)
        try:
            await self._answer(line, arrival)
        except GatewayError as error:
            await Delivery(line, self._desk).json(error.body, error.status)

    async def _answer(self, line: Line, arrival: Arrival) -> None:
        found = page(arrival, self._desk)
        if found is not None:
            if arrival.path.lower().startswith(PREFIX + "/"):
                self._record(arrival, None, None)
            await Delivery(line, self._desk).raw(found)
            return
        route, body = self._read(arrival)
        if route is None:
            raise GatewayError(404, wrapping.NOT_FOUND)
        if route.drops:
            line.cut()
            return
        self._admit(arrival)
        fault = self._desk.next_fault()
        await line.rest(self._desk.latency + (fault.seconds if isinstance(fault, Stall) else 0.0))
        await self._meet(line, arrival, route, body, fault)

    def _read(self, arrival: Arrival) -> tuple[Matched | None, Any]:
        """Reads body and route, and records the request whatever becomes of it."""
        refusal: BodyError | None = None
        body: Any = None
        try:
            body = as_forwarded(arrival)
        except BodyError as error:
            refusal = error
        route = self._route(arrival)
        self._record(arrival, route, body)
        if refusal is not None:
            raise GatewayError(refusal.status, {"message": refusal.message})
        return route, body

    def _route(self, arrival: Arrival) -> Matched | None:
        try:
            return matched(arrival.method, arrival.path, arrival.query, self._desk)
        except UndecodableError as problem:
            self._record(arrival, None, None)
            message = f"Failed to decode param '{problem}'"
            raise GatewayError(400, {"message": message}) from None

    def _record(self, arrival: Arrival, route: Matched | None, body: Any) -> None:
        ignored: list[str] = []
        if route is not None and isinstance(body, dict):
            # What does not fit is refused later; here only the notes taken on the way count.
            _misfit(route.room, body, ignored)
        upstream = arrived(arrival.method, route.upstream) if route else None
        self._desk.requests.append(
            RecordedRequest(
                method=arrival.method,
                path=arrival.path,
                query=arrival.query,
                body=as_sent(arrival),
                headers=arrival.headers,
                ignored=tuple(ignored),
                with_token=bool(arrival.tokens),
                route=route.room.path if route else None,
                upstream=route.address(arrival.query) if route else None,
                upstream_route=upstream.room.path if upstream else None,
            )
        )

    def _admit(self, arrival: Arrival) -> None:
        """Lets in who has one known token of an account that is connected to xAI."""
        tokens = arrival.tokens
        if len(tokens) > 1:
            text = f"apiToken.match is not a function: {tokens}"
            raise GatewayError(500, wrapping.network_error(text))
        if not tokens or not tokens[0].startswith(TOKEN_START):
            raise GatewayError(401, wrapping.token_wanted(arrival))
        if tokens[0] == self._desk.unconnected_token:
            raise GatewayError(403, wrapping.gateway_error(403, wrapping.NOT_CONNECTED))
        if tokens[0] != self._desk.api_token:
            raise GatewayError(403, wrapping.gateway_error(403, "Invalid api_token"))

    async def _meet(
        self, line: Line, arrival: Arrival, route: Matched, body: Any, fault: Fault | None
    ) -> None:
        """Lets the fault have its way, and asks the provider where it leaves something to ask."""
        number = self._desk.next_number()
        plain = Delivery(line, self._desk)
        if ended(fault, line, self._desk):
            return
        raw = replaced(fault)
        if raw is not None:
            await plain.raw(raw)
        elif isinstance(fault, Refuse) and fault.source == "gateway":
            await plain.json(gateway_refusal(fault), fault.status, outer_hint(fault))
        else:
            try:
                answer = await self._ask(arrival, route, body, number, fault)
            except ProviderError as error:
                await self._refuse(plain, error, number, fault)
            else:
                accepts = arrival.headers.get("accept-encoding", "")
                delivery = Delivery(line, self._desk, fault, accepts)
                await delivery.success(answer, wrapping.provider_headers(number))
        if isinstance(fault, CloseAfter):
            line.cut()

    async def _ask(
        self, arrival: Arrival, route: Matched, body: Any, number: int, fault: Fault | None
    ) -> Answer | Blob:
        """Asks the provider, at the address that the gateway has put together."""
        if isinstance(fault, Refuse):
            raise provider_error(fault)
        if isinstance(fault, ErrorIn200):
            return error_in_200(fault)
        room = arrived(arrival.method, route.upstream)
        if room is None:
            raise absent(NO_ROUTE)
        if not _is_unicode(body):
            raise invalid(LONE_SURROGATE)
        problem = _misfit(room.room, body, [])
        if problem is not None:
            raise unreadable(problem)
        # The gateway repeats the parameters of the path in the query.
        query = {**arrival.query, **route.values, **route.stray, **room.query}
        return await room.room.reply(Ask(body, room.values, query, number, self._desk))

    async def _refuse(
        self, delivery: Delivery, error: ProviderError, number: int, fault: Fault | None
    ) -> None:
        headers = wrapping.provider_headers(number, **error.headers)
        outer = outer_hint(fault) if isinstance(fault, Refuse) else {}
        if isinstance(error.body, dict) and "data" in error.body:
            # The documented shape stands alone: it is how the gateway itself would say it.
            await delivery.json(error.body, error.status, outer)
            return
        bare = self._desk.envelope == "bare"
        if bare:
            outer = {**headers, **outer}
            outer.pop("content-type")
        if bare and isinstance(error.body, str):
            kind = {"content-type": "text/plain; charset=utf-8"}
            await delivery.raw(Raw(error.status, {**kind, **outer}, error.body.encode()))
        else:
            body = wrapping.wrapped_error(self._desk.envelope, error, headers)
            await delivery.json(body, error.status, outer)


def _misfit(room: Room, body: Any, ignored: list[str]) -> str | None:
    """Tells what does not fit the type of the room's request."""
    try:
        room.shape.read(body, "", ignored)
    except MismatchError as problem:
        return str(problem)
    return None


def _is_unicode(body: Any) -> bool:
    """Tells whether all texts can be written; a Rust string holds no half of a surrogate pair."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
