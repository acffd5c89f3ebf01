"""Requests of ``/v1/images/generations`` and the images that it returns."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

from xai_lowcode._internal.credentials import token_error
from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.errors import InvalidResponseError, UsageError, describe_value
from xai_lowcode.types.responses import TICKS_PER_USD

DEFAULT_IMAGE_MODEL = "grok-imagine-image"
MAX_IMAGES = 10

ImageFormat = Literal["url", "b64_json"]
AspectRatio = Literal[
    "1:1",
    "3:4",
    "4:3",
    "9:16",
    "16:9",
    "2:3",
    "3:2",
    "9:19.5",
    "19.5:9",
    "9:20",
    "20:9",
    "1:2",
    "2:1",
    "21:9",
    "5:2",
    "auto",
]
Resolution = Literal["1k", "1.5k", "2k"]
Quality = Literal["low", "medium", "auto"]

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "aspect_ratio": get_args(AspectRatio),
    "resolution": get_args(Resolution),
    "quality": get_args(Quality),
}

_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
# The shorter side of an image in pixels, by resolution.
_SIDES: Mapping[Resolution, int] = {"1k": 1024, "1.5k": 1536, "2k": 2048}
# 1792x1024 (1.75) is 16:9 (1.78); 1000x900 is no ratio of the list.
_RATIO_TOLERANCE = 0.03


def check_image_choice(name: str, value: Any) -> Any:
    """Return the value of ``aspect_ratio``, ``resolution`` or ``quality``.

    Raises:
        UsageError: xAI does not document the value.
    """
    choices = _CHOICES[name]
    if value is None or (isinstance(value, str) and value in choices):
        return value
    raise UsageError(
        f"{name}: must be one of {', '.join(choices)}, not {describe_value(value)}.",
        field=name,
        hint="A value that is not in this list can be sent in extra_body (ImageRequest: extra).",
    )


def check_image_count(n: Any) -> int:
    """Return the number of images.

    Raises:
        UsageError: It is not an integer from 1 to 10.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_IMAGES:
        raise UsageError(
            f"n: must be an integer from 1 to {MAX_IMAGES}, not {describe_value(n)}.", field="n"
        )
    return n


def parse_size(size: Any) -> dict[str, Any]:
    """Return the aspect ratio and the resolution of a ``size`` of OpenAI's.

    xAI rejects ``size``. Sizes below ``"1k"`` are ``"1k"``, the smallest resolution.

    Raises:
        UsageError: No aspect ratio or no resolution is near.

    Example:
        >>> parse_size("1792x1024"), parse_size("auto")
        ({'aspect_ratio': '16:9', 'resolution': '1k'}, {'aspect_ratio': 'auto'})
    """
    if size == "auto":
        return {"aspect_ratio": "auto"}
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is not None:
        width, height = map(int, match.groups())
        ratio = min(_RATIOS, key=lambda name: _distance(name, width / height))
        side = min(width, height)
        resolution = min(_SIDES, key=lambda name: abs(_SIDES[name] - side))
        if _distance(ratio, width / height) <= _RATIO_TOLERANCE and side <= max(_SIDES.values()):
            return {"aspect_ratio": ratio, "resolution": resolution}
    raise UsageError(
        f"size: {describe_value(size)} has no equivalent in xAI's API.",
        field="size",
        hint="Use aspect_ratio, for instance '16:9', and resolution, for instance '2k'.",
    )


_RATIOS = tuple(name for name in get_args(AspectRatio) if name != "auto")


