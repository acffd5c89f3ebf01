"""Data URLs, which embed images and documents in requests and responses."""

import re
import string

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return the MIME type and the base64 of a data URL; None for other URLs and encodings.

    Example:
        >>> split_data_url("data:text/plain;charset=utf-8;base64,SGk=")
        ('text/plain', 'SGk=')
        >>> split_data_url("https://x.ai/fox.png")
    """
    match = _DATA_URL.match(url)
    return None if match is None else (match[1], url[match.end() :])


def base64_bytes(data: str) -> bytes:
    """Return base64 as bytes, without white space. Decoding takes three times as long.

    Raises:
        ValueError: It is not base64.

    Example:
        >>> base64_bytes("SGk=")
        b'SGk='
    """
    encoded = data.encode("ascii")
    others = encoded.translate(None, _BASE64_ALPHABET)
    if others not in _PADDINGS:
        encoded = encoded.translate(None, _WHITE_SPACE)
        others = others.translate(None, _WHITE_SPACE)
    if len(encoded) % 4 or others not in _PADDINGS or not encoded.endswith(others):
        raise ValueError("invalid character, length or padding")
    return encoded


_BASE64_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
_PADDINGS = (b"", b"=", b"==")
_WHITE_SPACE = string.whitespace.encode()


def image_mime_type(data: str) -> str:
    """Return the MIME type of base64 image data: PNG, WebP, GIF, else JPEG.

    Example:
        >>> image_mime_type("iVBORw0KGgo=")
        'image/png'
    """
    return next((kind for start, kind in _IMAGE_STARTS if data.startswith(start)), "image/jpeg")


# The base64 of the first bytes. RIFF is WebP among images.
_IMAGE_STARTS = (("iVBORw0KGgo", "image/png"), ("UklGR", "image/webp"), ("R0lGOD", "image/gif"))
