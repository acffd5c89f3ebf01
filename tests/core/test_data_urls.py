"""Data URLs are split into MIME type and base64 data; other URLs are not data URLs."""

import base64
import binascii
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode._internal.data_urls import base64_bytes, split_data_url
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.types.messages import ImagePart, Message
from xai_lowcode.types.requests import ChatRequest

TYPES = ("image/png", "image/svg+xml", "application/pdf", "")
PARAMETERS = ("", ";charset=utf-8", ";name=a.b;charset=utf-8")
DATA = ("", "QUJD", "data:,QUJD")
OTHER_URLS = (
    "https://x.ai/fox.png",
    "https://x.ai/data:image/png;base64,QUJD",
    "data:image/svg+xml,<svg/>",
    "data:image/png;base64",
    "",
)


@pytest.mark.parametrize("scheme", ["data", "DATA"])
def test_a_data_url_is_split(scheme: str) -> None:
    """The MIME type and the data are returned, with and without further parameters."""
    for mime_type, parameters, data in product(TYPES, PARAMETERS, DATA):
        assert split_data_url(f"{scheme}:{mime_type}{parameters};base64,{data}") == (
            mime_type,
            data,
        )


@for_each("url", OTHER_URLS)
def test_other_urls_are_not_split(url: str) -> None:
    """Other URLs, data that is not base64, and an incomplete data URL return None."""
    assert split_data_url(url) is None


@pytest.mark.parametrize("part", ["a", ";", ";base64"])
def test_long_strings_are_parsed_in_linear_time(part: str) -> None:
    """A string of a million parts without a comma is scanned once."""
    assert split_data_url(f"data:{part * 1_000_000}") is None


@for_each("url", [url for url in OTHER_URLS if url])
def test_an_image_with_another_url_is_sent_by_its_url(url: str) -> None:
    """An image whose URL has no base64 data is sent as a URL, not as empty data."""
    message = Message("user", (ImagePart(url),))
    body: dict[str, Any] = MESSAGES.render(
        ChatRequest(model="grok-4.7", messages=(message,)), stream=False
    )
    (image,) = body["messages"][0]["content"]
    assert image["source"] == {"type": "url", "url": url}


@given(st.binary(max_size=60), st.sampled_from(["", " ", "\n", "\r\n"]))
def test_base64_is_returned_without_white_space(content: bytes, separator: str) -> None:
    """Data in lines, as MIME encodes it, is returned as one line."""
    encoded = base64.b64encode(content).decode()
    lines = separator.join(encoded[i : i + 8] for i in range(0, len(encoded), 8))
    assert base64_bytes(lines + separator) == encoded.encode()


@given(st.text("Az09+/=-_*é\x00\ud800", max_size=12))
def test_what_is_no_base64_raises(text: str) -> None:
    """The same strings are invalid as for a strict decoder."""
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        with pytest.raises(ValueError, match=r"invalid|ascii"):
            base64_bytes(text)
    else:
        assert base64_bytes(text) == text.encode()
