"""Emulate LowCodeAPI's gateway and xAI's API on loopback, to test applications offline.

The package shares no code with the client, so that an error in one is not hidden by the other.
The names below are imported when they are first used: pytest loads the package for its fixture in
every session. `running` needs the extra `emulator`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from xai_lowcode.emulator.server import running
    from xai_lowcode.emulator.state import Emulator, RecordedRequest

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


_MODULES = {
    "Emulator": "state",
    "RecordedRequest": "state",
    "Reply": "replies",
    "running": "server",
}
"""The modules of the names that are not faults."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES.get(name, 'faults')}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{__name__}.{name} needs {error.name}, which is not installed:"
            " pip install 'xai-lowcode[emulator]'",
            name=error.name,
        ) from error
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
