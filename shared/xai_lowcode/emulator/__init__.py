"""A strict LowCodeAPI gateway with xAI behind it, on loopback: to test applications offline.

It shares no code with the client, so that neither can hide the other's mistakes.
"""

from xai_lowcode.emulator.faults import (
    CutStream,
    Drop,
    Empty,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Fault,
    Garbage,
    Heartbeats,
    Html,
    NoDone,
    Redirect,
    Refuse,
    SlowDrip,
    Stall,
    StreamAsJson,
)
from xai_lowcode.emulator.server import running
from xai_lowcode.emulator.switchboard import Emulator, RecordedRequest

__all__ = [
    "CutStream",
    "Drop",
    "Empty",
    "Emulator",
    "EndStreamEarly",
    "ErrorIn200",
    "ErrorInStream",
    "Fault",
    "Garbage",
    "Heartbeats",
    "Html",
    "NoDone",
    "RecordedRequest",
    "Redirect",
    "Refuse",
    "SlowDrip",
    "Stall",
    "StreamAsJson",
    "running",
]
