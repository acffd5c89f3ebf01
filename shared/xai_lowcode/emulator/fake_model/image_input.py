"""Looking at pictures in a conversation: what is refused, what they are, what they cost."""

import base64
import binascii
import re
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit

from PIL import Image, UnidentifiedImageError

from xai_lowcode.emulator.handler_types import Json, invalid

DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)
FORMATS = {"image/jpeg": "JPEG", "image/jpg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
MAX_BYTES = 20 * 1024 * 1024
TILE = 448
TILE_TOKENS = 256
MAX_TILES = 6
BAD_URL = "Invalid image URL: expected an http(s) URL or a base64 data URL of a JPEG, PNG or WebP"


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to tell of a picture; one that lies elsewhere is not fetched."""

    description: str
    tokens: int


def check_picture(image_url: Json) -> None:
    """Refuses what is neither a web address, nor a file, nor a picture in a data URL."""
    url, file_id = image_url.get("url"), image_url.get("file_id")
    if bool(url) == bool(file_id):
        raise invalid("Invalid argument: image_url needs either url or file_id")
    if url:
        seen(image_url)


def seen(image_url: Json) -> Seen:
    """Looks at a picture."""
    url = image_url.get("url")
    if not url:
        return Seen(f"the file {image_url['file_id']}", TILE_TOKENS)
    address = urlsplit(url)
    if address.scheme in {"http", "https"} and address.netloc:
        return Seen(f"one at {address.netloc}{address.path}", TILE_TOKENS)
    match = DATA_URL.fullmatch(url)
    if match is None or match[1] not in FORMATS:
        raise invalid(BAD_URL)
    return _opened(match[2], FORMATS[match[1]])


def _opened(encoded: str, form: str) -> Seen:
    try:
        raw = base64.b64decode(encoded, validate=True)
        if len(raw) > MAX_BYTES:
            raise invalid("Image size exceeds the limit of 20 MiB.")
        with Image.open(BytesIO(raw), formats=[form]) as picture:
            width, height = picture.size
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError):
        raise invalid(f"{BAD_URL}; the data is not a valid {form}") from None
    tiles = -(-width // TILE) * -(-height // TILE)
    return Seen(f"{form} {width}x{height}", TILE_TOKENS * min(tiles, MAX_TILES))
