"""Image input: validation, description and token count."""

import base64
import re
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit

from PIL import Image, UnidentifiedImageError

from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import bad_request, invalid_argument

DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)
FORMATS = {"image/jpeg": "JPEG", "image/jpg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
MAX_BYTES = 20 * 1024 * 1024
TILE_SIZE = 448
TILE_TOKENS = 256
MAX_TILES = 6
BAD_URL = "Invalid image URL: expected an http(s) URL or a base64 data URL of a JPEG, PNG or WebP"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The description and token count of an image; an image on the web is not downloaded."""

    description: str
    tokens: int


def check_image(image_url: Json) -> None:
    """Check an `image_url` part.

    Raises:
        ProviderError: It has neither a web URL, nor a file id, nor a valid data URL.
    """
    url, file_id = image_url.get("url"), image_url.get("file_id")
    if bool(url) == bool(file_id):
        raise invalid_argument("image_url needs either url or file_id")
    if url:
        inspect_image(image_url)


def inspect_image(image_url: Json) -> ImageInfo:
    """Return the description and the token count of an image."""
    url = image_url.get("url")
    if not url:
        return ImageInfo(f"the file {image_url['file_id']}", TILE_TOKENS)
    try:
        parsed = urlsplit(url)
    except ValueError:
        raise bad_request(BAD_URL) from None
    if parsed.scheme in {"http", "https"} and parsed.netloc:
        return ImageInfo(f"one at {parsed.netloc}{parsed.path}", TILE_TOKENS)
    match = DATA_URL.fullmatch(url)
    if match is None or match[1] not in FORMATS:
        raise bad_request(BAD_URL)
    return _decode_image(match[2], FORMATS[match[1]])


def _decode_image(encoded: str, image_format: str) -> ImageInfo:
    try:
        raw = base64.b64decode(encoded, validate=True)
        if len(raw) > MAX_BYTES:
            raise bad_request("Image size exceeds the limit of 20 MiB.")
        with Image.open(BytesIO(raw), formats=[image_format]) as image:
            width, height = image.size
    except (ValueError, OSError, UnidentifiedImageError, Image.DecompressionBombError):
        raise bad_request(f"{BAD_URL}; the data is not a valid {image_format}") from None
    tiles = -(-width // TILE_SIZE) * -(-height // TILE_SIZE)
    return ImageInfo(f"{image_format} {width}x{height}", TILE_TOKENS * min(tiles, MAX_TILES))
