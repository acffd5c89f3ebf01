"""Data URLs, which embed images and documents in requests and responses."""

import re

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


def image_mime_type(data: str) -> str:
    """Return the MIME type of base64 image data; xAI generates PNG and JPEG.

    Example:
        >>> image_mime_type("iVBORw0KGgo=")
        'image/png'
    """
    return "image/png" if data.startswith("iVBORw0KGgo") else "image/jpeg"