def _distance(ratio: str, value: float) -> float:
    width, height = map(float, ratio.split(":"))
    return abs(math.log(width / height / value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A request to generate images.

    Attributes:
        prompt: Description of the images.
        model: Name of the image model.
        n: Number of images, 1 to 10.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``; some models also ``"1.5k"``.
        quality: ``"low"``, ``"medium"`` or ``"auto"``, for models that have a choice.
        response_format: ``"url"`` for temporary URLs, ``"b64_json"`` for the image data.
        user: An id of the end user, for abuse detection.
        extra: Additional fields of the request body, sent unchanged.

    Raises:
        UsageError: A field has an invalid value.
    """

    prompt: str
    model: str = DEFAULT_IMAGE_MODEL
    n: int = 1
    aspect_ratio: AspectRatio | None = None
    resolution: Resolution | None = None
    quality: Quality | None = None
    response_format: ImageFormat = "url"
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise UsageError("prompt: must not be empty.", field="prompt")
        if not isinstance(self.model, str) or not self.model:
            raise UsageError("model: must not be empty.", field="model")
        options = {name: getattr(self, name) for name in ("model", "user", *_CHOICES)}
        if (error := token_error(options)) is not None:
            raise error
        check_image_count(self.n)
        if self.response_format not in ("url", "b64_json"):
            raise UsageError(
                "response_format: must be 'url' or 'b64_json', not"
                f" {describe_value(self.response_format)}.",
                field="response_format",
            )
        for name in _CHOICES:
            check_image_choice(name, getattr(self, name))
        if self.user is not None and not isinstance(self.user, str):
            raise UsageError(
                f"user: must be a string, not {describe_value(self.user)}.", field="user"
            )

    def render(self) -> dict[str, Any]:
        """Return the request body."""
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": self.prompt,
            "n": self.n,
            "response_format": self.response_format,
        }
        options = {name: getattr(self, name) for name in (*_CHOICES, "user")}
        given = {name: value for name, value in options.items() if value is not None}
        return {**body, **given, **self.extra}


IMAGE_OPTIONS = frozenset(f.name for f in fields(ImageRequest)) - {"prompt", "extra"}
"""Names of the options of a request, for adapters that take them as keyword arguments."""

IMAGE_ARGUMENTS = IMAGE_OPTIONS | {"prompt", "size", "extra_body"}
"""Names of the arguments of ``build_image_request``."""


def build_image_request(*layers: Mapping[str, Any]) -> ImageRequest:
    """Build a request from layers of options; later layers win, and None removes an option.

    ``size`` becomes an aspect ratio and a resolution, unless its layer has these. The keys of
    ``extra_body`` and unknown options become keys of the request body.

    Raises:
        UsageError: An option has an invalid value.

    Example:
        >>> request = build_image_request({"prompt": "A fox", "n": 2}, {"size": "1024x1024"})
        >>> request.n, request.aspect_ratio, request.resolution
        (2, '1:1', '1k')
    """
    merged: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for layer in layers:
        options = dict(layer)
        extra_body = options.pop("extra_body", None) or {}
        if not isinstance(extra_body, Mapping):
            raise UsageError("extra_body: must be a dict.", field="extra_body")
        extra |= extra_body
        if (size := options.pop("size", None)) is not None:
            options = parse_size(size) | options
        merged |= options
    merged = {name: value for name, value in merged.items() if value is not None}
    known = {name: merged.pop(name) for name in merged.keys() & IMAGE_OPTIONS}
    return ImageRequest(prompt=merged.pop("prompt", ""), **known, extra={**merged, **extra})


@dataclass(frozen=True, slots=True, repr=False)
class Image:
    """One image, as a temporary URL or as data; notebooks display it.

    Attributes:
        url: Temporary URL; None if the data was requested.
        base64: The image data; None if a URL was requested.
        mime_type: ``image/jpeg`` or ``image/png``.
        revised_prompt: The prompt as the service rewrote it.
    """

    url: str | None = None
    base64: str | None = None
    mime_type: str = "image/jpeg"
    revised_prompt: str | None = None

    @property
    def content(self) -> bytes:
        """The image data.

        Raises:
            UsageError: The image is only a URL; request ``response_format="b64_json"``.
            InvalidResponseError: The data is not valid base64.
        """
        if self.base64 is None:
            raise UsageError(
                "response_format: the image is a URL and has no data.",
                field="response_format",
                hint="Request it with response_format='b64_json'.",
            )
        try:
            return base64.b64decode(self.base64, validate=True)
        except ValueError as error:
            raise InvalidResponseError(f"The image data is not valid base64 ({error}).") from None

    def save(self, path: str | Path) -> Path:
        """Write the image to a file and return its path."""
        path = Path(path)
        path.write_bytes(self.content)
        return path

    def __repr__(self) -> str:
        fields = [self.mime_type]
        if self.base64 is not None:
            size = len(self.base64) * 3 // 4 - self.base64[-2:].count("=")
            fields.append(f"{size:,} bytes")
        if self.url is not None:
            fields.append(f"url={truncate(self.url)!r}")
        if self.revised_prompt is not None:
            fields.append(f"revised_prompt={truncate(self.revised_prompt)!r}")
        return f"Image({', '.join(fields)})"

    def _repr_png_(self) -> bytes | None:
        return self._data_of_type("image/png")

    def _repr_jpeg_(self) -> bytes | None:
        return self._data_of_type("image/jpeg")

    def _repr_html_(self) -> str | None:
        return None if self.base64 is not None else _to_html(self)

    def _data_of_type(self, mime_type: str) -> bytes | None:
        return self.content if self.base64 is not None and self.mime_type == mime_type else None


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The images of one request; notebooks display them side by side.

    Attributes:
        images: The generated images.
        blocked: Number of images that the service's moderation withheld.
        model: The model that generated them.
        cost_ticks: Cost in 10^-10 US dollars; None if the service did not return it.
    """

    images: tuple[Image, ...]
    blocked: int = 0
    model: str = ""
    cost_ticks: int | None = None

    @property
    def cost_usd(self) -> float | None:
        """Cost in US dollars."""
        return None if self.cost_ticks is None else self.cost_ticks / TICKS_PER_USD

    def describe(self, image: Image, *, model: str) -> dict[str, Any]:
        """Return what is known about one of the images, for the metadata of a content block.

        Args:
            image: The image.
            model: The model that was requested, if the service did not return which one it used.

        Returns:
            ``model``, and if known ``revised_prompt``, ``cost_usd``, the image's share of the cost,
            and ``blocked``, how many images of the request moderation withheld.
        """
        cost_usd = None if self.cost_usd is None else self.cost_usd / len(self.images)
        known = {
            "model": self.model or model,
            "revised_prompt": image.revised_prompt,
            "cost_usd": cost_usd,
            "blocked": self.blocked or None,
        }
        return {name: value for name, value in known.items() if value is not None}

    def _repr_html_(self) -> str:
        note = f"<p>{self.blocked} blocked by moderation</p>" if self.blocked else ""
        return "".join(map(_to_html, self.images)) + note


def _to_html(image: Image) -> str:
    source = image.url
    if image.base64 is not None:
        source = f"data:{image.mime_type};base64,{image.base64}"
    alt = escape(image.revised_prompt or "image")
    return f'<img src="{escape(source or "")}" alt="{alt}" style="max-width: 48%; margin: 2px">'


def summarize_images(count: int, urls: Sequence[str], blocked: int = 0) -> str:
    """Return one line for a model that called a tool: what was generated, without image data.

    Args:
        count: Number of images.
        urls: URLs of the images; empty if they are data.
        blocked: Number of images that moderation withheld.
    """
    if count == 1:
        text, label = "Generated 1 image; it is shown to the user.", "URL"
    else:
        text, label = f"Generated {count} images; they are shown to the user.", "URLs"
    if blocked:
        text += f" Moderation withheld {blocked} more."
    return f"{text} {label}: {' '.join(urls)}" if urls else text
