"""Data URLs, in which pictures and documents travel inside requests and answers."""

import re

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)


def split_data_url(url: str) -> tuple[str, str] | None:
    """Type and base64 of a data URL; None for any other address, and for data in another form.

    Example:
        >>> split_data_url("data:text/plain;charset=utf-8;base64,SGk=")
        ('text/plain', 'SGk=')
        >>> split_data_url("https://x.ai/fox.png")
    """
    found = _DATA_URL.match(url)
    return None if found is None else (found[1], url[found.end() :])


def image_mime_type(data: str) -> str:
    """The type of a picture, by the first signs of its base64: xAI makes PNG and JPEG.

    Example:
        >>> type_of_picture("iVBORw0KGgo=")
        'image/png'
    """
    return "image/png" if data.startswith("iVBORw0KGgo") else "image/jpeg"
