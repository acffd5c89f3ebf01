"""``xai-lowcode image``: pictures, written to files."""

import mimetypes
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from xai_lowcode.api.client import Gateway
from xai_lowcode.cli.console import client_options, echo_err, write, write_json
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL, Image, ImageBatch, ImageRequest


def image(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What is to be seen.")],
    *,
    target: Annotated[
        Path, typer.Option("--out", help="A folder, or a file name for the pictures.")
    ] = Path(),
    n: Annotated[int, typer.Option(help="How many, 1 to 10.")] = 1,
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_IMAGE_MODEL,
    aspect_ratio: Annotated[str | None, typer.Option(help="For instance 16:9.")] = None,
    resolution: Annotated[str | None, typer.Option(help="1k or 2k.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print files and cost as JSON.")] = False,
) -> None:
    """Make pictures and print the paths of their files; existing files are kept."""
    request = ImageRequest(
        prompt=prompt,
        model=model,
        n=n,
        aspect_ratio=aspect_ratio,
        resolution=resolution,
        response_format="b64_json",
    )
    settings = client_options(context)
    _check_target(target)
    with Gateway(settings) as gateway:
        batch = gateway.create_images(request)
    places = [_target_path(picture, path) for picture, path in _file_name(batch.images, target)]
    if as_json:
        write_json(
            {
                "files": places,
                "blocked": batch.blocked,
                "model": batch.model or model,
                "cost_usd": batch.cost_usd,
            }
        )
        return
    for place in places:
        write(place)
    _cost_line(batch, model)


def _check_target(target: Path) -> None:
    """Refuses before anything is paid for."""
    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise UsageError(f"--out: there is no folder {folder}.", field="out")


def _file_name(pictures: Sequence[Image], target: Path) -> Iterator[tuple[Image, Path]]:
    """A free name for each picture: the one asked for if it is free, else one with a number."""
    taken: set[Path] = set()
    for picture in pictures:
        ending = mimetypes.guess_extension(picture.mime_type) or ".jpg"
        if target.is_dir():
            names = _numbered(target / f"image-1{ending}", "image")
        else:
            names = _numbered(target if target.suffix else target.with_suffix(ending))
        path = next(name for name in names if name not in taken and not name.exists())
        taken.add(path)
        yield picture, path


def _numbered(path: Path, stem: str = "") -> Iterator[Path]:
    """The path, then the same with numbers from 2 on."""
    yield path
    for number in count(2):
        yield path.with_name(f"{stem or path.stem}-{number}{path.suffix}")


def _target_path(picture: Image, path: Path) -> str:
    """Where the picture is now; a gateway may give an address although data was asked for."""
    if picture.base64 is None:
        return picture.url or ""
    try:
        return str(picture.save(path))
    except OSError as problem:
        raise XAILowCodeError(f"{path} cannot be written ({problem.strerror}).") from None


def _cost_line(batch: ImageBatch, model: str) -> None:
    cost = "" if batch.cost_usd is None else f", ${batch.cost_usd:.4f}"
    blocked = f", {batch.blocked} held back by moderation" if batch.blocked else ""
    number = len(batch.images)
    pictures = "1 picture" if number == 1 else f"{number} pictures"
    echo_err(f"{batch.model or model}: {pictures}{blocked}{cost}", style="dim")
