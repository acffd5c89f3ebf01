"""Output of the commands, and the settings that they share."""

import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xai_lowcode._internal.validation import TOKEN_VARIABLE
from xai_lowcode.redaction import redact_text
from xai_lowcode.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

# Characters that change the state of a terminal; a model can repeat them from its input.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# Columns of a file or pipe.
_DEFAULT_WIDTH = 100


def create_console(*, stderr: bool = False) -> Console:
    """Return a console for standard output or standard error."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _DEFAULT_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def echo(text: str, *, end: str = "\n") -> None:
    """Write text to standard output and flush it; on a terminal without control characters."""
    sys.stdout.write((_CONTROL_CHARACTERS.sub("", text) if sys.stdout.isatty() else text) + end)
    sys.stdout.flush()


def echo_json(document: Any) -> None:
    """Write a JSON document to standard output."""
    echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Collection[str] = ()
) -> None:
    """Print a table to standard output. The columns in ``right`` are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        if heading in right:
            table.add_column(heading, justify="right", no_wrap=True)
        else:
            table.add_column(heading)
    for row in rows:
        # Strings as text: file names can contain what rich takes for markup.
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    create_console().print(table)


def echo_err(message: str, *, style: str = "") -> None:
    """Write a message to standard error, with tokens and keys redacted."""
    message = redact_text(message, os.environ.get(TOKEN_VARIABLE, ""))
    create_console(stderr=True).print(message, style=style, markup=False, soft_wrap=True)


def load_settings(context: typer.Context, **options: Any) -> Settings:
    """Return settings from the environment, the global options and the given options.

    Raises:
        UsageError: The token is missing or invalid, or the base URL is invalid.
    """
    return Settings.create(**{**(context.obj or {}), **options})
