"""Pictures: what is asked of ``/v1/images/generations``, and what comes back."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from xai_lowcode.errors import ContentPolicyError, UnreadableAnswerError, UsageError
from xai_lowcode.reply import TICKS_PER_USD

DEFAULT_IMAGE_MODEL = "grok-imagine-image"
MOST_IMAGES = 10

ImageFormat = Literal["url", "b64_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One order of pictures.

    Attributes:
        prompt: What is to be seen.
        model: Name of the image model.
        n: How many pictures, 1 to 10.
        aspect_ratio: ``"1:1"``, ``"16:9"``, ``"auto"`` and others.
        resolution: ``"1k"`` or ``"2k"``.
        response_format: ``"url"`` for temporary addresses, ``"b64_json"`` for the pictures.
        extra: Further members of the request body, sent as they are.

    Raises:
        UsageError: A field has an impossible value.
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
            raise UsageError("prompt: say what is to be seen.", field="prompt")
        if not isinstance(self.model, str) or not self.model:
            raise UsageError("model: a name is needed.", field="model")
        if (
            isinstance(self.n, bool)
            or not isinstance(self.n, int)
            or not 1 <= self.n <= MOST_IMAGES
        ):
            raise UsageError(f"n: 1 to {MOST_IMAGES} pictures, not {self.n!r}.", field="n")
        if self.response_format not in {"url", "b64_json"}:
            raise UsageError(
                f"response_format: 'url' or 'b64_json', not {self.response_format!r}.",
                field="response_format",
            )

    def render(self) -> dict[str, Any]:
        """The request body."""
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


@dataclass(frozen=True, slots=True)
class Image:
    """One picture: a temporary address, or its data.

    Attributes:
        url: Where it lies for a short time; None if the data was asked for.
        base64: Its data; None if an address was asked for.
        mime_type: ``image/jpeg`` or ``image/png``.
        revised_prompt: The prompt as the service rewrote it.
    """

    url: str | None = None
    base64: str | None = field(default=None, repr=False)
    mime_type: str = "image/jpeg"
    revised_prompt: str | None = None

    @property
    def content(self) -> bytes:
        """The picture itself.

        Raises:
            UsageError: There is only an address; ask with ``response_format="b64_json"``.
        """
        if self.base64 is None:
            raise UsageError(
                "The picture came as an address, not as data.",
                field="response_format",
                hint="Ask with response_format='b64_json'.",
            )
        try:
            return base64.b64decode(self.base64, validate=True)
        except ValueError as broken:
            raise UnreadableAnswerError(f"The picture's data is not base64 ({broken}).") from None

    def save(self, path: str | Path) -> Path:
        """Writes the picture to a file and returns the file's path."""
        path = Path(path)
        path.write_bytes(self.content)
        return path


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The pictures of one order.

    Attributes:
        images: Those that were made.
        blocked: How many the service's moderation held back.
        model: The model that made them.
        cost_ticks: Cost in 10^-10 US dollars; None if the service did not say.
    """

    images: tuple[Image, ...]
    blocked: int = 0
    model: str = ""
    cost_ticks: int | None = None

    @property
    def cost_usd(self) -> float | None:
        """Cost in US dollars."""
        return None if self.cost_ticks is None else self.cost_ticks / TICKS_PER_USD


def read_images(body: Any) -> ImageBatch:
    """Reads the answer to an order of pictures.

    Raises:
        ContentPolicyError: Moderation held all of them back.
        UnreadableAnswerError: It is no such answer.
    """
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnreadableAnswerError("The answer holds no list of pictures.", body=body)
    passed = [item for item in items if item.get("respect_moderation") is not False]
    if not all(isinstance(item.get("b64_json") or item.get("url"), str) for item in passed):
        raise UnreadableAnswerError("A picture has neither an address nor data.", body=body)
    if items and not passed:
        raise ContentPolicyError(
            "xAI's moderation held the pictures back.", maker="provider", status_code=200
        )
    usage = body.get("usage")
    return ImageBatch(
        tuple(_read_image(item) for item in passed),
        len(items) - len(passed),
        body.get("model") or "",
        usage.get("cost_in_usd_ticks") if isinstance(usage, dict) else None,
    )


def _read_image(item: Mapping[str, Any]) -> Image:
    data = item.get("b64_json")
    return Image(
        url=item.get("url"),
        base64=data,
        mime_type=item.get("mime_type") or _mime_type(data or ""),
        revised_prompt=item.get("revised_prompt") or None,
    )


def _mime_type(data: str) -> str:
    return "image/png" if data.startswith("iVBORw0KGgo") else "image/jpeg"
