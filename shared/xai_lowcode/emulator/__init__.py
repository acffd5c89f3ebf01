"""Emulate LowCodeAPI's gateway and xAI's API on loopback, to test applications offline.

The package shares no code with the client, so that an error in one is not hidden by the other.
`running` needs the extra `emulator` and is imported when it is first used.
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
    Heartbeats,
    Html,
    Huge,
    InvalidUTF8,
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
from xai_lowcode.emulator.replies import Reply
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
    "Heartbeats",
    "Html",
    "Huge",
    "InvalidUTF8",
    "NoDone",
    "Outage",
    "RecordedRequest",
    "Redirect",
    "Refuse",
    "Reply",
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
        from xai_lowcode.emulator.server import running  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"xai_lowcode.emulator.running needs {error.name}, which is not installed:"
            " pip install 'xai-lowcode[emulator]'",
            name=error.name,
        ) from error
    return running
