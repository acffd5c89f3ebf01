"""Putting an answer on the line: in one block or in pieces, whole or with the fault of the day."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from xai_lowcode.emulator import wrapping
from xai_lowcode.emulator.answers import Answer, Frame
from xai_lowcode.emulator.faults import CutStream, Fault, SlowDrip, StreamAsJson
from xai_lowcode.emulator.line import Headers, Line
from xai_lowcode.emulator.mishaps import Raw, marred, torn
from xai_lowcode.emulator.switchboard import Emulator, Streaming

JSON_TYPE = "application/json; charset=utf-8"
SSE_TYPE = "text/event-stream; charset=utf-8"
COOKIE = {"set-cookie": "connect.sid=s%3Aemulated.session; Path=/; HttpOnly"}
COMPRESSED_FROM = 512
DRIPS = 8
ABORTED = "stream has been aborted"
WHOLE_STREAMS: frozenset[Streaming] = frozenset({"buffered", "string"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One answer on its way to the client."""

    line: Line
    gateway: Emulator
    fault: Fault | None = None
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
        """Sends bytes as they are; the faults of streams cut or slow them as well."""
        length = {"content-length": str(len(raw.body))}
        await self.line.begin(raw.status, {**raw.headers, **length, **COOKIE})
        if isinstance(self.fault, CutStream):
            await self.line.piece(raw.body[: len(raw.body) // 2])
            self.line.cut()
        elif isinstance(self.fault, SlowDrip):
            step = max(1, -(-len(raw.body) // DRIPS))
            for start in range(0, len(raw.body), step):
                await self.line.rest(self.fault.seconds_per_chunk)
                await self.line.piece(raw.body[start : start + step])
            await self.line.end()
        else:
            await self.line.end(raw.body)

    async def success(self, answer: Answer, headers: Headers) -> None:
        """Sends what the provider answered, as the switches of the gateway say."""
        if answer.frames is None or isinstance(self.fault, StreamAsJson):
            await self._enveloped(answer.body, headers)
            return
        chunks = [self._chunk(frame) for frame in marred(answer.frames, self.fault, answer)]
        if self.gateway.streaming in WHOLE_STREAMS and isinstance(self.fault, CutStream):
            # A gateway that collects the stream notices the break before it has sent a byte.
            calm = Delivery(self.line, self.gateway)
            await calm.json(wrapping.network_error(ABORTED), 500)
        elif self.gateway.streaming == "buffered":
            await self.raw(Raw(200, {"content-type": SSE_TYPE}, b"".join(chunks)))
        elif self.gateway.streaming == "string":
            await self._enveloped(b"".join(chunks).decode(), headers)
        else:
            await self._pieces(chunks)

    async def _enveloped(self, body: object, headers: Headers) -> None:
        wrapped = wrapping.wrapped(self.gateway.envelope, body, headers)
        # Without a gateway's wrapping the provider's own headers are those of HTTP.
        own = headers if self.gateway.envelope == "bare" else {}
        await self.json(
            wrapped, more={name: text for name, text in own.items() if name != "content-type"}
        )

    async def _pieces(self, chunks: Sequence[bytes]) -> None:
        pause = self.fault.seconds_per_chunk if isinstance(self.fault, SlowDrip) else 0.0
        headers = {"content-type": SSE_TYPE, "cache-control": "no-cache", **COOKIE}
        await self.line.begin(200, headers)
        for index, chunk in enumerate(chunks):
            if isinstance(self.fault, CutStream) and index == self.fault.after_chunks:
                if self.fault.mid_chunk:
                    await self.line.piece(torn(chunk))
                self.line.cut()
                return
            await self.line.rest(pause)
            await self.line.piece(chunk)
        await self.line.end()

    def _chunk(self, frame: Frame) -> bytes:
        data = frame.data
        if not isinstance(data, str) and self.gateway.streaming == "wrapped":
            data = wrapping.wrapped_chunk(self.gateway.envelope, data)
        text = data.encode() if isinstance(data, str) else wrapping.encoded(data)
        lead = f"event: {frame.event}\n".encode() if frame.event else b""
        return lead + b"data: " + text + b"\n\n"
