"""Exit codes, and the command group that turns exceptions into a message and an exit code."""

import os
import sys
import traceback
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from xai_lowcode.cli.console import echo_err
from xai_lowcode.errors import UsageError, XAILowCodeError

DEBUG_VARIABLE = "XAI_LOWCODE_DEBUG"
EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
EXIT_CLOSED_OUTPUT = 141  # what shells return for a program that SIGPIPE ended


class CommandGroup(TyperGroup):
    """The root group: an exception becomes a message on standard error and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line; in standalone mode (default) exit the process with its exit code."""
        standalone = extra.get("standalone_mode", True)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                result = super().main(*args, **{**extra, "standalone_mode": False})
                code = result if isinstance(result, int) else 0
            except typer.Abort:
                code = EXIT_INTERRUPTED
            except SystemExit:  # raised by Typer and rich for a closed pipe
                code = EXIT_CLOSED_OUTPUT
            except Exception as error:  # noqa: BLE001 - a traceback could show the token
                code = report_error(error)
        if standalone:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Invoke the command. If interrupted, old versions of Typer exit with 1, this with 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning without the file and line that it is about."""
    echo_err(str(message), style="yellow")


def report_error(error: Any) -> int:
    """Print an error on standard error, and return its exit code."""
    debug = os.environ.get(DEBUG_VARIABLE, "") not in {"", "0"}
    code = EXIT_FAILURE
    if isinstance(error, XAILowCodeError):
        message = " ".join([str(error), *getattr(error, "__notes__", [])])
        code = EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE
    elif hasattr(error, "format_message"):  # the command line cannot be parsed
        command = getattr(getattr(error, "ctx", None), "command_path", "xai-lowcode")
        message = f"{_format_usage_error(error)} Try: {command} --help"
        debug, code = False, EXIT_USAGE
    else:
        details = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        hint = "" if debug else f" Set {DEBUG_VARIABLE}=1 for the traceback."
        message = f"Unexpected error in xai-lowcode ({details}).{hint}"
    echo_err(message, style="red")
    if debug:
        echo_err("".join(traceback.format_exception(error)))
    return code


def _format_usage_error(error: Any) -> str:
    text = error.format_message()
    sentence = text if text.endswith((".", "?")) else f"{text}."
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", "")
    if context and any(
        option in parameter.opts for parameter in context.find_root().command.params
    ):
        sentence += f" {option} must precede the command."
    elif "extra argument" in text:
        sentence += " Put an argument with spaces in quotes."
    return sentence
