"""Pictures: what is asked of ``/v1/images/generations``, and what comes back."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from xai_lowcode._internal.data_urls import image_mime_type, split_data_url
from xai_lowcode._internal.parsing import get_int, get_nonempty_str
from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.errors import ContentPolicyError, InvalidResponseError, UsageError, describe_value
from xai_lowcode.types.responses import TICKS_PER_USD

DEFAULT_IMAGE_MODEL = "grok-imagine-image"
MAX_IMAGES = 10

ImageFormat = Literal["url", "b64_json"]

# Modes of Pillow that can be both made smaller and written as PNG.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})


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
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 1 <= self.n <= MAX_IMAGES:
            raise UsageError(
                f"n: 1 to {MAX_IMAGES} pictures, not {describe_value(self.n)}.", field="n"
            )
        if self.response_format not in ("url", "b64_json"):
            raise UsageError(
                f"response_format: 'url' or 'b64_json', not {describe_value(self.response_format)}.",
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


@dataclass(frozen=True, slots=True, repr=False)
class Image:
    """One picture: a temporary address, or its data; a notebook shows it.

    Attributes:
        url: Where it lies for a short time; None if the data was asked for.
        base64: Its data; None if an address was asked for.
        mime_type: ``image/jpeg`` or ``image/png``.
        revised_prompt: The prompt as the service rewrote it.
    """

    url: str | None = None
    base64: str | None = None
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
            raise InvalidResponseError(f"The picture's data is not base64 ({broken}).") from None

    def save(self, path: str | Path) -> Path:
        """Writes the picture to a file and returns the file's path."""
        path = Path(path)
        path.write_bytes(self.content)
        return path

    def to_pil(self) -> Any:
        """The picture as a ``PIL.Image.Image``.

        Raises:
            ImportError: Pillow is not installed.
            UsageError: There is only an address; ask with ``response_format="b64_json"``.
            InvalidResponseError: The data is no picture that Pillow knows.
        """
        content = self.content
        try:
            import PIL.Image  # noqa: PLC0415 - comes with an extra
        except ModuleNotFoundError as missing:
            raise ImportError("to_pil needs Pillow: pip install pillow") from missing
        try:
            picture = PIL.Image.open(BytesIO(content))
            # Data that breaks off is found out here, not where the picture is used.
            picture.load()
        except MemoryError:
            raise
        except Exception as broken:  # noqa: BLE001 - each of Pillow's decoders has its own
            raise _undecodable_image_error(broken) from None
        return picture

    def thumbnail(self, side: int = 320) -> "Image":
        """A smaller copy, for notebooks and previews, as PNG.

        Args:
            side: Pixels of the longer side; a smaller picture is not blown up.

        Raises:
            ImportError: Pillow is not installed.
            UsageError: There is only an address, or ``side`` is not positive.
            InvalidResponseError: The data is no picture that Pillow knows.
        """
        if isinstance(side, bool) or not isinstance(side, int) or side < 1:
            raise UsageError(f"side: 1 pixel or more, not {describe_value(side)}.", field="side")
        picture, file = self.to_pil(), BytesIO()
        try:
            if picture.mode not in _PNG_MODES:
                picture = picture.convert("RGBA" if picture.mode == "PA" else "RGB")
            picture.thumbnail((side, side))
            picture.save(file, "PNG", optimize=True)
        except MemoryError:
            raise
        except Exception as broken:  # noqa: BLE001 - as in to_pil
            raise _undecodable_image_error(broken) from None
        data = base64.b64encode(file.getvalue()).decode()
        return replace(self, base64=data, mime_type="image/png")

    def __repr__(self) -> str:
        facts = [self.mime_type]
        if self.base64 is not None:
            facts.append(f"{_base64_size(self.base64):,} bytes")
        if self.url is not None:
            facts.append(f"url={truncate(self.url)!r}")
        if self.revised_prompt is not None:
            facts.append(f"revised_prompt={truncate(self.revised_prompt)!r}")
        return f"Image({', '.join(facts)})"

    def _repr_png_(self) -> bytes | None:
        return self._shown("image/png")

    def _repr_jpeg_(self) -> bytes | None:
        return self._shown("image/jpeg")

    def _repr_html_(self) -> str | None:
        """An address is shown by the reader's browser; data by the two above."""
        return None if self.base64 is not None else _to_html(self)

    def _shown(self, mime_type: str) -> bytes | None:
        return self.content if self.base64 is not None and self.mime_type == mime_type else None


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The pictures of one order; a notebook shows them side by side.

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

    def thumbnails(self, side: int = 320) -> "ImageBatch":
        """The same with smaller copies of the pictures; see ``Image.thumbnail``."""
        return replace(self, images=tuple(image.thumbnail(side) for image in self.images))

    def _repr_html_(self) -> str:
        held = f"<p>{self.blocked} held back by moderation</p>" if self.blocked else ""
        return "".join(map(_to_html, self.images)) + held


