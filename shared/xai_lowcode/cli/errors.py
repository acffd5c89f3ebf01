"""How a command ends: with a sentence and an exit code, whatever happened inside.

The group of commands is the one place where errors, interruptions and crashes arrive, also when a
test or another program calls it.
"""

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from xai_lowcode.cli.console import echo_err
from xai_lowcode.errors import UsageError, XAILowCodeError

DEBUG_VARIABLE = "XAI_LOWCODE_DEBUG"
FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class CommandGroup(TyperGroup):
    """The commands; what they raise becomes a sentence on standard error."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs a command line, and ends the process with its exit code."""
        alone = extra.pop("standalone_mode", True)
        code = self._ended(*args, **extra)
        if alone:
            sys.exit(code)
        return code

    def _ended(self, *args: Any, **extra: Any) -> int:
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except XAILowCodeError as error:
            return _api_error(error)
        except typer.Abort:
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last place where a token can be blanked
            return (
                _usage_error(error)
                if hasattr(error, "format_message")
                else _unexpected_error(error)
            )
        return code if isinstance(code, int) else 0

    def invoke(self, ctx: Any) -> Any:
        """Calls the command; older typers make a failure of an interruption, this does not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _api_error(error: XAILowCodeError) -> int:
    notes = getattr(error, "__notes__", [])
    echo_err(" ".join([str(error), *notes]), style="red")
    _trace(error)
    return MISUSED if isinstance(error, UsageError) else FAILED


def _usage_error(error: Any) -> int:
    """What the parser of the command line found."""
    command = getattr(getattr(error, "ctx", None), "command_path", "xai-lowcode")
    echo_err(f"{error.format_message().rstrip('.')}. Try: {command} --help", style="red")
    return MISUSED


def _unexpected_error(error: Exception) -> int:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    how = "" if _debugging() else f" Set {DEBUG_VARIABLE}=1 to see where."
    echo_err(f"xai-lowcode itself failed ({' '.join(what.split())}).{how}", style="red")
    _trace(error)
    return FAILED


def _trace(error: Exception) -> None:
    if _debugging():
        echo_err("".join(traceback.format_exception(error)))


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "") not in {"", "0"}
