"""Apply faults: replace a response, change the frames of a stream, its bytes, or how it is sent."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode.emulator import envelope as envelopes
from xai_lowcode.emulator import faults
from xai_lowcode.emulator.faults import Fault
from xai_lowcode.emulator.handler_types import HandlerResult, SSEFrame
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import ProviderError
from xai_lowcode.emulator.response_channel import Headers, RawResponse, ResponseChannel
from xai_lowcode.emulator.state import Emulator

HTML_TYPE = "text/html; charset=UTF-8"
HTML_PAGE = """<!DOCTYPE html>
<html><head><title>api.lowcodeapi.com | {status}: {phrase}</title></head>
<body><h1>{phrase} <span>Error code {status}</span></h1><p>Ray ID: 8f1c2d</p>
</body></html>
"""
PHRASES = {403: "Forbidden", 502: "Bad gateway", 503: "Service unavailable", 504: "Gateway timeout"}
CODES = {
    400: "invalid-argument",
    401: "unauthenticated",
    403: "permission-denied",
    404: "not-found",
    429: "resource-exhausted",
    503: "unavailable",
}
FIRST_MULTIBYTE = 0xC2
PARTIAL_CHARACTER = b"\xe4\xbd"
MEGABYTE = 1_000_000
SSE_COMMENT = b": " + b"x" * 97 + b"\n"
BYTE_FAULTS = (faults.Gzip, faults.WrongType, faults.InvalidUTF8, faults.Huge)
DRIP_CHUNKS = 8
BLOCK_SIZE = 1 << 20
# A line feed has no meaning between JSON tokens and between server-sent events.
BLANK = b"\n"


# --- the whole response ---


def disconnect(fault: Fault | None, channel: ResponseChannel, emulator: Emulator) -> bool:
    """Close the connection without a response; return False for other faults."""
    match fault:
        case faults.Drop():
            channel.close()
        case faults.Reset():
            channel.reset()
        case faults.Outage():
            emulator.refuse_connections(fault.seconds)
            channel.close()
        case _:
            return False
    return True


def replace_response(fault: Fault | None) -> RawResponse | None:
    """Return the response that a fault sends in place of the real one; None for other faults."""
    match fault:
        case faults.Html():
            return html_page(fault.status)
        case faults.Empty():
            kind = fault.content_type
            return RawResponse(fault.status, {} if kind is None else {"content-type": kind})
        case faults.Garbage():
            return RawResponse(fault.status, {"content-type": fault.content_type}, fault.body)
        case faults.Redirect():
            headers = {"location": fault.location, "content-type": "text/plain; charset=utf-8"}
            return RawResponse(302, headers, b"Found. Redirecting")
    return None


def html_page(status: int) -> RawResponse:
    """Return the error page of a proxy in front of the gateway."""
    phrase = PHRASES.get(status, "Web server is returning an unknown error")
    page = HTML_PAGE.format(status=status, phrase=phrase)
    return RawResponse(status, {"content-type": HTML_TYPE}, page.encode())


def provider_error(fault: faults.Refuse) -> ProviderError:
    """Return the provider's error of a `Refuse`."""
    headers = {} if fault.retry_after_in == "header" else _retry_after(fault)
    return ProviderError(fault.status, _refusal_body(fault), headers)


def gateway_error(fault: faults.Refuse) -> Any:
    """Return the gateway's error of a `Refuse`; a 5xx is a failure to reach xAI."""
    if fault.shape == "documented":
        return _refusal_body(fault)
    if fault.status >= envelopes.FIRST_SERVER_ERROR:
        return envelopes.network_error(fault.error)
    return envelopes.gateway_error(fault.status, fault.error)


def retry_after_header(fault: Fault | None) -> Headers:
    """Return the `Retry-After` header of the HTTP response with a `Refuse`."""
    if not isinstance(fault, faults.Refuse):
        return {}
    # These errors have no provider headers in their body.
    header_only = fault.source == "gateway" or fault.shape == "documented"
    return {} if fault.retry_after_in == "body" and not header_only else _retry_after(fault)


def _retry_after(fault: faults.Refuse) -> Headers:
    return {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}


def error_in_200(fault: faults.ErrorIn200) -> HandlerResult:
    """Return an error body as a success."""
    return HandlerResult(_error_body(fault.code, fault.error))


def _error_body(code: str | None, error: str) -> Json:
    return {"error": error} if code is None else {"code": code, "error": error}


def _refusal_body(fault: faults.Refuse) -> Any:
    code = fault.code or CODES.get(fault.status, "internal")
    openai = {"message": fault.error, "type": "invalid_request_error", "param": None, "code": code}
    bodies: dict[str, Any] = {
        "xai": _error_body(code, fault.error),
        "openai": {"error": openai},
        "message": {"message": fault.error, "code": code},
        "text": fault.error,
        "empty": "",
        "documented": {"data": {"error": {"message": fault.error, "code": code}}},
    }
    return bodies[fault.shape]


# --- the frames of a stream ---


