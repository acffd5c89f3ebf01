"""Send a result: in the gateway's envelope and streaming mode, with the fault that is due."""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from xai_lowcode.emulator import envelope as envelopes
from xai_lowcode.emulator import faults
from xai_lowcode.emulator.fault_injection import (
    corrupt_bytes,
    corrupt_frames,
    is_byte_fault,
    send_body,
    send_chunks,
)
from xai_lowcode.emulator.handler_types import BinaryResult, CrashError, HandlerResult, SSEFrame
from xai_lowcode.emulator.json_values import encode_json
from xai_lowcode.emulator.request import parse_js_number
from xai_lowcode.emulator.response_channel import JSON_TYPE, Headers, RawResponse, ResponseChannel
from xai_lowcode.emulator.state import Emulator, StreamingMode

ENVELOPED_TYPE = re.compile(r"^(text|application)/(json|xml)(;.+)?$")
VALID_STATUSES = range(100, 1000)
SSE_TYPE = "text/event-stream; charset=utf-8"
COOKIE = {"set-cookie": "connect.sid=s%3Aemulated.session; Path=/; HttpOnly"}
MIN_COMPRESSED_SIZE = 512
ABORTED = "stream has been aborted"
COLLECTED: frozenset[StreamingMode] = frozenset({"buffered", "string"})


@dataclass(frozen=True, slots=True)
class ResponseWriter:
    """Sends one response to the client."""

    channel: ResponseChannel
    emulator: Emulator
    fault: faults.Fault | None = None
    accept_encoding: str = ""

    async def write_json(
        self, body: object, status: int = 200, headers: Headers | None = None
    ) -> None:
        """Send a JSON body, compressed if the option is set and the client accepts gzip."""
        headers = {"content-type": JSON_TYPE, **(headers or {})}
        encoded = encode_json(body)
        large = len(encoded) >= MIN_COMPRESSED_SIZE
        if self.emulator.compression and "gzip" in self.accept_encoding and large:
            headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
            encoded = gzip.compress(encoded, mtime=0)
        await self.write_raw(RawResponse(status, headers, encoded))

    async def write_raw(self, response: RawResponse) -> None:
        """Send bytes without an envelope, with the faults of bytes and of sending."""
        response = corrupt_bytes(response, self.fault)
        length = {"content-length": str(len(response.body))}
        if isinstance(self.fault, faults.Endless):
            length = {}
        await self.channel.start(response.status, {**response.headers, **length, **COOKIE})
        await send_body(self.channel, response.body, self.fault)

    async def write_result(self, result: HandlerResult | BinaryResult, headers: Headers) -> None:
        """Send the result of a handler; `headers` are the provider's."""
        if isinstance(result, BinaryResult):
            await self._write_binary(result, headers)
        elif result.frames is None or isinstance(self.fault, faults.StreamAsJson):
            await self._write_enveloped(result.body, headers)
        else:
            frames = corrupt_frames(result.frames, self.fault, result)
            await self._write_stream([self._encode_frame(frame) for frame in frames], headers)

    async def _write_stream(self, chunks: Sequence[bytes], headers: Headers) -> None:
        collected = self.emulator.streaming in COLLECTED
        if collected and isinstance(self.fault, faults.CutStream):
            # A gateway that collects the stream has not sent a byte when the stream breaks.
            writer = ResponseWriter(self.channel, self.emulator)
            await writer.write_json(envelopes.network_error(ABORTED), 500)
        elif self.emulator.streaming == "string":
            await self._write_enveloped(b"".join(chunks).decode(), headers)
        elif collected or is_byte_fault(self.fault):
            await self.write_raw(RawResponse(200, {"content-type": SSE_TYPE}, b"".join(chunks)))
        else:
            sse_headers = {"content-type": SSE_TYPE, "cache-control": "no-cache", **COOKIE}
            await self.channel.start(200, sse_headers)
            await send_chunks(self.channel, chunks, self.fault)

    async def _write_binary(self, result: BinaryResult, headers: Headers) -> None:
        kind = result.content_type
        if kind is None:
            await self.channel.hang()
        elif self.emulator.downloads == "intact":
            await self.write_raw(RawResponse(result.status, {"content-type": kind}, result.content))
        else:
            await self._write_decoded(result, kind, headers)

    async def _write_decoded(self, result: BinaryResult, kind: str, headers: Headers) -> None:
        """Send bytes as the gateway does: decoded as UTF-8, and parsed as JSON if possible."""
        value = _parse_or_text(result.content.decode("utf-8", "replace"))
        text_headers = {"content-type": f"{kind}; charset=utf-8"}
        if ENVELOPED_TYPE.fullmatch(kind):
            await (self.channel.hang() if value is None else self._write_enveloped(value, headers))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            # The gateway sends a number as the status; an invalid status ends its process.
            status = int(value)
            if status in VALID_STATUSES:
                phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else str(status)
                await self.write_raw(RawResponse(status, text_headers, phrase.encode()))
            else:
                raise CrashError
        else:
            body = b"" if value is None else encode_json(value)
            body = value.encode() if isinstance(value, str) else body
            await self.write_raw(RawResponse(result.status, text_headers, body))

    async def _write_enveloped(self, body: object, headers: Headers) -> None:
        envelope = self.emulator.envelope
        if isinstance(self.fault, faults.WrongEnvelope):
            if self.fault.envelope == "double":
                body = envelopes.wrap_success(envelope, body, headers)
            else:
                envelope = self.fault.envelope
        wrapped = envelopes.wrap_success(envelope, body, headers)
        # Without an envelope, the provider's headers are HTTP headers.
        extra = headers if envelope == "bare" else {}
        extra = {name: text for name, text in extra.items() if name != "content-type"}
        await self.write_json(wrapped, headers=extra)

    def _encode_frame(self, frame: SSEFrame) -> bytes:
        data = frame.data
        if not isinstance(data, str) and self.emulator.streaming == "wrapped":
            data = envelopes.wrap_chunk(self.emulator.envelope, data)
        encoded = data.encode() if isinstance(data, str) else encode_json(data)
        event = f"event: {frame.event}\n".encode() if frame.event else b""
        return event + b"data: " + encoded + b"\n\n"


def _parse_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_float=parse_js_number, parse_int=parse_js_number)
    except ValueError:
        return text
