"""``xai-lowcode image``: generate images and write them to files."""

import mimetypes
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from xai_lowcode.api.client import Gateway
from xai_lowcode.cli.console import JsonOption, echo, echo_err, echo_json, load_settings
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL, Image, ImageBatch, build_image_request

_AspectRatio = Annotated[
    str | None, typer.Option(help="Aspect ratio, for instance 16:9; default: chosen by xAI.")
]
_Resolution = Annotated[
    str | None, typer.Option(help="Resolution, 1k or 2k; default: chosen by xAI.")
]
_Quality = Annotated[
    str | None, typer.Option(help="Quality, low, medium or auto; default: chosen by xAI.")
]


def image(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Description of the image to generate.")],
    *,
    target: Annotated[
        Path, typer.Option("--out", help="Folder, or file name, to write the images to.")
    ] = Path(),
    n: Annotated[int, typer.Option(help="Number of images, 1 to 10.")] = 1,
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_IMAGE_MODEL,
    aspect_ratio: _AspectRatio = None,
    resolution: _Resolution = None,
    quality: _Quality = None,
    as_json: JsonOption = False,
) -> None:
    """Generate images and print the paths of their files. Existing files are not overwritten."""
    request = build_image_request(
        {
            "prompt": prompt,
            "model": model,
            "n": n,
            "aspect_ratio": aspect_ratio,
            "resolution": resolution,
            "quality": quality,
            "response_format": "b64_json",
        }
    )
    settings = load_settings(context)
    # Checked before the images are paid for.
    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise UsageError(f"--out: no such folder: {folder}.", field="out")
    # The output has the number of blocked images.
    with Gateway(settings) as gateway, warnings.catch_warnings(action="ignore"):
        batch = gateway.create_images(request)
    paths = list(_save(batch.images, target))
    if as_json:
        document = {"files": paths, "blocked": batch.blocked, "model": batch.model or model}
        echo_json({**document, "cost_usd": batch.cost_usd})
    else:
        for path in paths:
            echo(path)
        echo_err(_format_batch(batch, model), style="dim")


def _save(images: Sequence[Image], target: Path) -> Iterator[str]:
    """Write images to files, and yield their paths."""
    for image in images:
        if image.base64 is None:
            # A gateway may return a URL although base64 was requested.
            yield image.url or ""
            continue
        path = _choose_path(image, target)
        try:
            yield str(image.save(path))
        except OSError as error:
            raise XAILowCodeError(f"--out: cannot write {path} ({error.strerror}).") from None


def _choose_path(image: Image, target: Path) -> Path:
    """Return a path that does not exist yet: the target, or one with a number from 2 on."""
    extension = mimetypes.guess_extension(image.mime_type) or ".jpg"
    if target.is_dir():
        stem, first = "image", target / f"image-1{extension}"
    else:
        first = target if target.suffix else target.with_suffix(extension)
        stem = first.stem
    numbered = (first.with_name(f"{stem}-{number}{first.suffix}") for number in count(2))
    return next(path for path in chain([first], numbered) if not path.exists())


def _format_batch(batch: ImageBatch, model: str) -> str:
    images = "1 image" if len(batch.images) == 1 else f"{len(batch.images)} images"
    blocked = f", {batch.blocked} blocked by moderation" if batch.blocked else ""
    cost = "" if batch.cost_usd is None else f", ${batch.cost_usd:.4f}"
    return f"{batch.model or model}: {images}{blocked}{cost}"
