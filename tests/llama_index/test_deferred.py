"""Deferred answers in LlamaIndex: one keyword, on the model or on the call."""

from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import PollingOptions
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError

QUESTION = [ChatMessage(role="user", content="Hello")]
SOON = PollingOptions(initial_delay=0.01)


def model(gateway: Any, **fields: Any) -> XAILowCode:
    """A model connected to the emulator."""
    return XAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, **fields)


async def test_a_deferred_answer_is_one_keyword() -> None:
    """Chat and completion, sync and async, by field and by call, give the answer later."""
    with running(deferred_polls=2) as gateway:
        expected = model(gateway).chat(QUESTION).message.content
        later = model(gateway, deferred=SOON)
        answers = [
            later.chat(QUESTION).message.content,
            (await later.achat(QUESTION)).message.content,
            model(gateway).chat(QUESTION, deferred=SOON).message.content,
            later.complete("Hello").text,
            (await later.acomplete("Hello")).text,
        ]
        asked = [request for request in gateway.requests if request.method == "POST"]
    assert answers == [expected] * 5
    assert [request.body.get("deferred") for request in asked] == [None, *[True] * 5]


async def test_streams_cannot_be_deferred() -> None:
    """A stream is refused at the call, before anything is sent."""
    with running() as gateway:
        with pytest.raises(UsageError, match="deferred: not supported when streaming"):
            model(gateway, deferred=True).stream_chat(QUESTION)
        with pytest.raises(UsageError, match="deferred: not supported when streaming"):
            await model(gateway).astream_complete("Hello", deferred=True)
        assert gateway.requests == []