def corrupt_frames(
    frames: Sequence[SSEFrame], fault: Fault | None, result: HandlerResult
) -> Sequence[SSEFrame]:
    """Add, remove or replace frames of a stream."""
    match fault:
        case faults.EndStreamEarly():
            frames = _open_frames(frames[: fault.after_chunks])
        case faults.ErrorInStream():
            frames = [*_open_frames(frames[: fault.after_chunks]), _error_frame(fault, result)]
        case faults.NoDone():
            frames = [frame for frame in frames if frame.data != "[DONE]"]
        case faults.DoubleDone():
            frames = [*frames, SSEFrame("[DONE]", closing=True)]
        case faults.Endless():
            frames = _open_frames(frames)
        case faults.Heartbeats():
            heartbeats = [result.heartbeat] * fault.count if result.heartbeat else []
            frames = [*frames[:1], *heartbeats, *frames[1:]]
    return frames


def _open_frames(frames: Sequence[SSEFrame]) -> list[SSEFrame]:
    """Remove the frames that complete the stream."""
    return [frame for frame in frames if not frame.closing]


def _error_frame(fault: faults.ErrorInStream, result: HandlerResult) -> SSEFrame:
    if fault.form == "line":
        return SSEFrame(_error_body(fault.code, fault.error))
    if fault.form == "failed":
        error = {"code": fault.code, "message": fault.error}
        response = {**result.body, "status": "failed", "error": error, "output": [], "usage": None}
        body = {"type": "response.failed", "response": response}
        return SSEFrame(body, event="response.failed")
    is_message = isinstance(result.body, dict) and result.body.get("type") == "message"
    if is_message or fault.form == "nested":
        error = {"type": fault.code, "message": fault.error}
        return SSEFrame({"type": "error", "error": error}, event="error")
    error = {"code": fault.code, "message": fault.error, "param": None}
    return SSEFrame({"type": "error", **error}, event="error")


# --- the bytes of a response ---


def is_byte_fault(fault: Fault | None) -> bool:
    """Return True if a fault changes the bytes, for which the body must be complete."""
    return isinstance(fault, BYTE_FAULTS)


def corrupt_bytes(response: RawResponse, fault: Fault | None) -> RawResponse:
    """Change the body or its headers."""
    body, headers = response.body, response.headers
    match fault:
        case faults.Gzip():
            body = gzip.compress(body, mtime=0)
            body = body[: len(body) // 2] if fault.broken else body
            headers = {**headers, "content-encoding": "gzip"}
        case faults.WrongType():
            headers = {**headers, "content-type": fault.content_type}
        case faults.InvalidUTF8():
            body = _break_character(body)
        case faults.Huge():
            missing = max(0, int(fault.megabytes * MEGABYTE) - len(body))
            if headers.get("content-type", "").startswith("text/event-stream"):
                body = SSE_COMMENT * -(-missing // len(SSE_COMMENT)) + b"\n" + body
            else:
                body += b" " * missing
    return replace(response, body=body, headers=headers)


def _multibyte_index(body: bytes) -> int | None:
    return next((index for index, byte in enumerate(body) if byte >= FIRST_MULTIBYTE), None)


def _break_character(body: bytes) -> bytes:
    """Break the first multi-byte character, or insert half of one into the last string."""
    index = _multibyte_index(body)
    if index is not None:
        return body[: index + 1] + body[index + 2 :]
    quote = body.rfind(b'"')
    return body[:quote] + PARTIAL_CHARACTER + body[quote:]


def truncate_mid_char(chunk: bytes) -> bytes:
    """Truncate a chunk, inside a multi-byte character if it has one."""
    index = _multibyte_index(chunk)
    return chunk[: len(chunk) // 2 if index is None else index + 1]


# --- how a response is sent ---


async def send_body(channel: ResponseChannel, body: bytes, fault: Fault | None) -> None:
    """Send a body that is not streamed."""
    match fault:
        case faults.CutStream():
            await channel.write(body[: len(body) // 2])
            channel.close()
        case faults.CutBytes() | faults.SlowDrip():
            step = max(1, -(-len(body) // DRIP_CHUNKS))
            chunks = [body[start : start + step] for start in range(0, len(body), step)]
            await send_chunks(channel, chunks, fault)
        case faults.Endless():
            await send_chunks(channel, [body[:-1]], fault)
        case _:
            start = 0
            while len(body) - start > BLOCK_SIZE and not channel.is_closed:
                await channel.write(body[start : start + BLOCK_SIZE])
                start += BLOCK_SIZE
            await channel.finish(body[start:])


async def send_chunks(
    channel: ResponseChannel, chunks: Sequence[bytes], fault: Fault | None
) -> None:
    """Send a stream."""
    match fault:
        case faults.CutStream() if len(chunks) > fault.after_chunks:
            await _write_all(channel, chunks[: fault.after_chunks])
            if fault.mid_chunk:
                await channel.write(truncate_mid_char(chunks[fault.after_chunks]))
            channel.close()
        case faults.CutBytes():
            await channel.write(b"".join(chunks)[: fault.after])
            channel.close()
        case faults.Endless():
            await _write_all(channel, chunks)
            while not channel.is_closed:
                await channel.sleep(fault.pause)
                await channel.write(BLANK)
            channel.close()
        case _:
            pause = fault.seconds_per_chunk if isinstance(fault, faults.SlowDrip) else 0.0
            await _write_all(channel, chunks, pause)
            await channel.finish()


async def _write_all(channel: ResponseChannel, chunks: Sequence[bytes], pause: float = 0.0) -> None:
    for chunk in chunks:
        await channel.sleep(pause)
        await channel.write(chunk)
