"""Ways to put a body on the line: whole, dripping, cut somewhere, or without an end.

`SENDERS` are for bodies that are known as a whole, `PIECE_SENDERS` for streams.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from xai_lowcode.emulator import faults
from xai_lowcode.emulator.line import Line
from xai_lowcode.emulator.mishaps import torn

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
