"""Deferred completions: the option ``deferred`` of the model or of a call."""

from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import PollingOptions
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError

MESSAGES = [ChatMessage(role="user", content="Hello")]
POLLING = PollingOptions(initial_delay=0.01)


def model(gateway: Any, **fields: Any) -> XAILowCode:
    """Create a model that uses the emulator."""
    return XAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, **fields)


async def test_deferred_completions() -> None:
    """Chat and completion, sync and async, return the deferred response."""
    with running(deferred_polls=2) as gateway:
        expected = model(gateway).chat(MESSAGES).message.content
        deferred = model(gateway, deferred=POLLING)
        contents = [
            deferred.chat(MESSAGES).message.content,
            (await deferred.achat(MESSAGES)).message.content,
            model(gateway).chat(MESSAGES, deferred=POLLING).message.content,
            deferred.complete("Hello").text,
            (await deferred.acomplete("Hello")).text,
        ]
        requests = [request for request in gateway.requests if request.method == "POST"]
    assert contents == [expected] * 5
    assert [request.body.get("deferred") for request in requests] == [None, *[True] * 5]


async def test_deferred_stream() -> None:
    """A deferred stream raises an error before anything is sent."""
    with running() as gateway:
        with pytest.raises(UsageError, match="deferred: not supported when streaming"):
            model(gateway, deferred=True).stream_chat(MESSAGES)
        with pytest.raises(UsageError, match="deferred: not supported when streaming"):
            await model(gateway).astream_complete("Hello", deferred=True)
        assert gateway.requests == []
