"""Output of the commands, and the settings that they share."""

import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from xai_lowcode._internal.validation import TOKEN_VARIABLE
from xai_lowcode.errors import TOKEN_SOURCE, UsageError
from xai_lowcode.redaction import redact_text
from xai_lowcode.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

# Characters that change the state of a terminal; a model can repeat them from its input.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# Columns of a file or pipe; tables are not wrapped there.
_DEFAULT_WIDTH, _UNLIMITED_WIDTH = 100, 100_000


def create_console(*, stderr: bool = False, wrap: bool = True) -> Console:
    """Return a console for standard output or standard error, without styles if NO_COLOR is set.

    Args:
        stderr: Whether it is for standard error.
        wrap: Whether lines of a file or pipe are wrapped; those of a terminal are.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None
    if not stream.isatty():
        if not wrap:
            width = _UNLIMITED_WIDTH
        elif "COLUMNS" not in os.environ:
            width = _DEFAULT_WIDTH
    colors: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(stderr=stderr, width=width, highlight=False, color_system=colors)


def echo(text: str, *, end: str = "\n") -> None:
    """Write text to standard output and flush it; on a terminal without control characters."""
    sys.stdout.write((_CONTROL_CHARACTERS.sub("", text) if sys.stdout.isatty() else text) + end)
    sys.stdout.flush()


def print_rich(*renderables: RenderableType, wrap: bool = True) -> None:
    """Print to standard output; in a file or pipe, no line ends in blanks.

    Args:
        renderables: What to print; each begins on a new line.
        wrap: Whether lines of a file or pipe are wrapped.
    """
    console = create_console(wrap=wrap)
    if console.is_terminal:
        console.print(*renderables, sep="\n")
        return
    with console.capture() as capture:
        console.print(*renderables, sep="\n")
    echo("\n".join(line.rstrip() for line in capture.get().split("\n")), end="")


def echo_json(document: Any) -> None:
    """Write a JSON document to standard output, escaped if its encoding lacks a character."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    echo(text)


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Collection[str] = ()
) -> None:
    """Print a table to standard output. The columns in ``right`` are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        if heading in right:
            table.add_column(heading, justify="right", no_wrap=True)
        else:
            table.add_column(heading, overflow="fold")
    for row in rows:
        # Strings as text: file names can contain what rich takes for markup.
        table.add_row(*(_to_text(cell) if isinstance(cell, str) else cell for cell in row))
    print_rich(table, wrap=False)


def _to_text(cell: str) -> Text:
    """Return a cell without control characters: each row is one line in a file or pipe."""
    return Text(" ".join(_CONTROL_CHARACTERS.sub(" ", cell).split()))


def echo_err(message: str, *, style: str = "", end: str = "\n") -> None:
    """Write a message to standard error, with tokens and keys redacted."""
    message = redact_text(message, os.environ.get(TOKEN_VARIABLE, ""))
    text = Text(_CONTROL_CHARACTERS.sub("", message), style)
    create_console(stderr=True).print(text, soft_wrap=True, end=end)


def format_examples(*lines: str) -> str:
    """Return the end of a command's help: command lines that are not wrapped."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def load_settings(context: typer.Context, **options: Any) -> Settings:
    """Return settings from the environment, the global options and the given options.

    Raises:
        UsageError: The token is missing or invalid, or the base URL is invalid.
    """
    if not os.environ.get(TOKEN_VARIABLE, "").strip():
        # The commands have no option for it: that would be in the shell's history.
        raise UsageError(
            f"{TOKEN_VARIABLE}: no LowCodeAPI token was given.",
            field="api_token",
            hint=f"Set this environment variable. {TOKEN_SOURCE} Or run the emulator, which needs"
            " no account: xai-lowcode serve",
        )
    return Settings.create(**{**(context.obj or {}), **options})
