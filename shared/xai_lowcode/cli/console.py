"""Where commands print, and where they get their connection: the two things all of them share."""

import json
import os
import re
import sys
from typing import Any

import typer
from rich.console import Console

from xai_lowcode._internal.validation import TOKEN_VARIABLE
from xai_lowcode.errors import TOKEN_SOURCE, UsageError
from xai_lowcode.redaction import redact_text
from xai_lowcode.settings import Settings

# Lines in files and pipes need not fit a screen that is not there.
_WIDTH_OF_NO_TERMINAL = 100

_NAME = "xai-lowcode"

# What could move the cursor or change the terminal; models repeat whatever they are given.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def out() -> Console:
    """Standard output."""
    return Console(width=_terminal_width(sys.stdout), highlight=False)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, width=_terminal_width(sys.stderr), highlight=False)


def _terminal_width(stream: Any) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_NO_TERMINAL


def echo_err(sentence: str, *, style: str = "") -> None:
    """Prints a sentence on standard error, without anything that looks like a token."""
    err().print(redacted(sentence), style=style, markup=False, soft_wrap=True)


def redacted(text: str) -> str:
    """The text without tokens; the command's own name looks like a key of xAI, and stays."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    return _NAME.join(redact_text(piece, token) for piece in text.split(_NAME))


def write(text: str, *, end: str = "\n") -> None:
    """Writes plain text on standard output at once."""
    sys.stdout.write((_CONTROL.sub("", text) if sys.stdout.isatty() else text) + end)
    sys.stdout.flush()


def write_json(document: Any) -> None:
    """Prints one JSON document."""
    write(json.dumps(document, indent=2, ensure_ascii=False))


def client_options(context: typer.Context, **options: Any) -> Settings:
    """Settings from the environment and the command's global options.

    Raises:
        UsageError: There is no token, or something is wrong with it or the address.
    """
    if not os.environ.get(TOKEN_VARIABLE):
        raise UsageError(
            "There is no LowCodeAPI token.",
            hint=f"Put it into the variable {TOKEN_VARIABLE}. {TOKEN_SOURCE}",
        )
    return Settings.create(**{**(context.obj or {}), **options})
