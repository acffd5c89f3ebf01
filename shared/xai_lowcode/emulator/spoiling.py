"""Faults of bytes: the right answer, but packed, mislabelled, broken in one place or blown up."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xai_lowcode.emulator import faults
from xai_lowcode.emulator.mishaps import FIRST_WIDE_BYTE, Raw

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
