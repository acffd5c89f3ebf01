"""Data that is not an image that xAI reads is refused by the name of the argument, not sent."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.chat.image_editing import build_edit_request, read_image
from xai_lowcode.errors import UsageError

HEIC = bytes.fromhex("0000001866747970") + b"heic\0\0\0\0mif1heic"
BMP = b"BM>\x07\0\0\0\0\0\0"
CONTENTS = [b"", b"remember the milk", HEIC, BMP]
PNG_BASE64 = "iVBORw0KGgo="


@for_each(("content",), [(content,) for content in CONTENTS])
def test_data_of_another_type(tmp_path: Path, content: bytes) -> None:
    """Bytes, a file, whatever its extension, and a data URL that are no image are refused."""
    path = tmp_path / "fox.jpg"
    path.write_bytes(content)
    encoded = base64.b64encode(content).decode()
    sources: list[Any] = [content, path, str(path), f"data:image/jpeg;base64,{encoded}"]
    for source in sources:
        with pytest.raises(UsageError, match=r"^sources\[1\]: .* is not an image") as raised:
            build_edit_request("Make it night.", [PNG_BASE64_URL, source])
        assert raised.value.field == "sources[1]"
        assert "PNG" in str(raised.value)


PNG_BASE64_URL = f"data:image/png;base64,{PNG_BASE64}"


def test_a_data_url_of_another_type_than_its_data() -> None:
    """The type that a URL declares may differ from that of its data."""
    url = f"data:image/jpeg;base64,{PNG_BASE64}"
    assert read_image(url).url == url


@for_each(
    ("source", "url"),
    [
        ("HTTPS://example.com/Fox.png", "https://example.com/Fox.png"),
        ("Http://example.com/Fox.png", "http://example.com/Fox.png"),
        (f"DATA:image/png;base64,{PNG_BASE64}", PNG_BASE64_URL),
    ],
)
def test_schemes_have_no_case(source: str, url: str) -> None:
    """The scheme of a URL may be in capitals; the URL is not taken for a path."""
    assert read_image(source).url == url


def test_base64_in_place_of_a_path() -> None:
    """The error about a path that is base64 quotes its beginning only."""
    with pytest.raises(UsageError, match="characters") as raised:
        read_image(PNG_BASE64 * 1000)
    assert len(str(raised.value)) < 300