def extract_images(blocks: Any) -> ImageBatch:
    """The pictures among a framework's content blocks, to be shown in a notebook or saved.

    Args:
        blocks: One block or several: LangChain's image blocks (also among other blocks, as in
            ``message.content_blocks``), LlamaIndex's ``ImageBlock``s (as in ``message.blocks``), or
            ``Image``s.

    Example:
        >>> from xai_lowcode.types.images import pictures
        >>> block = {"type": "image", "base64": "iVBORw0KGgo="}
        >>> pictures([{"type": "text", "text": "A fox."}, block]).images
        (Image(image/png, 8 bytes),)
    """
    several = blocks if isinstance(blocks, list | tuple) else [blocks]
    found = (block if isinstance(block, Image) else _image_from_block(block) for block in several)
    return ImageBatch(tuple(image for image in found if image is not None))


def _image_from_block(block: Any) -> Image | None:
    """Reads a block by its form, since the frameworks' classes are not known here."""
    if isinstance(block, Mapping):
        kind, data, url = (block.get(name) for name in ("type", "base64", "url"))
        named = block.get("mime_type")
    else:
        kind, data, url = (getattr(block, name, None) for name in ("block_type", "image", "url"))
        named = getattr(block, "image_mimetype", None)
    if kind != "image" or not (data or url):
        return None
    # LlamaIndex keeps base64 as bytes, and addresses as objects.
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    address = None if url is None else str(url)
    if (inside := split_data_url(address or "")) is not None:
        (named, text), address = inside, None
    return Image(address, text, named or image_mime_type(text or ""))


def parse_images(body: Any) -> ImageBatch:
    """Reads the answer to an order of pictures.

    Raises:
        ContentPolicyError: Moderation held all of them back.
        InvalidResponseError: It is no such answer.
    """
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidResponseError("The answer holds no list of pictures.", body=body)
    passed = [item for item in items if item.get("respect_moderation") is not False]
    if not all(
        get_nonempty_str(item, "b64_json") or get_nonempty_str(item, "url") for item in passed
    ):
        raise InvalidResponseError("A picture has neither an address nor data.", body=body)
    if not items:
        raise InvalidResponseError("The response holds no images.", body=body)
    if not passed:
        raise ContentPolicyError(
            "xAI's moderation held the pictures back.", source="provider", status_code=200
        )
    return ImageBatch(
        tuple(_parse_image(item) for item in passed),
        len(items) - len(passed),
        get_nonempty_str(body, "model") or "",
        get_int(body.get("usage"), "cost_in_usd_ticks"),
    )


def _parse_image(item: Mapping[str, Any]) -> Image:
    data = get_nonempty_str(item, "b64_json")
    return Image(
        url=get_nonempty_str(item, "url"),
        base64=data,
        mime_type=get_nonempty_str(item, "mime_type") or image_mime_type(data or ""),
        revised_prompt=get_nonempty_str(item, "revised_prompt"),
    )


def _to_html(image: Image) -> str:
    """A picture as HTML, data or address."""
    source = image.url
    if image.base64 is not None:
        source = f"data:{image.mime_type};base64,{image.base64}"
    says = escape(image.revised_prompt or "picture")
    return f'<img src="{escape(source or "")}" alt="{says}" style="max-width: 48%; margin: 2px">'


def _undecodable_image_error(broken: Exception) -> InvalidResponseError:
    reason = f"{type(broken).__name__}: {broken}"
    return InvalidResponseError(f"The picture's data is no picture ({reason}).")


def _base64_size(data: str) -> int:
    return len(data) * 3 // 4 - data[-2:].count("=")
