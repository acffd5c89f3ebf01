"""``xai-lowcode files``: upload, list and delete files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from xai_lowcode.api.client import Gateway
from xai_lowcode.api.files import Upload
from xai_lowcode.cli.console import (
    JsonOption,
    echo,
    echo_err,
    echo_json,
    format_examples,
    load_settings,
    print_table,
)
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.types.resources import FileRecord

_UPLOAD, _LIST = "xai-lowcode files upload report.pdf", "xai-lowcode files list"
_DELETE = "xai-lowcode files delete file_0b1d2c3e"

# Numbers from here on are milliseconds, microseconds or nanoseconds: in seconds, the year is 5138.
_MAX_SECONDS = 10**11

app = typer.Typer(
    help="Upload, list and delete files stored at xAI.",
    epilog=format_examples(_UPLOAD, _LIST, _DELETE),
    invoke_without_command=True,
)


@app.callback()
def _files(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        echo(context.get_help())


@app.command(epilog=format_examples(_UPLOAD, f"{_UPLOAD} --name minutes.pdf"))
def upload(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Path of the file to upload.")],
    name: Annotated[str, typer.Option(help="File name at xAI; default: that of the path.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Upload a file and print its id."""
    job = Upload(path, name)
    with Gateway(load_settings(context)) as gateway, _report_partial_upload(job):
        record = gateway.upload_file(job, progress=_shows_progress())
    if as_json:
        echo_json(_to_dict(record))
    else:
        echo(record.id)


@app.command("list", epilog=format_examples(_LIST, f"{_LIST} --json"))
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the files of the account."""
    with Gateway(load_settings(context)) as gateway:
        records = list(gateway.iterate_files())
    if as_json:
        echo_json([_to_dict(record) for record in records])
    elif records:
        print_table(("id", "name", "bytes", "created"), map(_format_row, records), right=("bytes",))
    else:
        echo_err("There are no files.")


@app.command(epilog=format_examples(_DELETE))
def delete(
    context: typer.Context,
    file_id: Annotated[str, typer.Argument(help="Id of the file to delete.")],
    as_json: JsonOption = False,
) -> None:
    """Delete a file and print its id."""
    with Gateway(load_settings(context)) as gateway:
        deletion = gateway.delete_file(file_id)
    if not deletion.deleted:
        raise XAILowCodeError(f"xAI did not delete {deletion.id}.", source="provider")
    if as_json:
        echo_json({"id": deletion.id, "deleted": deletion.deleted})
    else:
        echo(deletion.id)


@contextmanager
def _report_partial_upload(job: Upload) -> Iterator[None]:
    """If the upload fails or is interrupted, print how to delete the partial file."""
    try:
        yield
    except (XAILowCodeError, KeyboardInterrupt):
        if job.file_id:
            echo_err(
                f"{job.sent:,} of {job.size:,} bytes were sent."
                f" To delete the partial file: xai-lowcode files delete {job.file_id}"
            )
        raise


def _to_dict(record: FileRecord) -> dict[str, Any]:
    names = ("id", "name", "size", "created_at", "expires_at")
    return {name: getattr(record, name) for name in names}


def _format_row(record: FileRecord) -> tuple[str, ...]:
    size = "" if record.size is None else f"{record.size:,}"
    return record.id, record.name or "", size, _format_time(record.created_at)


def _format_time(time: float | str | None) -> str:
    """Return a time in UTC to the minute; what is not a time is returned as it is.

    Args:
        time: A Unix time in any unit, as a number or a string, or an ISO 8601 time.
    """
    try:
        moment = _parse_time(time)
    except (ValueError, OverflowError, TypeError):
        return "" if time is None else str(time)
    return f"{moment:%Y-%m-%d %H:%M}"


def _parse_time(time: Any) -> datetime:
    try:
        seconds = float(time)
    except ValueError:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    while _MAX_SECONDS <= abs(seconds) < inf:
        seconds /= 1000
    # Windows has no datetime.fromtimestamp() for negative numbers.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _shows_progress() -> bool:
    """Return whether to show a progress bar: on a terminal, if tqdm is installed."""
    return sys.stderr.isatty() and find_spec("tqdm") is not None
