"""Each type of stream event is documented, and each adapter of LangChain converts it."""

from pathlib import Path
from typing import get_args

import pytest

from langchain_xai_lowcode._protocol_events import ProtocolEventBuilder
from langchain_xai_lowcode._stream import ChunkBuilder, StreamState
from xai_lowcode.types.events import StreamEvent

REFERENCE = Path(__file__).parents[2] / "docs/reference/events.md"
EVENT_TYPES = set(get_args(StreamEvent))


@pytest.mark.parametrize("builder", [ChunkBuilder, ProtocolEventBuilder])
def test_each_event_type_has_a_handler(builder: type[StreamState]) -> None:
    """The builders of chunks and of protocol events have a handler for each type."""
    assert set(builder._HANDLERS) == EVENT_TYPES  # type: ignore[attr-defined]  # of both


def test_each_event_type_is_documented() -> None:
    """The reference has an entry for each type."""
    text = REFERENCE.read_text("utf-8")
    missing = {
        name
        for name in (kind.__name__ for kind in EVENT_TYPES)
        if f"types.events.{name}\n" not in text
    }
    assert EVENT_TYPES
    assert not missing
