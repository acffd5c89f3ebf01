"""The commands put together, with what is said before any of them: version and address."""

import sys
from typing import Annotated, Any

import typer

from xai_lowcode._version import __version__
from xai_lowcode.cli import chat, doctor, files, images, models, serve
from xai_lowcode.cli.console import write
from xai_lowcode.cli.errors import INTERRUPTED, CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    help="Grok through the LowCodeAPI gateway. The token is read from LOWCODEAPI_API_TOKEN.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:
    if asked:
        write(f"xai-lowcode {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    base_url: Annotated[
        str | None,
        typer.Option(help="The gateway, ending in /xai; else LOWCODEAPI_BASE_URL, else hosted."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    context.obj = {"base_url": base_url}
    if context.invoked_subcommand is None:
        write(context.get_help())


app.command()(doctor.doctor)
app.command()(models.models)
app.command()(chat.chat)
app.command()(images.image)
app.command()(serve.serve)
app.add_typer(files.app, name="files")


def main() -> None:
    """Runs the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal does not have is no reason to fail.
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        app(prog_name="xai-lowcode")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
