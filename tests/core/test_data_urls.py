"""Law: a data URL is its type and its base64, whatever stands between; another address is none."""

from itertools import product
from typing import Any

import pytest

from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.types.messages import ImagePart, Message
from xai_lowcode.types.requests import ChatRequest

TYPES = ("image/png", "image/svg+xml", "application/pdf", "")
FACTS = ("", ";charset=utf-8", ";name=a.b;charset=utf-8")
DATA = ("", "QUJD", "data:,QUJD")
ADDRESSES = (
    "https://x.ai/fox.png",
    "https://x.ai/data:image/png;base64,QUJD",
    "data:image/svg+xml,<svg/>",
    "data:image/png;base64",
    "",
)


@pytest.mark.parametrize("scheme", ["data", "DATA"])
def test_type_and_data_are_taken_apart(scheme: str) -> None:
    """Every type, with and without further facts, and all that follows the comma."""
    for kind, facts, data in product(TYPES, FACTS, DATA):
        assert split_data_url(f"{scheme}:{kind}{facts};base64,{data}") == (kind, data)


@pytest.mark.parametrize("address", ADDRESSES)
def test_another_address_is_left_alone(address: str) -> None:
    """An address of another kind, data that is not base64, and half a data URL."""
    assert split_data_url(address) is None


@pytest.mark.parametrize("piece", ["a", ";", ";base64"])
def test_what_is_long_and_none_takes_no_time(piece: str) -> None:
    """A million signs without the comma that ends the head are looked at once, not squared."""
    assert split_data_url(f"data:{piece * 1_000_000}") is None


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address])
def test_an_image_in_messages_is_data_or_an_address(address: str) -> None:
    """What is no base64 goes to xAI as the address that it is, and not as empty data."""
    asked = Message("user", (ImagePart(address),))
    body: dict[str, Any] = MESSAGES.render(
        ChatRequest(model="grok-4.7", messages=(asked,)), stream=False
    )
    (image,) = body["messages"][0]["content"]
    assert image["source"] == {"type": "url", "url": address}
