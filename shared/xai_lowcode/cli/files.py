"""``xai-lowcode files``: upload, list, delete."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from xai_lowcode.api.client import Gateway
from xai_lowcode.api.files import Upload
from xai_lowcode.cli.console import client_options, echo_err, out, write, write_json
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.types.resources import FileRecord

app = typer.Typer(help="Files at xAI.", invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _files(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        write(context.get_help())


@app.command()
def upload(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The file.")],
    name: Annotated[str, typer.Option(help="Its name at xAI; default: its own.")] = "",
    as_json: AsJson = False,
) -> None:
    """Upload a file in pieces and print its id."""
    job = Upload(path, name)
    with Gateway(client_options(context)) as gateway, _delete_partial(job):
        record = gateway.upload_file(job, progress=_shows_progress())
    if as_json:
        write_json(_document(record))
    else:
        write(record.id)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the files of the account."""
    with Gateway(client_options(context)) as gateway:
        records = list(gateway.iterate_files())
    if as_json:
        write_json([_document(record) for record in records])
    elif records:
        out().print(_table(records))
    else:
        echo_err("There are no files.")


@app.command()
def delete(
    context: typer.Context,
    file_id: Annotated[str, typer.Argument(help="Id of the file.")],
    as_json: AsJson = False,
) -> None:
    """Delete a file."""
    with Gateway(client_options(context)) as gateway:
        deletion = gateway.delete_file(file_id)
    if not deletion.deleted:
        raise XAILowCodeError(f"xAI did not delete {deletion.id}.", source="provider")
    if as_json:
        write_json({"id": deletion.id, "deleted": deletion.deleted})
    else:
        write(deletion.id)


@contextmanager
def _delete_partial(job: Upload) -> Iterator[None]:
    """Says what an upload that ended early has left behind."""
    try:
        yield
    except (XAILowCodeError, KeyboardInterrupt):
        if job.file_id:
            echo_err(
                f"{job.sent:,} of {job.size:,} bytes were sent."
                f" To remove what lies at xAI: xai-lowcode files delete {job.file_id}"
            )
        raise


def _document(record: FileRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "size": record.size,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }


def _table(records: list[FileRecord]) -> Table:
    table = Table("id", "name", box=None, pad_edge=False, header_style="bold")
    table.add_column("bytes", justify="right")
    table.add_column("created")
    for record in records:
        size = "" if record.size is None else f"{record.size:,}"
        table.add_row(record.id, record.name or "", size, _day(record.created_at))
    return table


def _day(moment: float | str | None) -> str:
    if isinstance(moment, int | float):
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
    return (moment or "")[:16].replace("T", " ")


def _shows_progress() -> bool:
    """Return whether to show a progress bar: on a terminal, if tqdm is installed."""
    return sys.stderr.isatty() and find_spec("tqdm") is not None
