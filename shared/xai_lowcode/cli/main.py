"""The root command: its global options and subcommands."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xai_lowcode._version import __version__
from xai_lowcode.cli import chat, doctor, files, images, models, serve
from xai_lowcode.cli.console import echo, format_examples
from xai_lowcode.cli.errors import EXIT_INTERRUPTED, CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    help="Use Grok through the LowCodeAPI gateway. Reads the token from LOWCODEAPI_API_TOKEN.",
    epilog=format_examples(
        "xai-lowcode doctor",
        'xai-lowcode chat "Say hello."',
        'xai-lowcode image "A fox in the snow"',
    ),
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode=None,  # its help has trailing blanks in pipes, and ignores NO_COLOR
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_BASE_URL_HELP = "Base URL, ending in /xai; default: LOWCODEAPI_BASE_URL, else the hosted gateway."


_URL_FORMAT_HELP = (
    "URL format of the gateway: auto, new or old; default: LOWCODEAPI_URL_FORMAT, else auto."
)


def _print_version(requested: bool) -> None:
    if requested:
        echo(f"xai-lowcode {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    base_url: Annotated[str | None, typer.Option(help=_BASE_URL_HELP)] = None,
    url_format: Annotated[str | None, typer.Option(help=_URL_FORMAT_HELP)] = None,
    version: Annotated[  # noqa: ARG001 - used by its callback
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    context.obj = {"base_url": base_url, "url_format": url_format}
    if context.invoked_subcommand is None:
        echo(context.get_help())


app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=models.EXAMPLES)(models.models)
app.command(epilog=chat.EXAMPLES)(chat.chat)
app.command(epilog=images.EXAMPLES)(images.image)
app.command(cls=serve.ServeCommand, epilog=serve.EXAMPLES)(serve.serve)
app.add_typer(files.app, name="files")


def main() -> None:
    """Run the command line of this process."""
    # Text that is not in the encoding is not sent; a character that the terminal cannot display
    # must not raise.
    for name, errors in (("stdin", "strict"), ("stdout", "replace"), ("stderr", "replace")):
        if getattr(sys, name) is None:  # it is closed
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until exit
        reconfigure: Any = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)
    try:
        app(prog_name="xai-lowcode")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    finally:
        _discard_unwritten_output()


def _discard_unwritten_output() -> None:
    """Discard output that cannot be written: Python would try again at exit, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
