"""A strict LowCodeAPI gateway with xAI behind it, on loopback: to test applications offline.

It shares no code with the client, so that neither can hide the other's mistakes. The server behind
`running` is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from xai_lowcode.emulator.faults import (
    CloseAfter,
    CutBytes,
    CutStream,
    DoubleDone,
    Drop,
    Empty,
    Endless,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Fault,
    Garbage,
    Gzip,
    HalfCharacter,
    Heartbeats,
    Html,
    Huge,
    NoDone,
    Outage,
    Redirect,
    Refuse,
    Reset,
    ResetUnread,
    SlowDrip,
    Stall,
    StreamAsJson,
    WrongEnvelope,
    WrongType,
)
from xai_lowcode.emulator.state import Emulator, RecordedRequest

if TYPE_CHECKING:
    from xai_lowcode.emulator.server import running

__all__ = [
    "CloseAfter",
    "CutBytes",
    "CutStream",
    "DoubleDone",
    "Drop",
    "Empty",
    "Emulator",
    "EndStreamEarly",
    "Endless",
    "ErrorIn200",
    "ErrorInStream",
    "Fault",
    "Garbage",
    "Gzip",
    "HalfCharacter",
    "Heartbeats",
    "Html",
    "Huge",
    "NoDone",
    "Outage",
    "RecordedRequest",
    "Redirect",
    "Refuse",
    "Reset",
    "ResetUnread",
    "SlowDrip",
    "Stall",
    "StreamAsJson",
    "WrongEnvelope",
    "WrongType",
    "running",
]


def __getattr__(name: str) -> Any:
    if name != "running":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from xai_lowcode.emulator.server import running as found  # noqa: PLC0415 - see above
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"xai_lowcode.emulator.running needs {missing.name}, which is not installed:"
            " pip install 'xai-lowcode[emulator]'",
            name=missing.name,
        ) from missing
    return found
