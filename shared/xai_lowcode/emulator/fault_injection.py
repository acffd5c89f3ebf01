"""Faults that replace or mar an answer, each as a small function in a table.

Whole answers are replaced by `replaced`; the frames of a stream are marred by `marred`.
"""

import gzip
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xai_lowcode.emulator import envelope as wrapping
from xai_lowcode.emulator import faults
from xai_lowcode.emulator.handler_types import Answer, Frame, Json, ProviderError
from xai_lowcode.emulator.response_channel import Headers, Line
from xai_lowcode.emulator.state import Emulator

HTML_TYPE = "text/html; charset=UTF-8"
PAGE = """<!DOCTYPE html>
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


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that go to the client as they are."""

    status: int
    headers: Headers
    body: bytes = b""


def replaced(fault: faults.Fault | None) -> Raw | None:
    """Makes the answer that takes the place of the real one, where the fault is of that kind."""
    maker = REPLACEMENTS.get(type(fault))
    return maker(fault) if maker else None


def provider_error(fault: faults.Refuse) -> ProviderError:
    """Makes the provider's error of a refusal."""
    body = SHAPES[fault.shape](fault)
    hint = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return ProviderError(fault.status, body, hint if fault.retry_after_in != "header" else {})


def outer_hint(fault: faults.Refuse) -> Headers:
    """Tells the HTTP header with which a refusal asks for patience."""
    # An error without provider headers has no place in its body.
    placeless = fault.source == "gateway" or fault.shape == "documented"
    if fault.retry_after is None or (fault.retry_after_in == "body" and not placeless):
        return {}
    return {"retry-after": f"{fault.retry_after:g}"}


def gateway_refusal(fault: faults.Refuse) -> Any:
    """Makes the gateway's error of a refusal; 5xx of its own are failures to reach xAI."""
    if fault.shape == "documented":
        return SHAPES[fault.shape](fault)
    if fault.status >= wrapping.FIRST_SERVER_ERROR:
        return wrapping.network_error(fault.error)
    return wrapping.gateway_error(fault.status, fault.error)


def error_in_200(fault: faults.ErrorIn200) -> Answer:
    """Makes the success that is none."""
    return Answer(_error_body(fault.code, fault.error))


def ended(fault: faults.Fault | None, line: Line, desk: Emulator) -> bool:
    """Ends the connection without an answer, where the fault is of that kind."""
    end = ENDINGS.get(type(fault))
    if end is not None:
        end(fault, line, desk)
    return end is not None


def marred(frames: Sequence[Frame], fault: faults.Fault | None, answer: Answer) -> Sequence[Frame]:
    """Mars the frames of a stream, where the fault is of that kind."""
    change = CHANGES.get(type(fault))
    return change(frames, fault, answer) if change else frames


