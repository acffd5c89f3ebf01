"""The hosted gateway; needs a token: ``make live``.

The conversations that are recorded elsewhere, held for real. They cost a few cents.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cassettes"))

from conversations import CONVERSATIONS

from xai_lowcode import Gateway, Settings

TOKEN = os.environ.get("LOWCODEAPI_API_TOKEN")
pytestmark = pytest.mark.skipif(not TOKEN, reason="LOWCODEAPI_API_TOKEN is not set")


@pytest.mark.parametrize("name", list(CONVERSATIONS))
def test_a_conversation(name: str) -> None:
    """The conversation works with the real service."""
    base_url = os.environ.get("LOWCODEAPI_BASE_URL")
    CONVERSATIONS[name]({"api_token": TOKEN, **({"base_url": base_url} if base_url else {})})


def test_what_costs_nothing() -> None:
    """The endpoints that cost nothing answer in their shape."""
    with Gateway(Settings.create()) as gateway:
        assert gateway.get_api_key().redacted_api_key
        assert gateway.list_models()
        assert gateway.tokenize("Hello world!", model=gateway.list_models()[0].id)
