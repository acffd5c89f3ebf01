"""Putting an answer on the line: in one block or in pieces, whole or with the fault of the day."""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from xai_lowcode.emulator import envelope as wrapping
from xai_lowcode.emulator import fault_injection as sending
from xai_lowcode.emulator import faults
from xai_lowcode.emulator import response_writer as passing
from xai_lowcode.emulator.fault_injection import Raw, is_spoiler, marred, spoiled
from xai_lowcode.emulator.handler_types import Answer, Blob, Frame
from xai_lowcode.emulator.request import number
from xai_lowcode.emulator.response_channel import Headers, Line
from xai_lowcode.emulator.state import Downloads, Emulator, Streaming

IN_ENVELOPE = re.compile(r"^(text|application)/(json|xml)(;.+)?$")
STATUSES = range(100, 1000)


@dataclass(frozen=True, slots=True)
class Enveloped:
    """It is wrapped like any other JSON."""

    body: Any


class Never:
    """The gateway swallows its own failure and does not answer."""


class Dies:
    """The gateway's process ends."""


def intact(blob: Blob) -> Raw | Never:
    """Passes an answer on as it is."""
    if blob.content_type is None:
        return Never()
    return Raw(blob.status, {"content-type": blob.content_type}, blob.content)


def as_gateway(blob: Blob) -> Raw | Enveloped | Never | Dies:
    """Passes an answer on as the published gateway does."""
    value = _parsed(blob.content.decode("utf-8", "replace"))
    if blob.content_type is None:
        return Never()
    if IN_ENVELOPE.fullmatch(blob.content_type):
        return Never() if value is None else Enveloped(value)
    kind = {"content-type": f"{blob.content_type}; charset=utf-8"}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _as_status(int(value), kind)
    if value is None:
        return Raw(blob.status, kind)
    body = value.encode() if isinstance(value, str) else wrapping.encoded(value)
    return Raw(blob.status, kind, body)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_float=number, parse_int=number)
    except ValueError:
        return text


def _as_status(code: int, kind: dict[str, str]) -> Raw | Dies:
    if code not in STATUSES:
        return Dies()
    known = code in set(HTTPStatus)
    return Raw(code, kind, (HTTPStatus(code).phrase if known else str(code)).encode())


JSON_TYPE = "application/json; charset=utf-8"
SSE_TYPE = "text/event-stream; charset=utf-8"
COOKIE = {"set-cookie": "connect.sid=s%3Aemulated.session; Path=/; HttpOnly"}
COMPRESSED_FROM = 512
ABORTED = "stream has been aborted"
WHOLE_STREAMS: frozenset[Streaming] = frozenset({"buffered", "string"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One answer on its way to the client."""

    line: Line
    gateway: Emulator
    fault: faults.Fault | None = None
    accepts: str = ""

    async def json(self, body: object, status: int = 200, more: Headers | None = None) -> None:
        """Sends a JSON body, packed where the switch says so and the client can unpack it."""
        raw = Raw(status, {"content-type": JSON_TYPE, **(more or {})}, wrapping.encoded(body))
        large = len(raw.body) >= COMPRESSED_FROM
        if self.gateway.compression and "gzip" in self.accepts and large:
            headers = {**raw.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"}
            raw = Raw(status, headers, gzip.compress(raw.body, mtime=0))
        await self.raw(raw)

    async def raw(self, raw: Raw) -> None:
        """Sends bytes as they are, unless a fault spoils, cuts or slows them."""
        raw = spoiled(raw, self.fault)
        length = {"content-length": str(len(raw.body))}
        if isinstance(self.fault, faults.Endless):
            length = {}
        await self.line.begin(raw.status, {**raw.headers, **length, **COOKIE})
        send = sending.SENDERS.get(type(self.fault), sending.whole)
        await send(self.line, raw.body, self.fault)

    async def success(self, answer: Answer | Blob, headers: Headers) -> None:
        """Sends what the provider answered, as the switches of the gateway say."""
        if isinstance(answer, Blob):
            await self._blob(answer, headers)
        elif answer.frames is None or isinstance(self.fault, faults.StreamAsJson):
            await self._enveloped(answer.body, headers)
        else:
            frames = marred(answer.frames, self.fault, answer)
            await self._stream([self._chunk(frame) for frame in frames], headers)

    async def _stream(self, chunks: Sequence[bytes], headers: Headers) -> None:
        collected = self.gateway.streaming in WHOLE_STREAMS
        if collected and isinstance(self.fault, faults.CutStream):
            # A gateway that collects the stream notices the break before it has sent a byte.
            calm = Delivery(self.line, self.gateway)
            await calm.json(wrapping.network_error(ABORTED), 500)
        elif self.gateway.streaming == "string":
            await self._enveloped(b"".join(chunks).decode(), headers)
        elif collected or is_spoiler(self.fault):
            await self.raw(Raw(200, {"content-type": SSE_TYPE}, b"".join(chunks)))
        else:
            kind = {"content-type": SSE_TYPE, "cache-control": "no-cache", **COOKIE}
            await self.line.begin(200, kind)
            send = sending.PIECE_SENDERS.get(type(self.fault), sending.pieces)
            await send(self.line, chunks, self.fault)

    async def _blob(self, blob: Blob, headers: Headers) -> None:
        passed = PASSING[self.gateway.downloads](blob)
        if isinstance(passed, passing.Never):
            await self.line.silence()
        elif isinstance(passed, passing.Dies):
            self.line.cut()
        elif isinstance(passed, Raw):
            await self.raw(passed)
        else:
            await self._enveloped(passed.body, headers)

    async def _enveloped(self, body: object, headers: Headers) -> None:
        envelope, inner = self.gateway.envelope, body
        if isinstance(self.fault, faults.WrongEnvelope):
            if self.fault.envelope == "double":
                inner = wrapping.wrapped(envelope, body, headers)
            else:
                envelope = self.fault.envelope
        wrapped = wrapping.wrapped(envelope, inner, headers)
        # Without a gateway's wrapping the provider's own headers are those of HTTP.
        own = headers if envelope == "bare" else {}
        await self.json(
            wrapped, more={name: text for name, text in own.items() if name != "content-type"}
        )

    def _chunk(self, frame: Frame) -> bytes:
        data = frame.data
        if not isinstance(data, str) and self.gateway.streaming == "wrapped":
            data = wrapping.wrapped_chunk(self.gateway.envelope, data)
        text = data.encode() if isinstance(data, str) else wrapping.encoded(data)
        lead = f"event: {frame.event}\n".encode() if frame.event else b""
        return lead + b"data: " + text + b"\n\n"


PASSING: dict[Downloads, Callable[[Blob], Any]] = {
    "as_gateway": passing.as_gateway,
    "intact": passing.intact,
}
