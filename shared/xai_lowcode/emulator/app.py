"""The ASGI application: authorize a request, find its route, call the handler, send the result."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from xai_lowcode.emulator import envelope as envelopes
from xai_lowcode.emulator import fault_injection
from xai_lowcode.emulator.faults import CloseAfter, ErrorIn200, Fault, Refuse, Stall
from xai_lowcode.emulator.handler_types import (
    BinaryResult,
    CrashError,
    HandlerRequest,
    HandlerResult,
)
from xai_lowcode.emulator.json_values import has_lone_surrogate, is_deeper
from xai_lowcode.emulator.pages import render_page
from xai_lowcode.emulator.provider_errors import ProviderError, bad_request, not_found
from xai_lowcode.emulator.request import (
    TOO_DEEP,
    GatewayError,
    ReceivedRequest,
    decode_sent_body,
    parse_body,
    receive_request,
)
from xai_lowcode.emulator.response_channel import RawResponse, ResponseChannel
from xai_lowcode.emulator.response_writer import ResponseWriter
from xai_lowcode.emulator.routing import PREFIX, RouteMatch, match_route, match_upstream
from xai_lowcode.emulator.state import TOKEN_PREFIX, Emulator, RecordedRequest
from xai_lowcode.emulator.store import MAX_ENTRIES
from xai_lowcode.emulator.validation import MAX_DEPTH, DeserializationError

CONNECTION = "xai_lowcode.connection"  # the ASGI extension with the `ConnectionControl`
NO_HANDLER = (
    "No handler found on route. Please double check your URL and consult "
    "https://api.x.ai/docs for more information."
)
LONE_SURROGATE = "Failed to parse the request body as JSON: lone surrogate in hex escape"


class EmulatorApp:
    """The ASGI application."""

    def __init__(self, emulator: Emulator, closing: asyncio.Event) -> None:
        self._emulator = emulator
        self._closing = closing
        self._running: set[asyncio.Task[Any]] = set()
        self._down_until = 0.0

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any
    ) -> None:
        """Handle one request."""
        path, connection = scope["raw_path"].decode("latin-1"), scope["extensions"][CONNECTION]
        channel = ResponseChannel(send, connection, self._closing, scope["method"], path)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy: a coroutine runs in a task
        self._running.add(task)
        try:
            request = await receive_request(scope, receive)
            await self._handle(channel, request)
        except GatewayError as error:
            await ResponseWriter(channel, self._emulator).write_json(error.body, error.status)
        except CrashError:
            if task in self._running:
                self._crash(task)
            await self._end_by_crash(channel)
        except asyncio.CancelledError:
            if task in self._running:
                raise
            await self._end_by_crash(channel)
        finally:
            self._running.discard(task)
            channel.end()

    def _crash(self, task: asyncio.Task[Any]) -> None:
        """End the process of the gateway, with its connections and all requests.

        Args:
            task: The request that caused the crash.
        """
        emulator = self._emulator
        emulator.crashes += 1
        if not emulator.restart_seconds:
            return
        self._down_until = asyncio.get_running_loop().time() + emulator.restart_seconds
        ended, self._running = self._running, set()
        for other in ended:
            if other is not task:
                other.cancel()
        if not emulator.front:
            emulator.end_process()

    async def _end_by_crash(self, channel: ResponseChannel) -> None:
        """Close the connection of a request; a front server responds with 502 instead."""
        if self._emulator.front:
            await self._write_bad_gateway(channel)
        else:
            channel.close()

    def _is_down(self) -> bool:
        return asyncio.get_running_loop().time() < self._down_until

    async def _write_bad_gateway(self, channel: ResponseChannel) -> None:
        if channel.is_started:
            channel.close()
            return
        page = fault_injection.html_page(502)
        await ResponseWriter(channel, self._emulator).write_raw(page)

    async def _handle(self, channel: ResponseChannel, request: ReceivedRequest) -> None:
        if self._is_down():
            await self._end_by_crash(channel)
            return
        page = render_page(request, self._emulator)
        if page is not None:
            if request.path.lower().startswith(PREFIX + "/"):
                self._record(channel, request, None, None)
            await ResponseWriter(channel, self._emulator).write_raw(page)
            return
        match, body = self._parse(channel, request)
        if match is None:
            raise GatewayError(404, envelopes.NOT_FOUND)
        if match.crashes_gateway:
            raise CrashError
        self._authorize(request)
        fault = self._emulator.next_fault()
        stall = fault.seconds if isinstance(fault, Stall) else 0.0
        await channel.sleep(self._emulator.latency + stall)
        await self._respond(channel, request, match, body, fault)

    def _parse(
        self, channel: ResponseChannel, request: ReceivedRequest
    ) -> tuple[RouteMatch | None, Any]:
        """Parse the body and match the route; the request is recorded also if this fails."""
        body: Any = None
        match: RouteMatch | None = None
        refusal: GatewayError | None = None
        try:
            body = parse_body(request)
        except GatewayError as error:
            refusal = error
        try:
            match = match_route(request.method, request.path, request.query, self._emulator)
        except GatewayError as error:
            refusal = error
        self._record(channel, request, match, body)
        if refusal is not None:
            raise refusal
        return match, body

    def _record(
        self,
        channel: ResponseChannel,
        request: ReceivedRequest,
        match: RouteMatch | None,
        body: Any,
    ) -> None:
        ignored: list[str] = []
        if match is not None and isinstance(body, dict):
            # A mismatch is reported later; here only the ignored fields are collected.
            with suppress(DeserializationError):
                match.route.validator.validate(body, "", ignored)
        upstream = match_upstream(request.method, match.upstream) if match else None
        recorded = RecordedRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            body=decode_sent_body(request),
            headers=request.headers,
            ignored=tuple(ignored),
            with_token=bool(request.tokens),
            route=match.route.path if match else None,
            upstream=match.upstream_url(request.query) if match else None,
            upstream_route=upstream.route.path if upstream else None,
            outcome=channel.outcome,
        )
        del self._emulator.requests[: -MAX_ENTRIES + 1]
        self._emulator.requests.append(recorded)
        channel.recorded = recorded

    def _authorize(self, request: ReceivedRequest) -> None:
        """Require exactly one valid token of an account that is connected to xAI."""
        tokens = request.tokens
        if len(tokens) > 1:
            message = f"apiToken.match is not a function: {tokens}"
            raise GatewayError(500, envelopes.network_error(message))
        if not tokens or not tokens[0].startswith(TOKEN_PREFIX):
            raise GatewayError(401, envelopes.missing_token_error(request))
        if tokens[0] == self._emulator.unconnected_token:
            raise GatewayError(403, envelopes.gateway_error(403, envelopes.NOT_CONNECTED))
        if tokens[0] != self._emulator.api_token:
            raise GatewayError(403, envelopes.gateway_error(403, "Invalid api_token"))

    async def _respond(
        self,
        channel: ResponseChannel,
        request: ReceivedRequest,
        match: RouteMatch,
        body: Any,
        fault: Fault | None,
    ) -> None:
        """Send the response of the fault, or of the provider with the fault applied."""
        sequence = self._emulator.next_sequence()
        writer = ResponseWriter(channel, self._emulator)
        if fault_injection.disconnect(fault, channel, self._emulator):
            return
        replacement = fault_injection.replace_response(fault)
        if replacement is not None:
            await writer.write_raw(replacement)
        elif isinstance(fault, Refuse) and fault.source == "gateway":
            headers = fault_injection.retry_after_header(fault)
            await writer.write_json(fault_injection.gateway_error(fault), fault.status, headers)
        else:
            try:
                result = await self._call_provider(request, match, body, sequence, fault)
            except ProviderError as error:
                await self._write_provider_error(writer, error, sequence, fault)
            else:
                accept_encoding = request.headers.get("accept-encoding", "")
                writer = ResponseWriter(channel, self._emulator, fault, accept_encoding)
                await writer.write_result(result, envelopes.provider_headers(sequence))
        if isinstance(fault, CloseAfter):
            channel.close()

    async def _call_provider(
        self,
        request: ReceivedRequest,
        match: RouteMatch,
        body: Any,
        sequence: int,
        fault: Fault | None,
    ) -> HandlerResult | BinaryResult:
        """Call the handler of the URL that the gateway requests from the provider."""
        if isinstance(fault, Refuse):
            raise fault_injection.provider_error(fault)
        if isinstance(fault, ErrorIn200):
            return fault_injection.error_in_200(fault)
        upstream = match_upstream(request.method, match.upstream)
        if upstream is None:
            raise not_found(NO_HANDLER)
        if is_deeper(body, MAX_DEPTH):
            raise bad_request(TOO_DEEP)
        if has_lone_surrogate(body):
            raise bad_request(LONE_SURROGATE)
        upstream.route.validator.validate(body, "", [])
        # The gateway repeats path parameters in the query.
        query = {**request.query, **match.values, **match.extra_query, **upstream.query}
        return await upstream.route.handler(
            HandlerRequest(body, upstream.values, query, sequence, self._emulator)
        )

    async def _write_provider_error(
        self, writer: ResponseWriter, error: ProviderError, sequence: int, fault: Fault | None
    ) -> None:
        headers = envelopes.provider_headers(sequence, **error.headers)
        http_headers = fault_injection.retry_after_header(fault)
        if isinstance(error.body, dict) and "data" in error.body:
            # The documented error format has no envelope.
            await writer.write_json(error.body, error.status, http_headers)
            return
        bare = self._emulator.envelope == "bare"
        if bare:
            http_headers = {**headers, **http_headers}
            http_headers.pop("content-type")
        if bare and isinstance(error.body, str):
            http_headers = {"content-type": "text/plain; charset=utf-8", **http_headers}
            await writer.write_raw(RawResponse(error.status, http_headers, error.body.encode()))
        else:
            body = envelopes.wrap_error(self._emulator.envelope, error, headers)
            await writer.write_json(body, error.status, http_headers)
