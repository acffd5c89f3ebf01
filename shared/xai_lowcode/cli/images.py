"""``xai-lowcode image``: generate images and write them to files."""

import os
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from xai_lowcode._internal.data_urls import image_mime_type
from xai_lowcode.api.client import Gateway
from xai_lowcode.cli.console import (
    JsonOption,
    echo,
    echo_err,
    echo_json,
    format_examples,
    load_settings,
)
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL, Image, ImageBatch, build_image_request

EXAMPLES = format_examples(
    'xai-lowcode image "A fox in the snow"',
    'xai-lowcode image "A fox in the snow" -n 2 -o fox --aspect-ratio 16:9',
)

# The first extension of each type is the one that is appended.
_EXTENSIONS = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
}

_AspectRatio = Annotated[
    str | None, typer.Option(help="Aspect ratio, for instance 16:9; default: chosen by xAI.")
]
_Resolution = Annotated[
    str | None, typer.Option(help="Resolution, 1k or 2k; default: chosen by xAI.")
]
_Quality = Annotated[
    str | None, typer.Option(help="Quality, low, medium or auto; default: chosen by xAI.")
]

_Out = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        help="Folder, or name of the file. Unless it ends in one, the extension of the image's"
        " format is appended.",
    ),
]
_Model = Annotated[str, typer.Option("--model", "-m", help="Name of the model.")]


def image(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Description of the image to generate.")],
    *,
    out: _Out = ".",
    n: Annotated[int, typer.Option("--n", "-n", help="Number of images, 1 to 10.")] = 1,
    model: _Model = DEFAULT_IMAGE_MODEL,
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
    target = Path(out)
    _check_folder(out, target)
    # The output has the number of blocked images.
    with Gateway(settings) as gateway, warnings.catch_warnings(action="ignore"):
        batch = gateway.create_images(request)
    paths = []
    for generated in batch.images:
        paths.append(_save(generated, target))
        if not as_json:
            echo(paths[-1])
    if as_json:
        document = {"files": paths, "blocked": batch.blocked, "model": batch.model or model}
        echo_json({**document, "cost_usd": batch.cost_usd})
    else:
        echo_err(_format_batch(batch, model), style="dim")


def _check_folder(out: str, target: Path) -> None:
    """Check that the folder exists and can be written to, before the images are paid for.

    Raises:
        UsageError: It does not or cannot, or the path is invalid.
    """
    try:
        # A path that ends in a separator is a folder.
        is_folder = target.is_dir() or out.endswith(("/", os.sep))
        folder = target if is_folder else target.parent
        exists = folder.is_dir()
    except OSError as error:
        raise UsageError(f"--out: invalid path ({error.strerror}).", field="out") from None
    if not exists:
        raise UsageError(f"--out: no such folder: {folder}.", field="out")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--out: the folder {folder} cannot be written to.", field="out")


def _save(image: Image, target: Path) -> str:
    """Write an image to a file that does not exist yet, and return its path."""
    if image.base64 is None:
        # A gateway may return a URL although base64 was requested.
        return image.url or ""
    content, mime_type = image.content, image_mime_type(image.base64)
    for path in _generate_paths(target, _EXTENSIONS[mime_type][0]):
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise XAILowCodeError(f"--out: cannot write {path} ({error.strerror}).") from None
        break
    if path.suffix.lower() not in _EXTENSIONS[mime_type]:
        message = f"{path} has the extension of another format: the image is {mime_type}."
        echo_err(message, style="yellow")
    return str(path)


def _generate_paths(target: Path, extension: str) -> Iterator[Path]:
    """Yield the path of an image, and then paths with numbers from 2 on."""
    if target.is_dir():
        stem, first = "image", target / f"image-1{extension}"
    else:
        # A file name is kept if it has the extension of an image, although of another format.
        has_extension = any(target.suffix.lower() in known for known in _EXTENSIONS.values())
        first = target if has_extension else target.with_name(f"{target.name}{extension}")
        stem = first.stem
    yield first
    for number in count(2):
        yield first.with_name(f"{stem}-{number}{first.suffix}")


def _format_batch(batch: ImageBatch, model: str) -> str:
    images = "1 image" if len(batch.images) == 1 else f"{len(batch.images)} images"
    blocked = f", {batch.blocked} blocked by moderation" if batch.blocked else ""
    cost = "" if batch.cost_usd is None else f", ${batch.cost_usd:.4f}"
    return f"{batch.model or model}: {images}{blocked}{cost}"
