"""Requests of ``/v1/images/generations`` and the images that it returns."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Literal

from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.errors import InvalidResponseError, UsageError, describe_value
from xai_lowcode.types.responses import TICKS_PER_USD

DEFAULT_IMAGE_MODEL = "grok-imagine-image"
MAX_IMAGES = 10

ImageFormat = Literal["url", "b64_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A request to generate images.

    Attributes:
        prompt: Description of the images.
        model: Name of the image model.
        n: Number of images, 1 to 10.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``.
        response_format: ``"url"`` for temporary URLs, ``"b64_json"`` for the image data.
        extra: Additional fields of the request body, sent unchanged.

    Raises:
        UsageError: A field has an invalid value.
    """

    prompt: str
    model: str = DEFAULT_IMAGE_MODEL
    n: int = 1
    aspect_ratio: str | None = None
    resolution: str | None = None
    response_format: ImageFormat = "url"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise UsageError("prompt: must not be empty.", field="prompt")
        if not isinstance(self.model, str) or not self.model:
            raise UsageError("model: must not be empty.", field="model")
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 1 <= self.n <= MAX_IMAGES:
            raise UsageError(
                f"n: must be an integer from 1 to {MAX_IMAGES}, not {describe_value(self.n)}.",
                field="n",
            )
        if self.response_format not in ("url", "b64_json"):
            raise UsageError(
                "response_format: must be 'url' or 'b64_json', not"
                f" {describe_value(self.response_format)}.",
                field="response_format",
            )

    def render(self) -> dict[str, Any]:
        """Return the request body."""
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": self.prompt,
            "n": self.n,
            "response_format": self.response_format,
        }
        if self.aspect_ratio is not None:
            body["aspect_ratio"] = self.aspect_ratio
        if self.resolution is not None:
            body["resolution"] = self.resolution
        return {**body, **self.extra}


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
