"""Inputs and outputs of the handlers, before the gateway wraps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.state import Emulator


@dataclass(frozen=True, slots=True)
class HandlerRequest:
    """One request as the provider receives it, with the emulator's options and state."""

    body: Any
    path: dict[str, str]
    query: dict[str, str]
    sequence: int
    emulator: Emulator


@dataclass(frozen=True, slots=True)
class SSEFrame:
    """One server-sent event; `closing` marks those that complete a choice or the stream."""

    data: Json | str
    event: str | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """A success: the JSON body, and the events of the same response if it is streamed."""

    body: Any
    frames: Sequence[SSEFrame] | None = None
    heartbeat: SSEFrame | None = None


@dataclass(frozen=True, slots=True)
class BinaryResult:
    """A success with raw bytes; the gateway does not forward one without a content type."""

    content: bytes
    content_type: str | None
    status: int = 200


class CrashError(Exception):
    """The gateway's process ends while it handles a request."""