def torn(frame: bytes) -> bytes:
    """Tears a frame, inside a character of several bytes if there is one."""
    spot = next((index for index, byte in enumerate(frame) if byte >= FIRST_WIDE_BYTE), None)
    return frame[: len(frame) // 2 if spot is None else spot + 1]


FIRST_WIDE_BYTE = 0xC2


def _error_body(code: str | None, error: str) -> Json:
    return {"error": error} if code is None else {"code": code, "error": error}


def _code(fault: faults.Refuse) -> str:
    return fault.code or CODES.get(fault.status, "internal")


def _html(fault: faults.Html) -> Raw:
    phrase = PHRASES.get(fault.status, "Web server is returning an unknown error")
    page = PAGE.format(status=fault.status, phrase=phrase)
    return Raw(fault.status, {"content-type": HTML_TYPE}, page.encode())


def _empty(fault: faults.Empty) -> Raw:
    return Raw(
        fault.status, {} if fault.content_type is None else {"content-type": fault.content_type}
    )


def _garbage(fault: faults.Garbage) -> Raw:
    return Raw(fault.status, {"content-type": fault.content_type}, fault.body)


def _redirect(fault: faults.Redirect) -> Raw:
    headers = {"location": fault.location, "content-type": "text/plain; charset=utf-8"}
    return Raw(302, headers, b"Found. Redirecting")


def _out(fault: faults.Outage, line: Line, desk: Emulator) -> None:
    desk.refuse_connections(fault.seconds)
    line.cut()


def _first(frames: Sequence[Frame], number: int) -> list[Frame]:
    """Takes the first frames, but none that would close the stream."""
    return [frame for frame in frames[:number] if not frame.closing]


def _ended_early(frames: Sequence[Frame], fault: faults.EndStreamEarly, _: Answer) -> list[Frame]:
    return _first(frames, fault.after_chunks)


def _with_error(
    frames: Sequence[Frame], fault: faults.ErrorInStream, answer: Answer
) -> list[Frame]:
    error = ERROR_FRAMES[fault.form](fault, answer)
    return [*_first(frames, fault.after_chunks), error]


def _error_line(fault: faults.ErrorInStream, _: Answer) -> Frame:
    return Frame(_error_body(fault.code, fault.error))


def _error_event(fault: faults.ErrorInStream, answer: Answer) -> Frame:
    if isinstance(answer.body, dict) and answer.body.get("type") == "message":
        error = {"type": fault.code, "message": fault.error}
        return Frame({"type": "error", "error": error}, event="error")
    body = {"code": fault.code, "message": fault.error, "param": None}
    return Frame({"type": "error", **body}, event="error")


def _failure(fault: faults.ErrorInStream, answer: Answer) -> Frame:
    error = {"code": fault.code, "message": fault.error}
    response = {**answer.body, "status": "failed", "error": error, "output": [], "usage": None}
    kind = "response.failed"
    return Frame({"type": kind, "response": response}, event=kind)


def _without_done(frames: Sequence[Frame], _: faults.NoDone, __: Answer) -> list[Frame]:
    return [frame for frame in frames if frame.data != "[DONE]"]


def _twice_done(frames: Sequence[Frame], _: faults.DoubleDone, __: Answer) -> list[Frame]:
    return [*frames, Frame("[DONE]", closing=True)]


def _unfinished(frames: Sequence[Frame], _: faults.Endless, __: Answer) -> list[Frame]:
    return _first(frames, len(frames))


def _beating(frames: Sequence[Frame], fault: faults.Heartbeats, answer: Answer) -> list[Frame]:
    beats = [answer.heartbeat] * fault.count if answer.heartbeat else []
    return [*frames[:1], *beats, *frames[1:]]


SHAPES: dict[str, Callable[[faults.Refuse], Any]] = {
    "xai": lambda fault: _error_body(_code(fault), fault.error),
    "openai": lambda fault: {
        "error": {
            "message": fault.error,
            "type": "invalid_request_error",
            "param": None,
            "code": _code(fault),
        }
    },
    "message": lambda fault: {"message": fault.error, "code": _code(fault)},
    "text": lambda fault: fault.error,
    "empty": lambda _: "",
    "documented": lambda fault: {"data": {"error": {"message": fault.error, "code": _code(fault)}}},
}
ENDINGS: dict[type[faults.Fault] | type[None], Callable[[Any, Line, Emulator], None]] = {
    faults.Drop: lambda _, line, __: line.cut(),
    faults.Reset: lambda _, line, __: line.reset(),
    faults.Outage: _out,
}
ERROR_FRAMES: dict[str, Callable[[faults.ErrorInStream, Answer], Frame]] = {
    "line": _error_line,
    "event": _error_event,
    "failed": _failure,
}
REPLACEMENTS: dict[type[faults.Fault] | type[None], Callable[[Any], Raw]] = {
    faults.Html: _html,
    faults.Empty: _empty,
    faults.Garbage: _garbage,
    faults.Redirect: _redirect,
}
CHANGES: dict[type[faults.Fault] | type[None], Callable[[Any, Any, Any], Sequence[Frame]]] = {
    faults.EndStreamEarly: _ended_early,
    faults.ErrorInStream: _with_error,
    faults.NoDone: _without_done,
    faults.DoubleDone: _twice_done,
    faults.Endless: _unfinished,
    faults.Heartbeats: _beating,
}


DRIPS = 8
BLOCK = 1 << 20
# Means nothing in JSON, between server-sent events, and in text.
NOTHING = b"\n"


async def whole(line: Line, body: bytes, _: faults.Fault | None) -> None:
    """Sends a body, a huge one in blocks."""
    start = 0
    while len(body) - start > BLOCK and not line.is_over:
        await line.piece(body[start : start + BLOCK])
        start += BLOCK
    await line.end(body[start:])


async def halved(line: Line, body: bytes, _: faults.Fault) -> None:
    """Sends one half and drops the connection."""
    await line.piece(body[: len(body) // 2])
    line.cut()


async def begun(line: Line, body: bytes, fault: faults.CutBytes) -> None:
    """Sends the first bytes and drops the connection."""
    await line.piece(body[: fault.after])
    line.cut()


async def dripping(line: Line, body: bytes, fault: faults.SlowDrip) -> None:
    """Sends eight pieces and rests before each."""
    step = max(1, -(-len(body) // DRIPS))
    for start in range(0, len(body), step):
        await line.rest(fault.seconds_per_chunk)
        await line.piece(body[start : start + step])
    await line.end()


async def endless(line: Line, body: bytes, fault: faults.Endless) -> None:
    """Sends all but the last byte, and then nothing over and over."""
    await line.piece(body[:-1])
    await _go_on(line, fault)


async def pieces(line: Line, chunks: Sequence[bytes], _: faults.Fault | None) -> None:
    """Sends a stream."""
    for chunk in chunks:
        await line.piece(chunk)
    await line.end()


async def cut_pieces(line: Line, chunks: Sequence[bytes], fault: faults.CutStream) -> None:
    """Sends so many chunks, perhaps a torn one, and drops the connection."""
    for chunk in chunks[: fault.after_chunks]:
        await line.piece(chunk)
    if len(chunks) <= fault.after_chunks:
        await line.end()
        return
    if fault.mid_chunk:
        await line.piece(torn(chunks[fault.after_chunks]))
    line.cut()


async def begun_pieces(line: Line, chunks: Sequence[bytes], fault: faults.CutBytes) -> None:
    """Sends the first bytes of a stream and drops the connection."""
    await begun(line, b"".join(chunks), fault)


async def dripping_pieces(line: Line, chunks: Sequence[bytes], fault: faults.SlowDrip) -> None:
    """Rests before every chunk."""
    for chunk in chunks:
        await line.rest(fault.seconds_per_chunk)
        await line.piece(chunk)
    await line.end()


async def endless_pieces(line: Line, chunks: Sequence[bytes], fault: faults.Endless) -> None:
    """Sends the chunks, and then nothing over and over."""
    for chunk in chunks:
        await line.piece(chunk)
    await _go_on(line, fault)


async def _go_on(line: Line, fault: faults.Endless) -> None:
    while not line.is_over:
        await line.rest(fault.pause)
        await line.piece(NOTHING)
    line.cut()


Sender = Callable[[Line, Any, Any], Awaitable[None]]
SENDERS: dict[type[faults.Fault] | type[None], Sender] = {
    faults.CutStream: halved,
    faults.CutBytes: begun,
    faults.SlowDrip: dripping,
    faults.Endless: endless,
}
PIECE_SENDERS: dict[type[faults.Fault] | type[None], Sender] = {
    faults.CutStream: cut_pieces,
    faults.CutBytes: begun_pieces,
    faults.SlowDrip: dripping_pieces,
    faults.Endless: endless_pieces,
}


HALF = b"\xe4\xbd"
MEGABYTE = 1_000_000
COMMENT = b": " + b"x" * 97 + b"\n"


def is_spoiler(fault: faults.Fault | None) -> bool:
    """Tells whether a fault is one of bytes."""
    return type(fault) in SPOILERS


def spoiled(raw: Raw, fault: faults.Fault | None) -> Raw:
    """Spoils an answer, where the fault is one of bytes."""
    spoil = SPOILERS.get(type(fault))
    return spoil(raw, fault) if spoil else raw


def _packed(raw: Raw, fault: faults.Gzip) -> Raw:
    body = gzip.compress(raw.body, mtime=0)
    if fault.broken:
        body = body[: len(body) // 2]
    return replace(raw, body=body, headers={**raw.headers, "content-encoding": "gzip"})


def _mislabelled(raw: Raw, fault: faults.WrongType) -> Raw:
    return replace(raw, headers={**raw.headers, "content-type": fault.content_type})


def _half_character(raw: Raw, _: faults.HalfCharacter) -> Raw:
    """Breaks the first character of several bytes, or puts half of one into the last text."""
    body = raw.body
    spot = next((index for index, byte in enumerate(body) if byte >= FIRST_WIDE_BYTE), None)
    if spot is not None:
        return replace(raw, body=body[: spot + 1] + body[spot + 2 :])
    quote = body.rfind(b'"')
    return replace(raw, body=body[:quote] + HALF + body[quote:])


def _blown_up(raw: Raw, fault: faults.Huge) -> Raw:
    missing = max(0, int(fault.megabytes * MEGABYTE) - len(raw.body))
    if raw.headers.get("content-type", "").startswith("text/event-stream"):
        padding = COMMENT * -(-missing // len(COMMENT)) + b"\n"
        return replace(raw, body=padding + raw.body)
    return replace(raw, body=raw.body + b" " * missing)


SPOILERS: dict[type[faults.Fault] | type[None], Callable[[Raw, Any], Raw]] = {
    faults.Gzip: _packed,
    faults.WrongType: _mislabelled,
    faults.HalfCharacter: _half_character,
    faults.Huge: _blown_up,
}
